// SPDX-License-Identifier: Apache-2.0
#include "services/event/service.h"

#include <nlohmann/json.hpp>
#include <set>

#include "common/base/log.h"
#include "common/base/object_text.h"
#include "common/sys/posix_disk.h"
#include "services/event/kafka_engine.h"
#include "services/event/segment_engine.h"

namespace services::event {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr base::Duration kTick = std::chrono::seconds(1);
constexpr std::size_t kAppendedAtOnce = 500;

std::string_view need_name(EventService::Need need) {
  switch (need) {
    case EventService::Need::read: return "read";
    case EventService::Need::write: return "write";
    case EventService::Need::manage: return "manage";
  }
  return "";
}

std::string envelope_of(const services::Event& from, std::string_view data) {
  const std::string org =
      base::ObjectText().text("fqon", from.org_fqon).text("id", from.org_id).take();
  return base::ObjectText()
      .text("account", from.account_id)
      .raw("data", data)
      .text("event_name", from.name)
      .raw("org", org)
      .text("request", from.request_id)
      .text("time", from.time)
      .text("uuid", from.id)
      .take();
}

// An event of the outbox as one of the channel; what is too large loses its payload, since nothing
// may hold the outbox up.
Chosen from_outbox(const services::Event& from) {
  std::string data = envelope_of(from, from.payload);
  if (from.payload.size() > kEventDataMax / 2 || data.size() > kEventDataMax) {
    const auto size = static_cast<std::int64_t>(from.payload.size());
    data = envelope_of(from, base::ObjectText().number("too_large", size).take());
  }
  return {{from.id, from.name.substr(0, kEventNameMax), from.org_id, std::move(data)}, 0};
}

}  // namespace

EventService::~EventService() = default;

std::vector<store::Collection> EventService::collections() const {
  return {{std::string(kChannelRecords)}};
}

Result<void> EventService::start(Host& host) {
  host_ = &host;
  disk_ = TRY(sys::open_posix_disk(host.state_folder("event")));
  if (config_.brokers.empty()) {
    engine_ = TRY(SegmentEngine::open(*disk_, host.clock(), host.rng()));
  } else {
    engine_ = TRY(KafkaEngine::make(config_.brokers, host.clock()));
  }
  followers_ = std::make_unique<Followers>(host);
  engine_->on_append([this](const std::string& channel) { followers_->notify(channel); });
  auto made = engine_->create_channel(kSystemChannel, config_.system);
  if (!made && made.error().reason != "channel_exists") return made;
  host.provide(static_cast<EventSink&>(*this));
  host.every(kTick, [this] { engine_->tick(); });
  return {};
}

void EventService::stop() {
  if (followers_) followers_->stop();
}

Json EventService::health() {
  const auto channels = engine_->channels();
  return {{"status", channels ? "ok" : "degraded"},
          {"engine", std::string(engine_->name())},
          {"channels", channels ? channels->size() : 0},
          {"followers", followers_->size()}};
}

Result<void> EventService::append(std::span<const services::Event> events) {
  for (std::size_t at = 0; at < events.size(); at += kAppendedAtOnce) {
    std::vector<Chosen> some;
    std::size_t bytes = 0;
    const auto flush = [&]() -> Result<void> {
      TRY(engine_->append(kSystemChannel, some));
      some.clear();
      bytes = 0;
      return {};
    };
    for (const services::Event& event :
         events.subspan(at, std::min(kAppendedAtOnce, events.size() - at))) {
      Chosen chosen = from_outbox(event);
      const std::size_t size = chosen.event.data->size() + 1024;
      if (bytes + size > (4 << 20) && !some.empty()) TRY(flush());
      bytes += size;
      some.push_back(std::move(chosen));
    }
    TRY(flush());
  }
  return {};
}

Result<Org> EventService::owner_of(Call& call, const std::string& channel) {
  const auto record = TRY(call.read().find(kChannelRecords, channel));
  const auto org = record ? TRY(host_->orgs().find_id(call.read(), record->value)) : std::nullopt;
  if (org) return *org;
  // A channel whose organisation is gone is the root's.
  const auto root = TRY(host_->orgs().find_fqon(call.read(), "root"));
  return root.value_or(Org{});
}

Result<bool> EventService::has_right(Call& call, const std::string& channel, Need need) {
  if (call.caller().is_internal()) return true;
  const Org owner = TRY(owner_of(call, channel));
  if (TRY(is_granted(call, channel, need, owner))) return true;
  if (channel != kSystemChannel || need != Need::read) return false;
  return !TRY(readable_orgs(call)).empty();
}

Result<std::vector<Org>> EventService::readable_orgs(Call& call) {
  std::vector<Org> orgs;
  const auto root = TRY(host_->orgs().find_fqon(call.read(), "root"));
  if (root && TRY(is_granted(call, kSystemChannel, Need::read, *root))) return std::vector{*root};
  std::set<std::string> scopes;
  for (const Right& right : call.caller().rights) scopes.insert(right.scope_id);
  for (const std::string& scope : scopes) {
    const auto org = TRY(host_->orgs().find_id(call.read(), scope));
    if (org && TRY(is_granted(call, kSystemChannel, Need::read, *org))) orgs.push_back(*org);
  }
  return orgs;
}

std::string EventService::group_of(const Call& call, const std::string& name) {
  return call.caller().org_id + ":" + name;
}

Result<bool> EventService::is_granted(Call& call, const std::string& channel, Need need,
                                      const Org& org) {
  const Target target{org, channel, "channel"};
  const std::string name = "event:" + channel + ":" + std::string(need_name(need));
  const Question question{call.caller(), right(name), call.action().name, target};
  auto& authorizer = host_->authorizer(Access::Kind::right);
  const Decision decision = TRY(authorizer.decide(call.read(), question, call));
  call.explain("authorise",
               {{"right", name}, {"allowed", decision.allowed}, {"because", decision.because}});
  return decision.allowed;
}

Result<void> EventService::check_right(Call& call, const std::string& channel, Need need) {
  if (TRY(has_right(call, channel, need))) return {};
  for (const Need other : {Need::read, Need::write, Need::manage}) {
    if (other == need || !TRY(has_right(call, channel, other))) continue;
    return Error{Code::permission_denied,
                 "this needs the right event:" + channel + ":" + std::string(need_name(need)),
                 "right_missing"};
  }
  return Error{Code::not_found, "there is no channel " + channel, "channel_unknown"};
}

Result<std::unique_ptr<Service>> make_event_service(const Json& config) {
  EventConfig made;
  std::int64_t retention_bytes = static_cast<std::int64_t>(made.system.retention_bytes);
  std::int64_t retention_hours = std::int64_t{24} * 7;
  base::Fields fields(config);
  fields.optional("retention_bytes", retention_bytes, {.min = 1 << 20, .max = INT64_MAX});
  fields.optional("kafka_brokers", made.brokers, {.length_max = 2000});
  fields.optional("retention_hours", retention_hours,
                  {.min = 0, .max = std::int64_t{24} * 366 * 10});
  TRY(fields.finish(base::UnknownFields::refuse));
  made.system.retention_bytes = static_cast<std::uint64_t>(retention_bytes);
  made.system.retention_age = std::chrono::hours(retention_hours);
  return std::unique_ptr<Service>(std::make_unique<EventService>(std::move(made)));
}

}  // namespace services::event
