// SPDX-License-Identifier: Apache-2.0
#include "services/event/kafka_engine.h"

#include <algorithm>

#include "common/base/log.h"

namespace services::event {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr base::Duration kWatchedFor = std::chrono::minutes(2);
constexpr Offset kRecentRead = 4096;

}  // namespace

KafkaEngine::KafkaEngine(std::unique_ptr<KafkaClient> client, const base::Clock& clock,
                         TopicMaker maker)
    : client_(std::move(client)), clock_(clock), make_topic_(std::move(maker)) {}

Result<std::unique_ptr<KafkaEngine>> KafkaEngine::make(const std::string& brokers,
                                                       const base::Clock& clock,
                                                       TopicMaker topic_maker) {
  auto client = TRY(KafkaClient::make(brokers, clock));
  if (!topic_maker) {
    topic_maker = [its = client.get()](const std::string& topic, const ChannelOptions& options) {
      return its->create_topic(topic, options);
    };
  }
  return std::unique_ptr<KafkaEngine>(
      new KafkaEngine(std::move(client), clock, std::move(topic_maker)));
}

Result<std::uint32_t> KafkaEngine::partitions_of(const std::string& channel) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(channel); found != known_.end()) return found->second;
  }
  auto topics = TRY(client_->topics());
  const std::lock_guard lock(mutex_);
  known_ = std::move(topics);
  if (const auto found = known_.find(channel); found != known_.end()) return found->second;
  return Error{Code::not_found, "there is no channel " + channel, "channel_unknown"};
}

Result<void> KafkaEngine::check_place(const std::string& channel, std::uint32_t partition) {
  const std::uint32_t count = TRY(partitions_of(channel));
  if (partition < count) return {};
  return Error{Code::not_found, channel + " has " + std::to_string(count) + " partitions",
               "partition_unknown"};
}

KafkaEngine::Partition& KafkaEngine::at(const std::string& channel, std::uint32_t partition) {
  const std::lock_guard lock(mutex_);
  auto& its = partitions_[{channel, partition}];
  if (!its) its = std::make_unique<Partition>();
  return *its;
}

Result<void> KafkaEngine::create_channel(const std::string& channel,
                                         const ChannelOptions& options) {
  TRY(check_channel_name(channel));
  if (options.partitions < 1 || options.partitions > kPartitionsMax)
    return Error{Code::invalid_argument, "a channel has 1 to 64 partitions", "channel_invalid"};
  const auto topics = TRY(client_->topics());
  if (topics.contains(channel))
    return Error{Code::already_exists, "there is a channel " + channel, "channel_exists"};
  return make_topic_(channel, options);
}

Result<void> KafkaEngine::remove_channel(const std::string& channel) {
  TRY(partitions_of(channel));
  TRY(client_->delete_topic(channel));
  const std::lock_guard lock(mutex_);
  known_.erase(channel);
  return {};
}

Result<std::vector<std::string>> KafkaEngine::channels() {
  std::vector<std::string> names;
  for (const auto& [name, count] : TRY(client_->topics()))
    if (!name.starts_with("__")) names.push_back(name);
  return names;
}

Result<ChannelState> KafkaEngine::describe(const std::string& channel) {
  ChannelState state{channel, {}, {}};
  state.options.partitions = TRY(partitions_of(channel));
  for (std::uint32_t i = 0; i < state.options.partitions; ++i) {
    const auto [first, next] = TRY(client_->bounds(channel, i));
    state.partitions.push_back({first, next});
  }
  return state;
}

Result<void> KafkaEngine::load_recent(const std::string& channel, std::uint32_t partition,
                                      Partition& its) {
  if (its.is_loaded) return {};
  const auto [first, end] = TRY(client_->bounds(channel, partition));
  Offset offset = end - std::min(end - first, kRecentRead);
  while (offset < end) {
    const auto events = TRY(client_->fetch(channel, partition, offset, end, {}));
    for (const StoredEvent& stored : events) its.recent.add(stored.event.id, stored.offset);
    if (events.empty()) break;
    offset = events.back().offset + 1;
  }
  its.is_loaded = true;
  return {};
}

Result<std::vector<Placed>> KafkaEngine::append_to(const std::string& channel,
                                                   std::uint32_t partition,
                                                   const std::vector<const Event*>& events) {
  Partition& its = at(channel, partition);
  const std::lock_guard lock(its.appending);
  TRY(load_recent(channel, partition, its));
  std::vector<const Event*> fresh;
  std::map<std::string_view, std::size_t> place_of;  // in `fresh`
  for (const Event* event : events)
    if (!its.recent.find(event->id) && place_of.emplace(event->id, fresh.size()).second)
      fresh.push_back(event);
  const auto offsets = TRY(client_->produce(channel, partition, fresh));
  std::vector<Placed> placed;
  for (const Event* event : events) {
    if (const auto known = its.recent.find(event->id)) {
      placed.push_back({partition, *known, true});
      continue;
    }
    const Offset offset = offsets[place_of.at(event->id)];
    placed.push_back({partition, offset, false});
    its.recent.add(event->id, offset);
  }
  return placed;
}

Result<std::vector<Placed>> KafkaEngine::append(const std::string& channel,
                                                std::span<const Chosen> events) {
  const std::uint32_t partitions = TRY(partitions_of(channel));
  std::map<std::uint32_t, std::vector<std::size_t>> by_partition;
  for (std::size_t i = 0; i < events.size(); ++i) {
    TRY(check_event(events[i].event));
    const std::uint32_t partition =
        events[i].partition.value_or(choose_partition(events[i].event, partitions));
    TRY(check_place(channel, partition));
    by_partition[partition].push_back(i);
  }
  std::vector<Placed> placed(events.size());
  for (const auto& [number, indexes] : by_partition) {
    std::vector<const Event*> its;
    for (const std::size_t i : indexes) its.push_back(&events[i].event);
    const std::vector<Placed> where = TRY(append_to(channel, number, its));
    for (std::size_t i = 0; i < indexes.size(); ++i) placed[indexes[i]] = where[i];
  }
  if (on_append_ && !events.empty()) on_append_(channel);
  return placed;
}

Result<std::vector<StoredEvent>> KafkaEngine::read(const std::string& channel,
                                                   std::uint32_t partition, Offset offset,
                                                   const ReadLimits& limits) {
  TRY(check_place(channel, partition));
  const auto [first, end] = TRY(client_->bounds(channel, partition));
  Partition& its = at(channel, partition);
  {
    const std::lock_guard lock(mutex_);
    its.last_read = clock_.now();
    its.seen_end = std::max(its.seen_end, end);
  }
  if (offset < first)
    return Error{Code::not_found, "events before " + std::to_string(first) + " are kept no longer",
                 "offset_trimmed"};
  if (offset > end)
    return Error{Code::invalid_argument, "the partition ends at " + std::to_string(end),
                 "offset_beyond_end"};
  if (offset == end) return std::vector<StoredEvent>();
  return client_->fetch(channel, partition, offset, end, limits);
}

Result<Offset> KafkaEngine::offset_at(const std::string& channel, std::uint32_t partition,
                                      base::WallTime time) {
  TRY(check_place(channel, partition));
  auto [first, end] = TRY(client_->bounds(channel, partition));
  const auto known = TRY(client_->offset_at(channel, partition, time));
  if (known) return std::clamp(*known, first, end);
  // The broker knows none: either there is none, or it cannot look times up. The times of a
  // partition that only we write grow with its offsets.
  while (first < end) {
    const Offset middle = first + (end - first) / 2;
    const auto events = TRY(client_->fetch(channel, partition, middle, end, {.events_max = 1}));
    if (events.empty()) break;
    if (events.front().time >= time) {
      end = middle;
    } else {
      first = events.front().offset + 1;
    }
  }
  return end;
}

Result<void> KafkaEngine::commit(const std::string& group, std::span<const GroupOffset> offsets) {
  if (group.empty() || group.size() > 255)
    return Error{Code::invalid_argument, "a group's name is 1 to 255 bytes of text",
                 "group_invalid"};
  for (const GroupOffset& each : offsets) TRY(check_place(each.channel, each.partition));
  return client_->commit(group, offsets);
}

Result<std::optional<Offset>> KafkaEngine::committed(const std::string& group,
                                                     const std::string& channel,
                                                     std::uint32_t partition) {
  TRY(check_place(channel, partition));
  return client_->committed(group, channel, partition);
}

void KafkaEngine::tick() {
  if (!on_append_) return;
  std::vector<Place> watched;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [place, its] : partitions_)
      if (its->last_read.since_boot.count() != 0 && clock_.now() - its->last_read < kWatchedFor)
        watched.push_back(place);
  }
  for (const auto& [channel, partition] : watched) {
    const auto bounds = client_->bounds(channel, partition);
    // A cluster that is away says so to whoever reads; this only wakes those who wait.
    if (!bounds) continue;
    bool has_grown = false;
    {
      const std::lock_guard lock(mutex_);
      Partition& its = *partitions_.at({channel, partition});
      has_grown = bounds->second > its.seen_end;
      its.seen_end = std::max(its.seen_end, bounds->second);
    }
    if (has_grown) on_append_(channel);
  }
}

}  // namespace services::event
