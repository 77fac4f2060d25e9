// SPDX-License-Identifier: Apache-2.0
// Kafka through librdkafka: the only place that includes its header.
//
// Used by kafka_engine.cc.
// 1. What produce() returned is acknowledged by all replicas in sync (acks=all, idempotent).
// 2. An event's id and name are the headers "gestalt-id" and "gestalt-name"; a message of somebody
// else has neither and gets "topic/partition/offset" as its id.
// 3. Each call has a deadline of kKafkaDeadline.
// Threads: any; reads wait for each other. Source: librdkafka 2.0.2, rdkafka.h.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "services/event/engine.h"

namespace services::event {

inline constexpr std::chrono::milliseconds kKafkaDeadline = std::chrono::seconds(10);

// Errors of all: unavailable kafka_unreachable; timed_out kafka_timed_out; permission_denied
// kafka_refused; not_found channel_unknown, partition_unknown; internal kafka_failed.
class KafkaClient {
 public:
  // `brokers`: "host:port,…". Does not connect yet. Errors: invalid_argument kafka_config_invalid.
  static base::Result<std::unique_ptr<KafkaClient>> make(const std::string& brokers,
                                                         const base::Clock& clock);
  ~KafkaClient();
  KafkaClient(const KafkaClient&) = delete;
  KafkaClient& operator=(const KafkaClient&) = delete;

  // Name and number of partitions.
  base::Result<std::map<std::string, std::uint32_t>> topics();
  // Also: already_exists channel_exists; unsupported.
  base::Result<void> create_topic(const std::string& topic, const ChannelOptions& options);
  base::Result<void> delete_topic(const std::string& topic);
  // In this order, to one partition. The offset of the first event; the others follow it.
  base::Result<std::vector<Offset>> produce(const std::string& topic, std::uint32_t partition,
                                            std::span<const Event* const> events);
  // The first offset that is kept and the one behind the last.
  base::Result<std::pair<Offset, Offset>> bounds(const std::string& topic, std::uint32_t partition);
  // Requires: offset < end <= bounds().second. At least one event.
  base::Result<std::vector<StoredEvent>> fetch(const std::string& topic, std::uint32_t partition,
                                               Offset offset, Offset end, const ReadLimits& limits);
  // nullopt: the broker knows none at that time or later.
  base::Result<std::optional<Offset>> offset_at(const std::string& topic, std::uint32_t partition,
                                                base::WallTime time);
  base::Result<void> commit(const std::string& group, std::span<const GroupOffset> offsets);
  base::Result<std::optional<Offset>> committed(const std::string& group, const std::string& topic,
                                                std::uint32_t partition);

 private:
  struct State;
  explicit KafkaClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace services::event
