// SPDX-License-Identifier: Apache-2.0
// Consumer instances of the Confluent dialect: who is in which group, who reads which partition,
// and from where. In memory only: what a group has read is committed in the engine.
//
// Used by confluent.cc.
// 1. The partitions of a channel are dealt to the instances of a group that have subscribed to it,
// each to exactly one, evenly, and the same whatever the order in which they came.
// 2. An instance that has not asked for five minutes is gone, and its partitions go to the others.
// Threads: the owner's lock.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "services/event/event.h"

namespace services::event {

inline constexpr std::size_t kInstancesMax = 10'000;
inline constexpr base::Duration kInstanceIdle = std::chrono::minutes(5);

using TopicPartition = std::pair<std::string, std::uint32_t>;

enum class Format { json, binary };
enum class Reset { earliest, latest };

struct Instance {
  std::string id;
  std::string account_id;  // whose it is
  Format format = Format::json;
  Reset reset = Reset::earliest;
  bool auto_commit = true;
  base::Instant last_seen;
  std::vector<std::string> subscription;
  std::vector<TopicPartition> assigned;          // by hand, instead of a subscription
  std::map<TopicPartition, Offset> positions;    // that it reads next
  std::map<TopicPartition, Offset> uncommitted;  // handed out and not committed yet
};

class Consumers {
 public:
  // What create() would say. Errors: already_exists consumer_exists; failed_precondition
  // too_many_consumers.
  base::Result<void> check_new(const std::string& group, const Instance& instance,
                               base::Instant now);
  base::Result<Instance*> create(const std::string& group, Instance instance, base::Instant now);
  // Also notes that it was seen. Errors: not_found consumer_unknown: absent, idle for too long, or
  // somebody else's.
  base::Result<Instance*> find(const std::string& group, const std::string& id,
                               const std::string& account_id, base::Instant now);
  void remove(const std::string& group, const std::string& id);
  // What an instance reads now; `partitions` knows how many a channel has. Positions of partitions
  // that it reads no more are dropped.
  std::vector<TopicPartition> assignment(const std::string& group, const std::string& id,
                                         const std::map<std::string, std::uint32_t>& partitions);
  void expire(base::Instant now);
  std::size_t size() const { return count_; }

 private:
  std::map<std::string, std::map<std::string, Instance>> groups_;
  std::size_t count_ = 0;
};

}  // namespace services::event
