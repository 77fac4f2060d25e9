// SPDX-License-Identifier: Apache-2.0
// Confluent's REST proxy, version 2: topics, records, consumers. Media types and error codes as its
// API reference has them; formats json and binary.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/base64.h"
#include "common/base/text.h"
#include "services/event/audience.h"
#include "services/event/records.h"
#include "services/event/service.h"

namespace services::event {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::int64_t kTimeoutDefaultMs = 1000;
constexpr std::int64_t kTimeoutMaxMs = 60'000;
constexpr std::int64_t kBytesMax = 4 << 20;
constexpr std::size_t kTopicsMax = 100;

using Need = EventService::Need;

Reply answer(const Json& value, int status = 200) {
  return Reply::json(value, status).with("Content-Type", "application/vnd.kafka.v2+json");
}

int confluent_code(const Error& error) {
  if (error.reason == "channel_unknown") return 40401;
  if (error.reason == "partition_unknown") return 40402;
  if (error.reason == "consumer_unknown") return 40403;
  if (error.reason == "consumer_format_differs") return 40601;
  if (error.reason == "consumer_exists") return 40902;
  if (error.reason == "subscription_conflict") return 40903;
  if (error.reason == "media_type_unknown") return 41501;
  if (error.reason == "schema_missing") return 42201;
  if (error.reason == "consumer_config_invalid") return 42204;
  switch (error.code) {
    case Code::invalid_argument: return 42205;
    case Code::permission_denied: return 40301;
    case Code::unauthenticated: return 40101;
    case Code::too_large: return 41301;
    case Code::throttled: return 42901;
    default: return 50002;
  }
}

// Error bodies carry codes of five digits, whose first three are the status.
Reply refuse(const Error& error) {
  const int code = confluent_code(error);
  const std::string message =
      error.pointer.empty() ? error.detail : error.pointer + " " + error.detail;
  return answer({{"error_code", code}, {"message", message}}, code / 100);
}

Reply reply_of(Result<Reply> result) {
  if (result) return *std::move(result);
  return refuse(result.error());
}

template <Result<Reply> (*Handle)(ConfluentService&, Call&)>
Result<Reply> guarded(ConfluentService& service, Call& call) {
  return reply_of(Handle(service, call));
}

Result<std::int64_t> partition_of(const Call& call) {
  auto number = base::parse_int(call.parameter("partition"), 0, kPartitionsMax - 1);
  if (number) return number;
  return Error{Code::not_found, "Partition not found.", "partition_unknown"};
}

Json show_partition(std::uint32_t number) {
  return {{"partition", number},
          {"leader", 0},
          {"replicas", {{{"broker", 0}, {"leader", true}, {"in_sync", true}}}}};
}

// ---- topics

Result<Reply> list_topics(ConfluentService& service, Call& call) {
  Json list = Json::array();
  for (const std::string& channel : TRY(service.events().engine().channels())) {
    const bool sees = TRY(service.events().has_right(call, channel, Need::read)) ||
                      TRY(service.events().has_right(call, channel, Need::write));
    if (sees) list.push_back(channel);
  }
  return answer(list);
}

Result<ChannelState> describe(ConfluentService& service, Call& call) {
  const std::string& topic = call.parameter("topic");
  TRY(service.events().check_right(call, topic, Need::read));
  return service.events().engine().describe(topic);
}

Result<Reply> get_topic(ConfluentService& service, Call& call) {
  const ChannelState state = TRY(describe(service, call));
  Json partitions = Json::array();
  for (std::uint32_t i = 0; i < state.partitions.size(); ++i)
    partitions.push_back(show_partition(i));
  return answer({{"name", state.name},
                 {"configs",
                  {{"retention.ms", std::to_string(state.options.retention_age.count())},
                   {"retention.bytes", std::to_string(state.options.retention_bytes)}}},
                 {"partitions", std::move(partitions)}});
}

Result<Reply> list_partitions(ConfluentService& service, Call& call) {
  const ChannelState state = TRY(describe(service, call));
  Json partitions = Json::array();
  for (std::uint32_t i = 0; i < state.partitions.size(); ++i)
    partitions.push_back(show_partition(i));
  return answer(partitions);
}

Result<Reply> get_partition(ConfluentService& service, Call& call) {
  const ChannelState state = TRY(describe(service, call));
  const std::int64_t number = TRY(partition_of(call));
  if (static_cast<std::size_t>(number) >= state.partitions.size())
    return Error{Code::not_found, "Partition not found.", "partition_unknown"};
  return answer(show_partition(static_cast<std::uint32_t>(number)));
}

Result<Reply> get_partition_offsets(ConfluentService& service, Call& call) {
  const ChannelState state = TRY(describe(service, call));
  const std::int64_t number = TRY(partition_of(call));
  if (static_cast<std::size_t>(number) >= state.partitions.size())
    return Error{Code::not_found, "Partition not found.", "partition_unknown"};
  const PartitionState& its = state.partitions[static_cast<std::size_t>(number)];
  return answer({{"beginning_offset", its.first}, {"end_offset", its.next}});
}

Result<Reply> produce(ConfluentService& service, Call& call,
                      std::optional<std::uint32_t> partition) {
  const std::string& topic = call.parameter("topic");
  TRY(service.events().check_right(call, topic, Need::write));
  if (topic == kSystemChannel)
    return Error{Code::permission_denied, "only the services write to this topic", "right_missing"};
  const Format format = TRY(record_format(call.request().find_header("content-type").value_or("")));
  const Json body = TRY(base::parse_json(call.request().body, {.bytes_max = 8 << 20}));
  const auto records = TRY(read_records(body, format, partition, call.once_id(0)));
  TRY(service.events().engine().describe(topic));
  if (call.dryrun()) return answer({{"dryrun", true}, {"would", {{"produce", records.size()}}}});
  const auto placed = TRY(service.events().engine().append(topic, records));
  Json offsets = Json::array();
  for (const Placed& each : placed)
    offsets.push_back({{"partition", each.partition},
                       {"offset", each.offset},
                       {"error_code", nullptr},
                       {"error", nullptr}});
  return answer(
      {{"offsets", std::move(offsets)}, {"key_schema_id", nullptr}, {"value_schema_id", nullptr}});
}

Result<Target> of_topic(ConfluentService& service, Call& call) {
  return Target{TRY(service.events().owner_of(call, call.parameter("topic"))), "", "channel"};
}

Result<Reply> produce_to_topic(ConfluentService& service, Call& call) {
  return produce(service, call, std::nullopt);
}

Result<Reply> produce_to_partition(ConfluentService& service, Call& call) {
  const std::int64_t number = TRY(partition_of(call));
  return produce(service, call, static_cast<std::uint32_t>(number));
}

// ---- consumers

std::string group_of(const Call& call) {
  return EventService::group_of(call, call.parameter("group"));
}

// The instance that the path names. Requires: the service's mutex is held.
Result<Instance*> instance_of(ConfluentService& service, Call& call) {
  return service.consumers().find(group_of(call), call.parameter("instance"),
                                  call.caller().account_id, service.host().clock().now());
}

Result<Reply> create_consumer(ConfluentService& service, Call& call) {
  Instance instance = TRY(read_instance(call.body(), call.new_id()));
  instance.account_id = call.caller().account_id;
  const std::string& group = call.parameter("group");
  const std::string id = instance.id;
  const std::lock_guard lock(service.mutex());
  if (call.dryrun()) {
    TRY(service.consumers().check_new(group_of(call), instance, service.host().clock().now()));
    return answer({{"dryrun", true}, {"would", {{"create", id}}}});
  }
  TRY(service.consumers().create(group_of(call), std::move(instance),
                                 service.host().clock().now()));
  return answer({{"instance_id", id},
                 {"base_uri", call.href_base() + "/consumers/" + base::percent_encode(group) +
                                  "/instances/" + base::percent_encode(id)}});
}

Result<Reply> delete_consumer(ConfluentService& service, Call& call) {
  const std::lock_guard lock(service.mutex());
  TRY(instance_of(service, call));
  if (!call.dryrun()) service.consumers().remove(group_of(call), call.parameter("instance"));
  return Reply::no_content();
}

Result<Reply> subscribe(ConfluentService& service, Call& call) {
  std::vector<std::string> topics;
  base::Fields fields(call.body());
  fields.optional("topics", topics, kTopicsMax, {.length_min = 1, .length_max = kChannelNameMax});
  fields.find("topic_pattern");
  TRY(fields.finish(base::UnknownFields::refuse));
  if (topics.empty())
    return Error{Code::invalid_argument, "topics are needed; patterns are not supported",
                 "consumer_config_invalid"};
  for (const std::string& topic : topics) {
    TRY(service.events().check_right(call, topic, Need::read));
    TRY(service.events().engine().describe(topic));
  }
  const std::lock_guard lock(service.mutex());
  Instance* instance = TRY(instance_of(service, call));
  if (!instance->assigned.empty())
    return Error{Code::failed_precondition,
                 "Subscription to topics, partitions and pattern are mutually exclusive.",
                 "subscription_conflict"};
  if (call.dryrun()) return Reply::no_content();
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  instance->subscription = std::move(topics);
  return Reply::no_content();
}

Result<Reply> get_subscription(ConfluentService& service, Call& call) {
  const std::lock_guard lock(service.mutex());
  const Instance* instance = TRY(instance_of(service, call));
  return answer({{"topics", instance->subscription}});
}

Result<Reply> unsubscribe(ConfluentService& service, Call& call) {
  const std::lock_guard lock(service.mutex());
  Instance* instance = TRY(instance_of(service, call));
  if (call.dryrun()) return Reply::no_content();
  instance->subscription.clear();
  instance->assigned.clear();
  return Reply::no_content();
}

// Partitions of a body; the caller may read all of their topics, and they exist.
Result<std::vector<GroupOffset>> checked_places(ConfluentService& service, Call& call,
                                                const char* list, OffsetNeed need) {
  auto places = TRY(read_places(call.body(), list, need));
  for (const GroupOffset& place : places) {
    TRY(service.events().check_right(call, place.channel, Need::read));
    const ChannelState state = TRY(service.events().engine().describe(place.channel));
    if (place.partition >= state.partitions.size())
      return Error{Code::not_found, "Partition not found.", "partition_unknown"};
  }
  return places;
}

Result<Reply> assign(ConfluentService& service, Call& call) {
  const auto places = TRY(checked_places(service, call, "partitions", OffsetNeed::none));
  const std::lock_guard lock(service.mutex());
  Instance* instance = TRY(instance_of(service, call));
  if (!instance->subscription.empty())
    return Error{Code::failed_precondition,
                 "Subscription to topics, partitions and pattern are mutually exclusive.",
                 "subscription_conflict"};
  if (call.dryrun()) return Reply::no_content();
  instance->assigned.clear();
  for (const GroupOffset& place : places)
    instance->assigned.emplace_back(place.channel, place.partition);
  return Reply::no_content();
}

// How many partitions the topics have that an instance may read.
Result<std::map<std::string, std::uint32_t>> counts_of(ConfluentService& service,
                                                       const std::vector<std::string>& topics) {
  std::map<std::string, std::uint32_t> counts;
  for (const std::string& topic : topics) {
    const auto state = service.events().engine().describe(topic);
    // One that was removed meanwhile is read no more.
    if (!state && state.error().code != Code::not_found) return state.error();
    if (state) counts[topic] = state->options.partitions;
  }
  return counts;
}

Result<Reply> get_assignment(ConfluentService& service, Call& call) {
  const std::lock_guard lock(service.mutex());
  Instance* instance = TRY(instance_of(service, call));
  const auto counts = TRY(counts_of(service, instance->subscription));
  Json list = Json::array();
  for (const auto& [topic, partition] :
       service.consumers().assignment(group_of(call), instance->id, counts))
    list.push_back({{"topic", topic}, {"partition", partition}});
  return answer({{"partitions", std::move(list)}});
}

Result<Reply> seek(ConfluentService& service, Call& call) {
  const auto places = TRY(checked_places(service, call, "offsets", OffsetNeed::required));
  const std::lock_guard lock(service.mutex());
  Instance* instance = TRY(instance_of(service, call));
  if (call.dryrun()) return Reply::no_content();
  for (const GroupOffset& place : places)
    instance->positions[{place.channel, place.partition}] = place.offset;
  return Reply::no_content();
}

Result<Reply> seek_to(ConfluentService& service, Call& call, Reset where) {
  const auto places = TRY(checked_places(service, call, "partitions", OffsetNeed::none));
  const std::lock_guard lock(service.mutex());
  Instance* instance = TRY(instance_of(service, call));
  if (call.dryrun()) return Reply::no_content();
  for (const GroupOffset& place : places) {
    const ChannelState state = TRY(service.events().engine().describe(place.channel));
    const PartitionState& its = state.partitions[place.partition];
    instance->positions[{place.channel, place.partition}] =
        where == Reset::earliest ? its.first : its.next;
  }
  return Reply::no_content();
}

Result<Reply> seek_to_beginning(ConfluentService& service, Call& call) {
  return seek_to(service, call, Reset::earliest);
}

Result<Reply> seek_to_end(ConfluentService& service, Call& call) {
  return seek_to(service, call, Reset::latest);
}

// What was handed out is committed: with a body these offsets, without one all of it.
Result<Reply> commit(ConfluentService& service, Call& call) {
  std::vector<GroupOffset> offsets;
  if (!call.body().is_null()) {
    offsets = TRY(checked_places(service, call, "offsets", OffsetNeed::required));
    // The offset of the last record that was processed, as in the proxy; we keep the next one.
    for (GroupOffset& each : offsets) ++each.offset;
  }
  const std::lock_guard lock(service.mutex());
  Instance* instance = TRY(instance_of(service, call));
  if (call.body().is_null())
    for (const auto& [place, offset] : instance->uncommitted)
      offsets.push_back({place.first, place.second, offset});
  if (call.dryrun()) return Reply::no_content();
  TRY(service.events().engine().commit(group_of(call), offsets));
  for (const GroupOffset& each : offsets)
    instance->uncommitted.erase({each.channel, each.partition});
  return Reply::no_content();
}

Result<Reply> get_committed(ConfluentService& service, Call& call) {
  const auto places = TRY(checked_places(service, call, "partitions", OffsetNeed::none));
  const std::lock_guard lock(service.mutex());
  TRY(instance_of(service, call));
  Json list = Json::array();
  for (const GroupOffset& place : places) {
    const auto committed =
        TRY(service.events().engine().committed(group_of(call), place.channel, place.partition));
    if (committed && *committed > 0)
      list.push_back({{"topic", place.channel},
                      {"partition", place.partition},
                      {"offset", *committed - 1},
                      {"metadata", ""}});
  }
  return answer({{"offsets", std::move(list)}});
}

// ---- reading

struct Poll {
  std::string group;
  std::string instance;
  std::string account;
  Format format = Format::json;
  std::size_t bytes_max = 0;
  Audience audience;  // of the system's channel
};

Result<Offset> position_of(Engine& engine, const Poll& poll, const Instance& instance,
                           const TopicPartition& place) {
  if (const auto found = instance.positions.find(place); found != instance.positions.end())
    return found->second;
  const auto committed = TRY(engine.committed(poll.group, place.first, place.second));
  const ChannelState state = TRY(engine.describe(place.first));
  const PartitionState& its = state.partitions[place.second];
  if (committed) return std::clamp(*committed, its.first, its.next);
  return instance.reset == Reset::earliest ? its.first : its.next;
}

// What is there for the instance now; moves its positions.
Result<Json> take(ConfluentService& service, const Poll& poll) {
  Engine& engine = service.events().engine();
  const std::lock_guard lock(service.mutex());
  Instance* instance = TRY(service.consumers().find(poll.group, poll.instance, poll.account,
                                                    service.host().clock().now()));
  const auto counts = TRY(counts_of(service, instance->subscription));
  const auto places = service.consumers().assignment(poll.group, poll.instance, counts);
  if (instance->auto_commit && !instance->uncommitted.empty()) {
    // What the poll before handed out: who asks again has dealt with it.
    std::vector<GroupOffset> offsets;
    for (const auto& [place, offset] : instance->uncommitted)
      offsets.push_back({place.first, place.second, offset});
    TRY(engine.commit(poll.group, offsets));
    instance->uncommitted.clear();
  }
  Json records = Json::array();
  std::size_t bytes = 0;
  for (const TopicPartition& place : places) {
    if (bytes >= poll.bytes_max) break;
    const Offset offset = TRY(position_of(engine, poll, *instance, place));
    const auto events =
        TRY(engine.read(place.first, place.second, offset, {.bytes_max = poll.bytes_max - bytes}));
    instance->positions[place] = offset;
    for (const StoredEvent& stored : events) {
      instance->positions[place] = stored.offset + 1;
      instance->uncommitted[place] = stored.offset + 1;
      if (place.first == kSystemChannel && !poll.audience.sees(stored)) continue;
      bytes += (stored.event.data ? stored.event.data->size() : 0) + stored.event.name.size() + 64;
      records.push_back(show_record(place.first, stored, poll.format));
    }
  }
  return records;
}

Result<Reply> get_records(ConfluentService& service, Call& call) {
  const std::int64_t timeout =
      TRY(call.request().query_int("timeout", kTimeoutDefaultMs, 0, kTimeoutMaxMs));
  const std::int64_t bytes = TRY(call.request().query_int("max_bytes", kBytesMax, 1, INT64_MAX));
  Poll poll{group_of(call),
            call.parameter("instance"),
            call.caller().account_id,
            Format::json,
            static_cast<std::size_t>(std::min(bytes, kBytesMax)),
            {}};
  std::set<std::string> topics;
  {
    const std::lock_guard lock(service.mutex());
    const Instance* instance = TRY(instance_of(service, call));
    poll.format = instance->format;
    TRY(check_accept(call.request().find_header("accept").value_or(""), poll.format));
    topics.insert(instance->subscription.begin(), instance->subscription.end());
    for (const auto& [topic, partition] : instance->assigned) topics.insert(topic);
  }
  // A right that was taken away ends reading, whenever the subscription was made.
  for (const std::string& topic : topics)
    TRY(service.events().check_right(call, topic, Need::read));
  if (topics.contains(kSystemChannel))
    poll.audience = TRY(Audience::of(service.events(), call, kSystemChannel));
  const std::string type(media_type(poll.format));
  const Json records = TRY(take(service, poll));
  if (!records.empty() || timeout == 0) return Reply::json(records).with("Content-Type", type);
  Followers::Wish wish;
  wish.channels = std::move(topics);
  wish.wait = std::chrono::milliseconds(timeout);
  wish.attempt = [&service, poll](bool is_last) -> Followers::Outcome {
    const auto found = take(service, poll);
    if (!found) return {refuse(found.error()).body, true};
    if (found->empty() && !is_last) return {};
    return {base::dump_json(*found), true};
  };
  Reply reply;
  reply.headers["Content-Type"] = type;
  reply.stream = TRY(service.events().followers().follow(std::move(wish)));
  return reply;
}

Result<Reply> list_brokers(ConfluentService&, Call&) {
  return answer({{"brokers", Json::array({0})}});
}

using rest::Method;

#define CONSUMER "/consumers/{group}/instances/{instance}"

constexpr ActionOptions<ConfluentService> kWorker{.flags = kOnWorker};
constexpr ActionOptions<ConfluentService> kConsumer{.flags = kBeside | kUngated | kUnaudited};
constexpr ActionOptions<ConfluentService> kRecords{
    .flags = kRawBody | kBeside | kUnaudited, .resolve = of_topic, .body_max = 8 << 20};

constexpr Action<ConfluentService> kActions[] = {
    {Method::get, "/topics", "event.channel.list", authenticated(), Kind::query,
     guarded<list_topics>, "Topics that the caller may use", replying(kWorker, reply::kNames)},
    {Method::get, "/topics/{topic}", "event.channel.view", authenticated(), Kind::query,
     guarded<get_topic>, "A topic", replying(kWorker, reply::kTopic)},
    {Method::post, "/topics/{topic}", "event.append", authenticated(), Kind::mutation,
     guarded<produce_to_topic>, "Produces records", replying(kRecords, reply::kProduced)},
    {Method::get, "/topics/{topic}/partitions", "event.channel.view", authenticated(), Kind::query,
     guarded<list_partitions>, "A topic's partitions", replying(kWorker, reply::kPartitions)},
    {Method::get, "/topics/{topic}/partitions/{partition}", "event.channel.view", authenticated(),
     Kind::query, guarded<get_partition>, "A partition", replying(kWorker, reply::kPartition)},
    {Method::post, "/topics/{topic}/partitions/{partition}", "event.append", authenticated(),
     Kind::mutation, guarded<produce_to_partition>, "Produces records to a partition",
     replying(kRecords, reply::kProduced)},
    {Method::get, "/topics/{topic}/partitions/{partition}/offsets", "event.channel.view",
     authenticated(), Kind::query, guarded<get_partition_offsets>,
     "Where a partition begins and ends", replying(kWorker, reply::kPartitionOffsets)},
    {Method::post, "/consumers/{group}", "event.consumer.create", authenticated(), Kind::mutation,
     guarded<create_consumer>, "Makes a consumer of a group",
     replying(kConsumer, reply::kInstance)},
    {Method::del, CONSUMER, "event.consumer.delete", authenticated(), Kind::mutation,
     guarded<delete_consumer>, "Ends a consumer", kConsumer},
    {Method::post, CONSUMER "/subscription", "event.consumer.subscribe", authenticated(),
     Kind::mutation, guarded<subscribe>, "Subscribes to topics", kConsumer},
    {Method::get, CONSUMER "/subscription", "event.consumer.view", authenticated(), Kind::query,
     guarded<get_subscription>, "What it has subscribed to",
     replying(kWorker, reply::kSubscription)},
    {Method::del, CONSUMER "/subscription", "event.consumer.unsubscribe", authenticated(),
     Kind::mutation, guarded<unsubscribe>, "Subscribes to nothing", kConsumer},
    {Method::post, CONSUMER "/assignments", "event.consumer.assign", authenticated(),
     Kind::mutation, guarded<assign>, "Reads these partitions", kConsumer},
    {Method::get, CONSUMER "/assignments", "event.consumer.view", authenticated(), Kind::query,
     guarded<get_assignment>, "The partitions that it reads",
     replying(kWorker, reply::kAssignment)},
    {Method::post, CONSUMER "/positions", "event.consumer.seek", authenticated(), Kind::mutation,
     guarded<seek>, "Reads on from these offsets", kConsumer},
    {Method::post, CONSUMER "/positions/beginning", "event.consumer.seek", authenticated(),
     Kind::mutation, guarded<seek_to_beginning>, "Reads on from the beginning", kConsumer},
    {Method::post, CONSUMER "/positions/end", "event.consumer.seek", authenticated(),
     Kind::mutation, guarded<seek_to_end>, "Reads on from the end", kConsumer},
    {Method::post, CONSUMER "/offsets", "event.commit", authenticated(), Kind::mutation,
     guarded<commit>, "Commits offsets", kConsumer},
    {Method::get, CONSUMER "/offsets", "event.offsets", authenticated(), Kind::query,
     guarded<get_committed>, "What the group has committed", replying(kWorker, reply::kCommitted)},
    {Method::get, CONSUMER "/records", "event.read", authenticated(), Kind::query,
     guarded<get_records>, "Records, as soon as there are some",
     replying(kWorker, reply::kRecords)},
    {Method::get, "/brokers", "event.brokers", authenticated(), Kind::query, guarded<list_brokers>,
     "The brokers, as far as clients need to know", replying(kWorker, reply::kBrokers)},
};

}  // namespace

void ConfluentService::actions(ActionTable& table) { table.add(kActions, *this); }

Result<void> ConfluentService::start(Host& host) {
  host_ = &host;
  events_ = dynamic_cast<EventService*>(host.find("event"));
  if (events_ != nullptr) return {};
  return Error{Code::failed_precondition, "the Kafka dialect needs the service 'event' beside it",
               "service_missing"};
}

Result<std::unique_ptr<Service>> make_confluent_service(const Json& config) {
  base::Fields fields(config);
  TRY(fields.finish(base::UnknownFields::refuse));
  return std::unique_ptr<Service>(std::make_unique<ConfluentService>());
}

}  // namespace services::event
