// SPDX-License-Identifier: Apache-2.0
// The embedded event log: channels as folders of segments on one disk.
//
// Used by the event service; the default engine. On the disk:
//   channels/NAME/channel      secret and options; the channel exists while this file does
//   channels/NAME/P/OFFSET.log segments of partition P (batch.h)
//   offsets/OFFSET.log         what groups committed (offsets.h)
// 1. A channel's partitions are opened, and their last segments looked through, when they are first
// used: the start costs one small file per channel.
// Threads: any.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "common/base/clock.h"
#include "common/base/disk.h"
#include "services/event/engine.h"
#include "services/event/offsets.h"
#include "services/event/partition.h"

namespace services::event {

struct SegmentEngineOptions {
  LogLimits log = {};
};

class SegmentEngine final : public Engine {
 public:
  // Requires: disk, clock and rng outlive it. Errors: those of the disk; corrupt event_log_corrupt.
  static base::Result<std::unique_ptr<SegmentEngine>> open(base::Disk& disk,
                                                           const base::Clock& clock, base::Rng& rng,
                                                           SegmentEngineOptions options = {});
  ~SegmentEngine() override;

  std::string_view name() const override { return "segment"; }
  base::Result<void> create_channel(const std::string& channel,
                                    const ChannelOptions& options) override;
  base::Result<void> remove_channel(const std::string& channel) override;
  base::Result<std::vector<std::string>> channels() override;
  base::Result<ChannelState> describe(const std::string& channel) override;
  base::Result<std::vector<Placed>> append(const std::string& channel,
                                           std::span<const Chosen> events) override;
  base::Result<std::vector<StoredEvent>> read(const std::string& channel, std::uint32_t partition,
                                              Offset offset, const ReadLimits& limits) override;
  base::Result<Offset> offset_at(const std::string& channel, std::uint32_t partition,
                                 base::WallTime time) override;
  base::Result<void> commit(const std::string& group,
                            std::span<const GroupOffset> offsets) override;
  base::Result<std::optional<Offset>> committed(const std::string& group,
                                                const std::string& channel,
                                                std::uint32_t partition) override;
  void tick() override;
  void on_append(std::function<void(const std::string& channel)> callback) override {
    on_append_ = std::move(callback);
  }
  // What of a channel is known to be unreadable, by partition.
  base::Result<std::vector<std::vector<Damage>>> damage(const std::string& channel);

 private:
  class Channel;
  using ChannelPointer = std::shared_ptr<Channel>;  // shared with the calls under way on it

  SegmentEngine(base::Disk& disk, const base::Clock& clock, base::Rng& rng,
                SegmentEngineOptions options);
  base::Result<void> load();
  base::Result<ChannelPointer> find(const std::string& channel);

  base::Disk& disk_;
  const base::Clock& clock_;
  base::Rng& rng_;
  const SegmentEngineOptions options_;
  std::unique_ptr<Offsets> offsets_;
  std::function<void(const std::string&)> on_append_;
  std::mutex mutex_;  // of what follows; held while channels are made and removed
  std::map<std::string, ChannelPointer, std::less<>> channels_;
};

}  // namespace services::event
