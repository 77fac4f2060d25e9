// SPDX-License-Identifier: Apache-2.0
#include "services/event/consumers.h"

#include <algorithm>

namespace services::event {

using base::Code;
using base::Error;
using base::Result;

Result<void> Consumers::check_new(const std::string& group, const Instance& instance,
                                  base::Instant now) {
  expire(now);
  if (count_ >= kInstancesMax)
    return Error{Code::failed_precondition, "there are 10000 consumers", "too_many_consumers"};
  const auto members = groups_.find(group);
  if (members == groups_.end() || !members->second.contains(instance.id)) return {};
  return Error{Code::already_exists, "the group has a consumer of this name", "consumer_exists"};
}

Result<Instance*> Consumers::create(const std::string& group, Instance instance,
                                    base::Instant now) {
  TRY(check_new(group, instance, now));
  instance.last_seen = now;
  const std::string id = instance.id;
  ++count_;
  return &groups_[group].emplace(id, std::move(instance)).first->second;
}

Result<Instance*> Consumers::find(const std::string& group, const std::string& id,
                                  const std::string& account_id, base::Instant now) {
  expire(now);
  const auto members = groups_.find(group);
  if (members != groups_.end()) {
    const auto found = members->second.find(id);
    if (found != members->second.end() && found->second.account_id == account_id) {
      found->second.last_seen = now;
      return &found->second;
    }
  }
  return Error{Code::not_found, "Consumer instance not found.", "consumer_unknown"};
}

void Consumers::remove(const std::string& group, const std::string& id) {
  const auto members = groups_.find(group);
  if (members == groups_.end()) return;
  count_ -= members->second.erase(id);
  if (members->second.empty()) groups_.erase(members);
}

std::vector<TopicPartition> Consumers::assignment(
    const std::string& group, const std::string& id,
    const std::map<std::string, std::uint32_t>& partitions) {
  const auto members = groups_.find(group);
  if (members == groups_.end() || !members->second.contains(id)) return {};
  Instance& mine = members->second.at(id);
  std::vector<TopicPartition> result = mine.assigned;
  for (const std::string& channel : mine.subscription) {
    const auto count = partitions.find(channel);
    if (count == partitions.end()) continue;
    std::size_t place = 0;
    std::size_t sharing = 0;
    for (const auto& [other, instance] : members->second) {
      const auto& theirs = instance.subscription;
      if (std::find(theirs.begin(), theirs.end(), channel) == theirs.end()) continue;
      if (other == id) place = sharing;
      ++sharing;
    }
    for (std::uint32_t i = 0; i < count->second; ++i)
      if (i % sharing == place) result.emplace_back(channel, i);
  }
  const auto is_foreign = [&result](const auto& entry) {
    return std::find(result.begin(), result.end(), entry.first) == result.end();
  };
  std::erase_if(mine.positions, is_foreign);
  std::erase_if(mine.uncommitted, is_foreign);
  return result;
}

void Consumers::expire(base::Instant now) {
  for (auto members = groups_.begin(); members != groups_.end();) {
    count_ -= std::erase_if(members->second, [now](const auto& entry) {
      return now - entry.second.last_seen >= kInstanceIdle;
    });
    members = members->second.empty() ? groups_.erase(members) : std::next(members);
  }
}

}  // namespace services::event
