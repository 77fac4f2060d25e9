// SPDX-License-Identifier: Apache-2.0
#include "node/master/event_bus.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace node::master {
namespace {

using base::Json;

constexpr std::size_t kTypesMax = 50;
constexpr std::size_t kTypeLengthMax = 100;
constexpr std::size_t kEventIdMax = 100;

bool wants(const EventFilter& filter, const std::string& type) {
  return filter.types.empty() || filter.types.contains(type);
}

std::size_t size_of(const Event& event) { return event.data.size() + event.light.size(); }

Event stream_event(const char* type, const std::string& now, Json data) {
  data["eventType"] = type;
  data["timestamp"] = now;
  return {type, base::dump_json(data), ""};
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
  // An id that is none of ours is one that is too old.
  filter.last_id = request.find_header("last-event-id").value_or("").substr(0, kEventIdMax);
  return filter;
}

EventBus::EventBus(base::Clock& clock)
    : clock_(clock), run_(std::to_string(clock.wall().time_since_epoch().count())) {}

std::shared_ptr<rest::ByteStream> EventBus::attach(EventFilter filter, const std::string& peer) {
  // Above the limit that counts, so that a cut-off client still gets the reason.
  auto stream = std::make_shared<rest::ByteStream>(SIZE_MAX);
  subscribers_.push_back({stream, std::move(filter), peer, ""});
  Json data = {{"remoteAddress", peer}};
  if (!replay(subscribers_.back())) data["gap"] = true;
  publish({stream_event("event_stream_attached", base::format_time(clock_.wall()), data)});
  return stream;
}

// Sends what came since the last event the client saw. False when that is not known any more.
bool EventBus::replay(Subscriber& subscriber) {
  const std::string& id = subscriber.filter.last_id;
  if (id.empty()) return true;
  const std::size_t dot = id.find('.');
  const auto number = dot == std::string::npos || id.substr(0, dot) != run_
                          ? base::Result<std::int64_t>(base::Error{})
                          : base::parse_int(id.substr(dot + 1), 0, last_number_);
  const std::int64_t first = kept_.empty() ? last_number_ + 1 : kept_.front().number;
  const bool known = number && *number + 1 >= first;
  for (const Kept& kept : kept_) {
    if (!known || kept.number > *number) send(subscriber, kept);
  }
  return known;
}

void EventBus::keep(Event event) {
  kept_bytes_ += size_of(event);
  kept_.push_back({++last_number_, std::move(event)});
  // The newest stays while it is being sent, however big it is.
  while (kept_.size() > 1 && (kept_.size() > kKeptEvents || kept_bytes_ > kKeptBytes)) {
    kept_bytes_ -= size_of(kept_.front().event);
    kept_.pop_front();
  }
}

void EventBus::send(Subscriber& subscriber, const Kept& kept) {
  const Event& event = kept.event;
  if (!subscriber.reason.empty() || !wants(subscriber.filter, event.type)) return;
  const bool light = subscriber.filter.light && !event.light.empty();
  if (subscriber.stream->waiting() <= kBacklogMax) {
    subscriber.stream->write(
        rest::format_event(event.type, light ? event.light : event.data, id_of(kept.number)));
    return;
  }
  subscriber.reason = "reads too slowly: " + std::to_string(subscriber.stream->waiting()) +
                      " bytes wait, connect again and read the state anew";
  const Event last =
      stream_event("event_stream_detached", base::format_time(clock_.wall()),
                   {{"remoteAddress", subscriber.peer}, {"reason", subscriber.reason}});
  subscriber.stream->write(rest::format_event(last.type, last.data));
  // The frame gives the client the time of a reply to take what waits.
  subscriber.stream->finish();
}

void EventBus::publish(std::vector<Event> events) {
  for (Event& event : events) {
    keep(std::move(event));
    for (Subscriber& subscriber : subscribers_) send(subscriber, kept_.back());
  }
  drop_closed();
}

void EventBus::keep_alive() {
  for (const Subscriber& subscriber : subscribers_) subscriber.stream->write(":\r\n\r\n");
  drop_closed();
}

void EventBus::drop_closed() {
  std::vector<Event> detached;
  subscribers_.remove_if([&](const Subscriber& subscriber) {
    if (subscriber.reason.empty() && subscriber.stream->is_open()) return false;
    const std::string reason = subscriber.reason.empty() ? "has gone" : subscriber.reason;
    detached.push_back(stream_event("event_stream_detached", base::format_time(clock_.wall()),
                                    {{"remoteAddress", subscriber.peer}, {"reason", reason}}));
    return true;
  });
  if (!detached.empty()) publish(std::move(detached));
}

}  // namespace node::master
