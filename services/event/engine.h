// SPDX-License-Identifier: Apache-2.0
// The log behind channels, as an interface.
//
// Used by the event service; engines: segment (segment_engine.h, default) and Kafka
// (kafka_engine.h). One conformance suite (tests/contract/event_suite.h) covers both.
// 1. An event whose append() returned is durable; events of a partition are read in the order of
// their offsets.
// 2. An id that a partition holds among its last events is not stored again: append() says where it
// is.
// 3. What is damaged is reported, never served.
// 4. A group's committed offsets survive restarts.
// Threads: any. All calls block.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/event/event.h"

namespace services::event {

struct ReadLimits {
  std::size_t events_max = 1000;
  std::size_t bytes_max = 4 << 20;  // at least one event is returned, whatever its size
};

struct Chosen {
  Event event;
  std::optional<std::uint32_t> partition = {};  // nullopt: choose_partition()
};

struct GroupOffset {
  std::string channel;
  std::uint32_t partition = 0;
  Offset offset = 0;  // that the group reads next
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const = 0;

  // Errors: already_exists channel_exists; invalid_argument channel_name_invalid, channel_invalid;
  // failed_precondition too_many_channels; unsupported.
  virtual base::Result<void> create_channel(const std::string& channel,
                                            const ChannelOptions& options) = 0;
  // With all its events. Errors: not_found channel_unknown; unsupported.
  virtual base::Result<void> remove_channel(const std::string& channel) = 0;
  virtual base::Result<std::vector<std::string>> channels() = 0;  // sorted
  // Errors: not_found channel_unknown.
  virtual base::Result<ChannelState> describe(const std::string& channel) = 0;

  // All or, after an error, any prefix of a partition's events is stored. Errors: not_found
  // channel_unknown, partition_unknown; invalid_argument event_invalid; too_large; no_space;
  // unavailable event_log_failed.
  virtual base::Result<std::vector<Placed>> append(const std::string& channel,
                                                   std::span<const Chosen> events) = 0;
  // Events from `offset` on; none when there are none yet. Errors: not_found channel_unknown,
  // partition_unknown, offset_trimmed (older than what is kept); invalid_argument
  // offset_beyond_end; corrupt event_damaged: the detail says where reading can go on.
  virtual base::Result<std::vector<StoredEvent>> read(const std::string& channel,
                                                      std::uint32_t partition, Offset offset,
                                                      const ReadLimits& limits) = 0;
  // Of the first event stored at `time` or later; the next offset when there is none.
  virtual base::Result<Offset> offset_at(const std::string& channel, std::uint32_t partition,
                                         base::WallTime time) = 0;

  virtual base::Result<void> commit(const std::string& group,
                                    std::span<const GroupOffset> offsets) = 0;
  // nullopt: the group never committed there.
  virtual base::Result<std::optional<Offset>> committed(const std::string& group,
                                                        const std::string& channel,
                                                        std::uint32_t partition) = 0;

  // Once a second by the owner: retention, and what an engine does when it is idle.
  virtual void tick() = 0;
  // Called after events became durable, from the thread that appended them, or from another of the
  // engine's. Set once, before use; must not block.
  virtual void on_append(std::function<void(const std::string& channel)> callback) = 0;
};

}  // namespace services::event
