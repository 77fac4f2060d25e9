// SPDX-License-Identifier: Apache-2.0
// What consumer groups have committed, in a small log of its own.
//
// Used by segment_engine.cc. A commit is an event of an internal partition; a start reads them all
// and keeps the last of each place. Once most of the log is out of date, the live ones are written
// again and what is before them is released.
// 1. A commit that returned is durable.
// 2. At most kCommitsMax places are kept.
// Threads: any. Lock order: compacting_, mutex_.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <tuple>

#include "services/event/partition.h"

namespace services::event {

inline constexpr std::size_t kCommitsMax = 100'000;
inline constexpr std::size_t kGroupNameMax = 255;

class Offsets {
 public:
  // Makes the folder when it is absent. Errors: those of the disk; corrupt event_log_corrupt.
  static base::Result<std::unique_ptr<Offsets>> open(base::Disk& disk, const base::Clock& clock,
                                                     const std::string& folder);
  // Errors: invalid_argument group_invalid; failed_precondition too_many_commits; those of
  // append().
  base::Result<void> commit(const std::string& group, std::span<const GroupOffset> offsets);
  std::optional<Offset> find(const std::string& group, const std::string& channel,
                             std::uint32_t partition);
  void forget_channel(const std::string& channel);
  void tick();

 private:
  using Place = std::tuple<std::string, std::string, std::uint32_t>;  // group, channel, partition
  struct Commit {
    Offset offset = 0;
    Offset written_at = 0;  // in the log: of two commits of a place, the later one counts
  };
  explicit Offsets(std::unique_ptr<Partition> log) : log_(std::move(log)) {}
  base::Result<void> load();
  // Sets each commit's place in the log.
  base::Result<void> write(std::map<Place, Commit>& commits);
  void take(const std::map<Place, Commit>& commits);
  base::Result<void> compact();

  std::unique_ptr<Partition> log_;
  std::shared_mutex compacting_;  // commits share it
  std::mutex mutex_;
  std::map<Place, Commit> committed_;
  std::atomic<std::uint64_t> next_id_ = 0;
};

}  // namespace services::event
