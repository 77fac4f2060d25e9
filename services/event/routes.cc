// SPDX-License-Identifier: Apache-2.0
// The native routes of channels: what they are, appending, reading, following, committing.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/time_text.h"
#include "services/event/audience.h"
#include "services/event/cursor.h"
#include "services/event/event_json.h"
#include "services/event/filter.h"
#include "services/event/service.h"

namespace services::event {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kEventsAtOnce = 1000;
constexpr std::int64_t kWaitMaxS = 60;
constexpr auto kStreamMax = std::chrono::seconds(300);
// Events looked at before a reader that filters gets an answer, if only a cursor.
constexpr std::size_t kScannedMax = 20'000;
constexpr std::string_view kNewChannel = R"({"type":"object","required":["name"],
  "additionalProperties":false,"properties":{"name":{"type":"string","minLength":1,
  "maxLength":200},"org_id":{"type":"string"},"partitions":{"type":"integer","minimum":1,
  "maximum":64},"retention_bytes":{"type":"integer","minimum":1048576},
  "retention_hours":{"type":"integer","minimum":0}}})";
constexpr std::string_view kCommitBody = R"({"type":"object","required":["offsets"],
  "additionalProperties":false,"properties":{"offsets":{"type":"array","maxItems":1000,
  "items":{"type":"object","required":["channel","partition","offset"],"properties":{
  "channel":{"type":"string"},"partition":{"type":"integer","minimum":0},
  "offset":{"type":"integer","minimum":0}}}}}})";

Json show_channel(const ChannelState& state) {
  Json partitions = Json::array();
  for (const PartitionState& each : state.partitions)
    partitions.push_back({{"first", each.first}, {"next", each.next}});
  return {{"name", state.name},
          {"partitions", std::move(partitions)},
          {"retention_bytes", state.options.retention_bytes},
          {"retention_ms", state.options.retention_age.count()}};
}

using Need = EventService::Need;

Result<Reply> list_channels(EventService& service, Call& call) {
  Json list = Json::array();
  for (const std::string& channel : TRY(service.engine().channels())) {
    const bool sees = TRY(service.has_right(call, channel, Need::read)) ||
                      TRY(service.has_right(call, channel, Need::write));
    if (sees) list.push_back(channel);
  }
  return Reply::json(list);
}

Result<Reply> get_channel(EventService& service, Call& call) {
  const std::string& channel = call.parameter("channel");
  TRY(service.check_right(call, channel, Need::read));
  const ChannelState state = TRY(service.engine().describe(channel));
  return Reply::json(show_channel(state));
}

Result<Target> of_new_channel(EventService& service, Call& call) {
  std::string org = call.caller().org_id;
  if (call.body().is_object()) org = call.body().value("org_id", org);
  const auto found = TRY(service.host().orgs().find_id(call.read(), org));
  if (!found) return Error{Code::not_found, "there is no such organisation", "org_unknown"};
  return Target{*found, "", "channel"};
}

// The record first: it says whose the name is. A channel without its events is made by the next
// try; the engine itself makes a channel once.
Result<Reply> create_channel(EventService& service, Call& call) {
  const Json& body = call.body();
  const std::string name = body["name"];
  TRY(check_channel_name(name));
  ChannelOptions options;
  options.partitions = body.value("partitions", options.partitions);
  options.retention_bytes = body.value("retention_bytes", options.retention_bytes);
  if (body.contains("retention_hours"))
    options.retention_age = std::chrono::hours(body["retention_hours"].get<std::int64_t>());
  if (TRY(call.read().find(kChannelRecords, name)) || name == kSystemChannel)
    return Error{Code::already_exists, "there is a channel " + name, "channel_exists"};
  if (!call.dryrun()) {
    auto made = service.engine().create_channel(name, options);
    if (!made && made.error().reason != "channel_exists") return made.error();
  }
  TRY(call.write().put(kChannelRecords, name, call.org().id, store::kMustBeNew));
  call.emit("event.channel.created", {{"channel", name}});
  return Reply::created(
      call.href_base() + "/channels/" + name,
      show_channel({name, options, std::vector<PartitionState>(options.partitions)}));
}

Result<Reply> delete_channel(EventService& service, Call& call) {
  const std::string& channel = call.parameter("channel");
  TRY(service.check_right(call, channel, Need::manage));
  if (channel == kSystemChannel)
    return Error{Code::failed_precondition, "the system's own channel stays", "channel_in_use"};
  TRY(call.write().remove(kChannelRecords, channel));
  if (!call.dryrun()) TRY(service.engine().remove_channel(channel));
  call.emit("event.channel.deleted", {{"channel", channel}});
  return Reply::no_content();
}

// Rules and the gate of the channel's organisation concern what is appended.
Result<Target> of_channel(EventService& service, Call& call) {
  return Target{TRY(service.owner_of(call, call.parameter("channel"))), "", "channel"};
}

Result<Reply> append_events(EventService& service, Call& call) {
  const std::string& channel = call.parameter("channel");
  TRY(service.check_right(call, channel, Need::write));
  if (channel == kSystemChannel)
    return Error{Code::permission_denied, "only the services write to this channel",
                 "right_missing"};
  std::vector<Chosen> events;
  if (call.body().is_array()) {
    if (call.body().size() > kEventsAtOnce)
      return Error{Code::too_large, "at most 1000 events at once", "event_too_large"};
    for (std::size_t i = 0; i < call.body().size(); ++i)
      events.push_back(TRY(read_event(call.body()[i], "/" + std::to_string(i), call.once_id(i))));
  } else {
    events.push_back(TRY(read_event(call.body(), "", call.once_id(0))));
  }
  const ChannelState state = TRY(service.engine().describe(channel));
  if (call.dryrun()) return Reply::json({{"dryrun", true}, {"would", {{"append", events.size()}}}});
  const std::vector<Placed> placed = TRY(service.engine().append(channel, events));
  Json list = Json::array();
  for (std::size_t i = 0; i < placed.size(); ++i)
    list.push_back({{"uuid", events[i].event.id},
                    {"partition", placed[i].partition},
                    {"offset", placed[i].offset},
                    {"duplicate", placed[i].is_duplicate}});
  return Reply::json({{"placed", std::move(list)}});
}

// One reader of a channel, between its requests or within one that follows.
struct Reading {
  std::string channel;
  Cursor cursor;
  Filter filter;
  Audience audience;
  std::size_t limit = 100;
};

// Reads on from the cursor and moves it. Events of different partitions in turn.
Result<std::vector<StoredEvent>> read_on(Engine& engine, Reading& reading) {
  std::vector<StoredEvent> accepted;
  std::size_t scanned = 0;
  for (auto& [partition, offset] : reading.cursor) {
    while (accepted.size() < reading.limit && scanned < kScannedMax) {
      auto events = TRY(engine.read(reading.channel, partition, offset,
                                    {.events_max = reading.limit, .bytes_max = 2 << 20}));
      if (events.empty()) break;
      for (StoredEvent& stored : events) {
        if (accepted.size() >= reading.limit) break;
        ++scanned;
        offset = stored.offset + 1;
        if (reading.audience.sees(stored) && reading.filter.accepts(stored))
          accepted.push_back(std::move(stored));
      }
    }
  }
  return accepted;
}

Result<Cursor> find_place(Engine& engine, const std::string& channel, const std::string& since) {
  const ChannelState state = TRY(engine.describe(channel));
  Cursor cursor;
  for (std::uint32_t i = 0; i < state.partitions.size(); ++i)
    cursor[i] = since == "end" ? state.partitions[i].next : state.partitions[i].first;
  if (since == "end" || since == "beginning" || since.empty()) return cursor;
  if (const auto time = base::parse_time(since)) {
    for (auto& [partition, offset] : cursor)
      offset = TRY(engine.offset_at(channel, partition, *time));
    return cursor;
  }
  for (const auto& [partition, offset] : TRY(parse_cursor(since))) {
    if (partition >= state.partitions.size())
      return Error{Code::invalid_argument, "the channel has no such partition", "cursor_invalid"};
    cursor[partition] = offset;
  }
  return cursor;
}

Result<Cursor> find_committed(Engine& engine, const std::string& channel,
                              const std::string& group) {
  Cursor cursor = TRY(find_place(engine, channel, "beginning"));
  for (auto& [partition, offset] : cursor) {
    const auto committed = TRY(engine.committed(group, channel, partition));
    // What retention has taken meanwhile is skipped.
    if (committed) offset = std::max(offset, *committed);
  }
  return cursor;
}

Json show_page(const std::vector<StoredEvent>& events, const Cursor& cursor) {
  Json list = Json::array();
  for (const StoredEvent& stored : events) list.push_back(show_event(stored));
  return {{"events", std::move(list)}, {"next", format_cursor(cursor)}};
}

// Server-sent events: each event's id is the cursor behind it, so that Last-Event-ID goes on there.
Followers::Outcome stream_on(Engine& engine, Reading& reading) {
  Followers::Outcome outcome;
  for (;;) {
    Cursor before = reading.cursor;
    const auto events = read_on(engine, reading);
    if (!events) {
      outcome.bytes += rest::format_event(
          "error", base::dump_json({{"reason", std::string(events.error().reason)},
                                    {"message", events.error().detail}}));
      outcome.is_done = true;
      return outcome;
    }
    for (const StoredEvent& stored : *events) {
      before[stored.partition] = stored.offset + 1;
      outcome.bytes += rest::format_event(stored.event.name, base::dump_json(show_event(stored)),
                                          format_cursor(before));
    }
    if (before == reading.cursor && events->empty()) return outcome;
    if (events->size() < reading.limit || outcome.bytes.size() > (1 << 20)) return outcome;
  }
}

// Ends after a while: the client comes again with Last-Event-ID, and its rights are asked again.
Result<Reply> follow(EventService& service, Reading reading, std::int64_t wait_s) {
  auto shared = std::make_shared<Reading>(std::move(reading));  // with attempts, one at a time
  Followers::Wish wish;
  wish.channels = {shared->channel};
  wish.wait = wait_s > 0 ? std::chrono::seconds(wait_s) : kStreamMax;
  wish.attempt = [&engine = service.engine(), shared](bool is_last) {
    Followers::Outcome outcome = stream_on(engine, *shared);
    if (!is_last || outcome.is_done) return outcome;
    outcome.is_done = true;
    // An id without data moves the place a client goes on from, though it has seen no event.
    outcome.bytes += "id: " + format_cursor(shared->cursor) + "\n\n";
    return outcome;
  };
  auto stream = TRY(service.followers().follow(std::move(wish)));
  return Reply::event_stream(std::move(stream));
}

Result<Reply> poll(EventService& service, Reading reading, std::int64_t wait_s) {
  const auto events = TRY(read_on(service.engine(), reading));
  if (!events.empty() || wait_s == 0) return Reply::json(show_page(events, reading.cursor));
  auto shared = std::make_shared<Reading>(std::move(reading));
  Followers::Wish wish;
  wish.channels = {shared->channel};
  wish.wait = std::chrono::seconds(wait_s);
  wish.attempt = [&engine = service.engine(), shared](bool is_last) -> Followers::Outcome {
    const auto found = read_on(engine, *shared);
    if (found && found->empty() && !is_last) return {};
    if (!found) return Followers::Outcome::failure(found.error());
    return {base::dump_json(show_page(*found, shared->cursor)), true};
  };
  Reply reply;
  reply.headers["Content-Type"] = "application/json";
  reply.stream = TRY(service.followers().follow(std::move(wish)));
  return reply;
}

Result<Reply> read_events(EventService& service, Call& call) {
  const std::string& channel = call.parameter("channel");
  TRY(service.check_right(call, channel, Need::read));
  Reading reading;
  reading.channel = channel;
  reading.audience = TRY(Audience::of(service, call, channel));
  reading.filter = TRY(Filter::parse(call.query("filter").value_or("")));
  reading.limit =
      static_cast<std::size_t>(TRY(call.request().query_int("limit", 100, 1, kEventsAtOnce)));
  const std::int64_t wait = TRY(call.request().query_int("wait", 0, 0, kWaitMaxS));
  const bool is_stream = call.request().find_header("accept").value_or("").find(
                             "text/event-stream") != std::string_view::npos;
  const auto last = call.request().find_header("last-event-id");
  std::string since = call.query("since").value_or(is_stream ? "end" : "beginning");
  if (is_stream && last) since = std::string(*last);
  const auto group = call.query("group");
  reading.cursor =
      group ? TRY(find_committed(service.engine(), channel, service.group_of(call, *group)))
            : TRY(find_place(service.engine(), channel, since));
  if (is_stream) return follow(service, std::move(reading), wait);
  return poll(service, std::move(reading), wait);
}

Result<Reply> commit_offsets(EventService& service, Call& call) {
  std::vector<GroupOffset> offsets;
  for (const Json& each : call.body()["offsets"]) {
    GroupOffset offset{each["channel"], each["partition"], each["offset"]};
    TRY(service.check_right(call, offset.channel, Need::read));
    offsets.push_back(std::move(offset));
  }
  if (call.dryrun())
    return Reply::json({{"dryrun", true}, {"would", {{"commit", offsets.size()}}}});
  TRY(service.engine().commit(service.group_of(call, call.parameter("group")), offsets));
  return Reply::no_content();
}

Result<Reply> get_offsets(EventService& service, Call& call) {
  const std::string channel = call.query("channel").value_or("");
  TRY(service.check_right(call, channel, Need::read));
  const ChannelState state = TRY(service.engine().describe(channel));
  const std::string group = service.group_of(call, call.parameter("group"));
  Json list = Json::array();
  for (std::uint32_t i = 0; i < state.partitions.size(); ++i) {
    const auto committed = TRY(service.engine().committed(group, channel, i));
    list.push_back({{"channel", channel},
                    {"partition", i},
                    {"offset", committed ? Json(*committed) : Json()},
                    {"lag", state.partitions[i].next -
                                std::min(state.partitions[i].next,
                                         committed.value_or(state.partitions[i].first))}});
  }
  return Reply::json({{"offsets", std::move(list)}});
}

using rest::Method;

constexpr Action<EventService> kActions[] = {
    {Method::get,
     "/channels",
     "event.channel.list",
     authenticated(),
     Kind::query,
     list_channels,
     "Channels that the caller may read or write",
     {.flags = kOnWorker, .reply = reply::kNames}},
    {Method::post,
     "/channels",
     "event.channel.create",
     right("event:manage"),
     Kind::mutation,
     create_channel,
     "Makes a channel",
     {.body = kNewChannel, .reply = reply::kChannel, .resolve = of_new_channel}},
    {Method::get,
     "/channels/{channel}",
     "event.channel.view",
     authenticated(),
     Kind::query,
     get_channel,
     "A channel with its partitions",
     {.flags = kOnWorker, .reply = reply::kChannel}},
    {Method::del, "/channels/{channel}", "event.channel.delete", authenticated(), Kind::mutation,
     delete_channel, "Removes a channel with its events"},
    {Method::post,
     "/channels/{channel}/events",
     "event.append",
     authenticated(),
     Kind::mutation,
     append_events,
     "Appends one event or a list of them",
     {.flags = kBeside | kUnaudited,
      .reply = reply::kPlaced,
      .resolve = of_channel,
      .body_max = 8 << 20}},
    {Method::get,
     "/channels/{channel}/events",
     "event.read",
     authenticated(),
     Kind::query,
     read_events,
     "Reads from a place on, waits (wait=), or follows (Accept: text/event-stream)",
     {.flags = kOnWorker | kStream, .reply = reply::kPage}},
    {Method::post,
     "/groups/{group}/offsets",
     "event.commit",
     authenticated(),
     Kind::mutation,
     commit_offsets,
     "Notes what a group of readers has read",
     {.flags = kBeside | kUngated | kUnaudited, .body = kCommitBody}},
    {Method::get,
     "/groups/{group}/offsets",
     "event.offsets",
     authenticated(),
     Kind::query,
     get_offsets,
     "What a group has read of ?channel=, and how far it lags",
     {.flags = kOnWorker, .reply = reply::kOffsets}},
};

}  // namespace

void EventService::actions(ActionTable& table) { table.add(kActions, *this); }

}  // namespace services::event
