// SPDX-License-Identifier: Apache-2.0
#include "services/event/kafka_client.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "common/sys/handle.h"

namespace services::event {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr int kDeadlineMs = static_cast<int>(kKafkaDeadline.count());
constexpr std::size_t kGroupHandlesMax = 32;
constexpr std::size_t kErrorTextMax = 512;
constexpr const char* kIdHeader = "gestalt-id";
constexpr const char* kNameHeader = "gestalt-name";

using Handle = sys::Handle<rd_kafka_t, rd_kafka_destroy>;
using Conf = sys::Handle<rd_kafka_conf_t, rd_kafka_conf_destroy>;
using Partitions =
    sys::Handle<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;
using Queue = sys::Handle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using KafkaEvent = sys::Handle<rd_kafka_event_t, rd_kafka_event_destroy>;
using Message = sys::Handle<rd_kafka_message_t, rd_kafka_message_destroy>;
using NewTopic = sys::Handle<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using DeleteTopic = sys::Handle<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy>;

Error error_of(rd_kafka_resp_err_t code, const std::string& what) {
  const std::string detail = what + ": " + rd_kafka_err2str(code);
  switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
      return {Code::unavailable, detail, "kafka_unreachable"};
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT: return {Code::timed_out, detail, "kafka_timed_out"};
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return {Code::not_found, detail, "channel_unknown"};
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return {Code::not_found, detail, "partition_unknown"};
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
      return {Code::already_exists, detail, "channel_exists"};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return {Code::permission_denied, detail, "kafka_refused"};
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return {Code::too_large, detail, "event_too_large"};
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE: return {Code::unsupported, detail, "kafka_failed"};
    default: return {Code::internal, detail, "kafka_failed"};
  }
}

Result<void> check(rd_kafka_resp_err_t code, const std::string& what) {
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return error_of(code, what);
}

Result<void> set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
  char text[kErrorTextMax];
  if (rd_kafka_conf_set(conf, name, value.c_str(), text, sizeof text) == RD_KAFKA_CONF_OK)
    return {};
  return Error{Code::invalid_argument, text, "kafka_config_invalid"};
}

// What a batch waits for. Lives on the stack of produce(), which outlasts every report.
struct Batch {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t left = 0;
  rd_kafka_resp_err_t failed = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::vector<Offset> offsets;
};
struct Waiting {
  Batch* batch;
  std::size_t index;
};

// Runs on whatever thread polls the producer.
void report(rd_kafka_t*, const rd_kafka_message_t* message, void*) noexcept {
  const std::unique_ptr<Waiting> waiting(static_cast<Waiting*>(message->_private));
  const std::lock_guard lock(waiting->batch->mutex);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) waiting->batch->failed = message->err;
  waiting->batch->offsets[waiting->index] = static_cast<Offset>(message->offset);
  --waiting->batch->left;
  waiting->batch->changed.notify_all();
}

std::optional<std::string> header(const rd_kafka_message_t& message, const char* name) {
  rd_kafka_headers_t* headers = nullptr;  // the message's
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return std::nullopt;
  return std::string(static_cast<const char*>(value), size);
}

StoredEvent read_message(const rd_kafka_message_t& message, const std::string& topic) {
  StoredEvent stored;
  stored.partition = static_cast<std::uint32_t>(message.partition);
  stored.offset = static_cast<Offset>(message.offset);
  stored.time = base::WallTime(std::chrono::milliseconds(
      std::max<std::int64_t>(0, rd_kafka_message_timestamp(&message, nullptr))));
  stored.event.id = header(message, kIdHeader)
                        .value_or(topic + "/" + std::to_string(message.partition) + "/" +
                                  std::to_string(message.offset));
  stored.event.name = header(message, kNameHeader).value_or("");
  if (message.key != nullptr)
    stored.event.key = std::string(static_cast<const char*>(message.key), message.key_len);
  if (message.payload != nullptr)
    stored.event.data = std::string(static_cast<const char*>(message.payload), message.len);
  return stored;
}

Partitions one_partition(const std::string& topic, std::uint32_t partition, std::int64_t offset) {
  Partitions list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), static_cast<std::int32_t>(partition))
      ->offset = offset;
  return list;
}

}  // namespace

struct KafkaClient::State {
  std::string brokers;
  const base::Clock* clock = nullptr;
  Handle producer;
  std::mutex reading;
  Handle reader;  // under `reading`
  std::mutex grouping;
  std::map<std::string, Handle> groups;  // under `grouping`

  Result<Handle> open(rd_kafka_type_t kind, const std::string& group) const {
    Conf conf(rd_kafka_conf_new());
    TRY(set(conf.get(), "bootstrap.servers", brokers));
    TRY(set(conf.get(), "client.id", "gestalt-event"));
    TRY(set(conf.get(), "log_level", "3"));
    if (kind == RD_KAFKA_PRODUCER) {
      TRY(set(conf.get(), "enable.idempotence", "true"));
      TRY(set(conf.get(), "message.timeout.ms", std::to_string(kDeadlineMs)));
      TRY(set(conf.get(), "linger.ms", "0"));
      TRY(set(conf.get(), "message.max.bytes", std::to_string(2 * kEventDataMax)));
      rd_kafka_conf_set_dr_msg_cb(conf.get(), report);
    } else {
      TRY(set(conf.get(), "group.id", group));
      TRY(set(conf.get(), "enable.auto.commit", "false"));
      TRY(set(conf.get(), "auto.offset.reset", "error"));
      TRY(set(conf.get(), "isolation.level", "read_committed"));
      TRY(set(conf.get(), "fetch.wait.max.ms", "100"));
    }
    char text[kErrorTextMax];
    Handle made(rd_kafka_new(kind, conf.get(), text, sizeof text));
    if (!made) return Error{Code::invalid_argument, text, "kafka_config_invalid"};
    (void)conf.release();  // the handle's now
    return made;
  }

  // The handle through which a group's offsets go. Requires: `grouping` is held.
  Result<rd_kafka_t*> of_group(const std::string& group) {
    const auto found = groups.find(group);
    if (found != groups.end()) return found->second.get();
    if (groups.size() >= kGroupHandlesMax) groups.erase(groups.begin());
    Handle made = TRY(open(RD_KAFKA_CONSUMER, group));
    return groups.emplace(group, std::move(made)).first->second.get();
  }
};

KafkaClient::KafkaClient(std::unique_ptr<State> state) : state_(std::move(state)) {}

KafkaClient::~KafkaClient() = default;

Result<std::unique_ptr<KafkaClient>> KafkaClient::make(const std::string& brokers,
                                                       const base::Clock& clock) {
  auto state = std::make_unique<State>();
  state->brokers = brokers;
  state->clock = &clock;
  state->producer = TRY(state->open(RD_KAFKA_PRODUCER, ""));
  state->reader = TRY(state->open(RD_KAFKA_CONSUMER, "gestalt-reader"));
  return std::unique_ptr<KafkaClient>(new KafkaClient(std::move(state)));
}

Result<std::map<std::string, std::uint32_t>> KafkaClient::topics() {
  const rd_kafka_metadata_t* raw = nullptr;
  TRY(check(rd_kafka_metadata(state_->producer.get(), 1, nullptr, &raw, kDeadlineMs),
            "listing topics"));
  const sys::Handle<const rd_kafka_metadata_t, rd_kafka_metadata_destroy> metadata(raw);
  std::map<std::string, std::uint32_t> topics;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR)
      topics[topic.topic] = static_cast<std::uint32_t>(topic.partition_cnt);
  }
  return topics;
}

namespace {

// The one result of an administrative call.
template <class Start>
Result<void> administer(rd_kafka_t* handle, const std::string& what, const Start& start) {
  const Queue queue(rd_kafka_queue_new(handle));
  start(queue.get());
  const KafkaEvent event(rd_kafka_queue_poll(queue.get(), kDeadlineMs));
  if (!event) return error_of(RD_KAFKA_RESP_ERR__TIMED_OUT, what);
  TRY(check(rd_kafka_event_error(event.get()), what));
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results = nullptr;
  if (const auto* created = rd_kafka_event_CreateTopics_result(event.get()))
    results = rd_kafka_CreateTopics_result_topics(created, &count);
  else if (const auto* deleted = rd_kafka_event_DeleteTopics_result(event.get()))
    results = rd_kafka_DeleteTopics_result_topics(deleted, &count);
  for (std::size_t i = 0; i < count; ++i) TRY(check(rd_kafka_topic_result_error(results[i]), what));
  return {};
}

}  // namespace

Result<void> KafkaClient::create_topic(const std::string& topic, const ChannelOptions& options) {
  char text[kErrorTextMax];
  const NewTopic wanted(rd_kafka_NewTopic_new(topic.c_str(), static_cast<int>(options.partitions),
                                              -1, text, sizeof text));
  if (!wanted) return Error{Code::invalid_argument, text, "channel_invalid"};
  const std::string age =
      std::to_string(options.retention_age.count() == 0 ? -1 : options.retention_age.count());
  TRY(check(rd_kafka_NewTopic_set_config(wanted.get(), "retention.ms", age.c_str()), "retention"));
  const std::string bytes = std::to_string(options.retention_bytes);
  TRY(check(rd_kafka_NewTopic_set_config(wanted.get(), "retention.bytes", bytes.c_str()),
            "retention"));
  rd_kafka_NewTopic_t* list = wanted.get();
  return administer(state_->producer.get(), "making " + topic, [&](rd_kafka_queue_t* queue) {
    rd_kafka_CreateTopics(state_->producer.get(), &list, 1, nullptr, queue);
  });
}

Result<void> KafkaClient::delete_topic(const std::string& topic) {
  const DeleteTopic wanted(rd_kafka_DeleteTopic_new(topic.c_str()));
  rd_kafka_DeleteTopic_t* list = wanted.get();
  return administer(state_->producer.get(), "removing " + topic, [&](rd_kafka_queue_t* queue) {
    rd_kafka_DeleteTopics(state_->producer.get(), &list, 1, nullptr, queue);
  });
}

Result<std::vector<Offset>> KafkaClient::produce(const std::string& topic, std::uint32_t partition,
                                                 std::span<const Event* const> events) {
  Batch batch;
  batch.offsets.resize(events.size());
  const std::int64_t now = state_->clock->wall().time_since_epoch().count();
  rd_kafka_resp_err_t refused = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (std::size_t i = 0; i < events.size() && refused == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    const Event& event = *events[i];
    auto waiting = std::make_unique<Waiting>(Waiting{&batch, i});
    {
      const std::lock_guard lock(batch.mutex);
      ++batch.left;
    }
    // The library copies both; its macro has no const.
    auto* const key = event.key ? const_cast<char*>(event.key->data()) : nullptr;
    const std::size_t key_size = event.key ? event.key->size() : 0;
    auto* const value = event.data ? const_cast<char*>(event.data->data()) : nullptr;
    const std::size_t value_size = event.data ? event.data->size() : 0;
    refused = rd_kafka_producev(
        state_->producer.get(), RD_KAFKA_V_TOPIC(topic.c_str()),
        RD_KAFKA_V_PARTITION(static_cast<std::int32_t>(partition)),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(now),
        RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE(value, value_size),
        RD_KAFKA_V_HEADER(kIdHeader, event.id.data(), static_cast<ssize_t>(event.id.size())),
        RD_KAFKA_V_HEADER(kNameHeader, event.name.data(), static_cast<ssize_t>(event.name.size())),
        RD_KAFKA_V_OPAQUE(waiting.get()), RD_KAFKA_V_END);
    if (refused == RD_KAFKA_RESP_ERR_NO_ERROR) {
      (void)waiting.release();  // report() has it now
    } else {
      const std::lock_guard lock(batch.mutex);
      --batch.left;
    }
  }
  // Every message is reported, at the latest when its time is over.
  std::unique_lock lock(batch.mutex);
  while (batch.left > 0) {
    lock.unlock();
    rd_kafka_poll(state_->producer.get(), 100);
    lock.lock();
  }
  TRY(check(refused, "producing to " + topic));
  TRY(check(batch.failed, "producing to " + topic));
  return std::move(batch.offsets);
}

Result<std::pair<Offset, Offset>> KafkaClient::bounds(const std::string& topic,
                                                      std::uint32_t partition) {
  std::int64_t low = 0;
  std::int64_t high = 0;
  TRY(check(rd_kafka_query_watermark_offsets(state_->producer.get(), topic.c_str(),
                                             static_cast<std::int32_t>(partition), &low, &high,
                                             kDeadlineMs),
            "looking at " + topic));
  return std::pair(static_cast<Offset>(low), static_cast<Offset>(high));
}

Result<std::vector<StoredEvent>> KafkaClient::fetch(const std::string& topic,
                                                    std::uint32_t partition, Offset offset,
                                                    Offset end, const ReadLimits& limits) {
  const std::lock_guard lock(state_->reading);
  const Partitions from = one_partition(topic, partition, static_cast<std::int64_t>(offset));
  TRY(check(rd_kafka_assign(state_->reader.get(), from.get()), "reading " + topic));
  std::vector<StoredEvent> events;
  std::size_t bytes = 0;
  rd_kafka_resp_err_t failed = RD_KAFKA_RESP_ERR_NO_ERROR;
  while (offset < end && events.size() < std::max<std::size_t>(limits.events_max, 1)) {
    const Message message(rd_kafka_consumer_poll(state_->reader.get(), kDeadlineMs));
    if (!message) failed = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (message) failed = message->err;
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) break;
    bytes += message->len + message->key_len;
    if (!events.empty() && bytes > limits.bytes_max) break;
    events.push_back(read_message(*message, topic));
    offset = events.back().offset + 1;
  }
  TRY(check(rd_kafka_assign(state_->reader.get(), nullptr), "reading " + topic));
  if (events.empty()) TRY(check(failed, "reading " + topic));
  return events;
}

Result<std::optional<Offset>> KafkaClient::offset_at(const std::string& topic,
                                                     std::uint32_t partition, base::WallTime time) {
  const Partitions wanted = one_partition(topic, partition, time.time_since_epoch().count());
  TRY(check(rd_kafka_offsets_for_times(state_->producer.get(), wanted.get(), kDeadlineMs),
            "finding a time in " + topic));
  TRY(check(wanted->elems[0].err, "finding a time in " + topic));
  if (wanted->elems[0].offset < 0) return std::optional<Offset>();
  return std::optional(static_cast<Offset>(wanted->elems[0].offset));
}

Result<void> KafkaClient::commit(const std::string& group, std::span<const GroupOffset> offsets) {
  const Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const GroupOffset& each : offsets)
    rd_kafka_topic_partition_list_add(list.get(), each.channel.c_str(),
                                      static_cast<std::int32_t>(each.partition))
        ->offset = static_cast<std::int64_t>(each.offset);
  const std::lock_guard lock(state_->grouping);
  rd_kafka_t* handle = TRY(state_->of_group(group));
  return check(rd_kafka_commit(handle, list.get(), 0), "committing of " + group);
}

Result<std::optional<Offset>> KafkaClient::committed(const std::string& group,
                                                     const std::string& topic,
                                                     std::uint32_t partition) {
  const Partitions list = one_partition(topic, partition, RD_KAFKA_OFFSET_INVALID);
  const std::lock_guard lock(state_->grouping);
  rd_kafka_t* handle = TRY(state_->of_group(group));
  TRY(check(rd_kafka_committed(handle, list.get(), kDeadlineMs), "looking at " + group));
  TRY(check(list->elems[0].err, "looking at " + group));
  if (list->elems[0].offset < 0) return std::optional<Offset>();
  return std::optional(static_cast<Offset>(list->elems[0].offset));
}

}  // namespace services::event
