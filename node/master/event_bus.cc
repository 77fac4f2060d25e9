// SPDX-License-Identifier: Apache-2.0
#include "node/master/event_bus.h"

#include <nlohmann/json.hpp>

namespace node::master {
namespace {

constexpr std::size_t kTypesMax = 50;
constexpr std::size_t kTypeLengthMax = 100;

// Marathon's own names for the filter: "deployment_info" and "deployment_info_event" mean the same.
bool wants(const EventFilter& filter, const std::string& type) {
  return filter.types.empty() || filter.types.contains(type);
}

}  // namespace

base::Result<EventFilter> read_event_filter(const rest::Request& request) {
  EventFilter filter;
  for (const std::string& type : request.all_query("event_type")) {
    if (type.empty()) continue;
    if (type.size() > kTypeLengthMax || filter.types.size() >= kTypesMax)
      return base::Error{base::Code::invalid_argument, "too many or too long event types",
                         "query_invalid"};
    filter.types.insert(type);
  }
  const auto format = request.find_query("plan-format");
  if (format && *format != "light" && *format != "full")
    return base::Error{base::Code::invalid_argument, "plan-format must be full or light",
                       "query_invalid"};
  filter.light = format && *format == "light";
  return filter;
}

std::shared_ptr<rest::ByteStream> EventBus::attach(EventFilter filter, const std::string& peer,
                                                   const std::string& now) {
  auto stream = std::make_shared<rest::ByteStream>();
  subscribers_.push_back({stream, std::move(filter), peer});
  const base::Json data = {
      {"eventType", "event_stream_attached"}, {"timestamp", now}, {"remoteAddress", peer}};
  publish({{"event_stream_attached", base::dump_json(data), ""}});
  return stream;
}

void EventBus::publish(const std::vector<Event>& events) {
  if (events.empty() || subscribers_.empty()) return;
  for (const Subscriber& subscriber : subscribers_) {
    for (const Event& event : events) {
      if (!wants(subscriber.filter, event.type)) continue;
      const bool light = subscriber.filter.light && !event.light.empty();
      if (!subscriber.stream->write(
              rest::format_event(event.type, light ? event.light : event.data)))
        break;
    }
  }
  drop_closed();
}

void EventBus::keep_alive() {
  for (const Subscriber& subscriber : subscribers_) subscriber.stream->write(":\r\n\r\n");
  drop_closed();
}

void EventBus::drop_closed() {
  subscribers_.remove_if(
      [](const Subscriber& subscriber) { return !subscriber.stream->is_open(); });
}

base::Json EventBus::list() const {
  base::Json list = base::Json::array();
  for (const Subscriber& subscriber : subscribers_) list.push_back(subscriber.peer);
  return list;
}

}  // namespace node::master
