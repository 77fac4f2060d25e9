// SPDX-License-Identifier: Apache-2.0
// What goes through a channel: events, and what the engines say about channels.
//
// Used by the engines (engine.h), the routes and everybody who reads or writes events in process.
// 1. `id` names an event for good: the same id twice in a partition's last `dedupe_ids` events is
// one event.
// 2. Offsets of a partition grow by one per event, without gaps.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace services::event {

using Offset = std::uint64_t;

inline constexpr std::size_t kEventIdMax = 128;
inline constexpr std::size_t kEventNameMax = 255;
inline constexpr std::size_t kEventKeyMax = 4096;
inline constexpr std::size_t kEventDataMax = 1 << 20;
inline constexpr std::size_t kChannelNameMax = 200;
inline constexpr std::uint32_t kPartitionsMax = 64;
inline constexpr std::size_t kChannelsMax = 20'000;

struct Event {
  std::string id;
  std::string name;                      // task.dns.record.create.pending
  std::optional<std::string> key = {};   // events of one key stay in order
  std::optional<std::string> data = {};  // bytes; JSON text for native events
  friend bool operator==(const Event&, const Event&) = default;
};

struct StoredEvent {
  Event event;
  std::uint32_t partition = 0;
  Offset offset = 0;
  base::WallTime time;  // when it was stored; never falls within a partition
};

// Where an event went. `is_duplicate`: its id was there already, and this is where.
struct Placed {
  std::uint32_t partition = 0;
  Offset offset = 0;
  bool is_duplicate = false;
};

struct ChannelOptions {
  std::uint32_t partitions = 1;
  std::uint64_t retention_bytes = std::uint64_t{1} << 30;                // of each partition
  std::chrono::milliseconds retention_age = std::chrono::hours(24 * 7);  // 0: no limit
  friend bool operator==(const ChannelOptions&, const ChannelOptions&) = default;
};

struct PartitionState {
  Offset first = 0;  // the oldest event that is kept
  Offset next = 0;   // that the next event gets
};

struct ChannelState {
  std::string name;
  ChannelOptions options;
  std::vector<PartitionState> partitions;
};

// Letters, digits, '.', '_', '-', not only dots. Errors: invalid_argument channel_name_invalid.
base::Result<void> check_channel_name(std::string_view name);
// Errors: invalid_argument event_invalid, too_large event_too_large.
base::Result<void> check_event(const Event& event);
// The partition that an event goes to when nobody chose one: by key, else by id.
std::uint32_t choose_partition(const Event& event, std::uint32_t partitions);

}  // namespace services::event
