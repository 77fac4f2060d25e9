// SPDX-License-Identifier: Apache-2.0
// One partition of a channel in a folder of its own: segments that are only appended to.
//
// Used by segment_engine.cc. Layout: batch.h.
// 1. append() returns once the events are synced. Whoever comes while a sync is under way waits and
// goes into the next batch together with all others (group commit).
// 2. After a restart an unfinished batch at the end is dropped; damage before it is kept as such:
// reading there fails, and goes on behind it. tick() follows the last batch of an idle partition
// with an empty one, so that this holds for every batch within two ticks.
// 3. A failed sync, or a failed write that cannot be taken back, ends appending until the next
// start: what the disk holds is unknown.
// 4. Memory: one index entry per 64 KiB of the last segment and of four others, the last ids.
// Threads: any. Lock: one mutex, never held while the disk works, except for reading an index.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/disk.h"
#include "services/event/engine.h"
#include "services/event/recent_ids.h"
#include "services/event/segment.h"

namespace services::event {

struct LogLimits {
  std::uint64_t segment_bytes = std::uint64_t{64} << 20;
  std::size_t index_every_bytes = 64 << 10;
  std::size_t dedupe_ids = 4096;  // of each partition
};

class Partition {
 public:
  struct Place {
    std::string folder;
    std::string channel;
    std::uint32_t number = 0;
    std::string secret;  // of the channel; makes its blocks tell from others'
  };
  // Requires: the folder exists; disk and clock outlive it. Errors: those of the disk.
  static base::Result<std::unique_ptr<Partition>> open(base::Disk& disk, const base::Clock& clock,
                                                       Place place, const ChannelOptions& options,
                                                       const LogLimits& limits);
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  // See Engine for the errors of these. Requires: the events were checked.
  base::Result<std::vector<Placed>> append(std::vector<const Event*> events);
  base::Result<std::vector<StoredEvent>> read(Offset offset, const ReadLimits& limits);
  base::Result<Offset> offset_at(base::WallTime time);
  PartitionState state();
  // Damage that was met since the start.
  std::vector<Damage> damage();
  void tick();
  // tick() may remove segments that hold nothing from `offset` on, whatever their age.
  void release_before(Offset offset);

 private:
  struct Segment {
    Offset base = 0;
    Offset next = 0;
    std::int64_t last_time_ms = 0;
    std::uint64_t bytes = 0;
    bool is_closed = false;
    std::optional<Trailer> trailer = {};  // of a closed one whose end is whole
  };
  using Index = std::shared_ptr<const std::vector<IndexEntry>>;  // shared with readers under way
  struct Pending {
    std::vector<const Event*> events;
    std::size_t bytes = 0;
    std::optional<base::Result<std::vector<Placed>>> outcome;
  };
  // Where a reader begins: a copy, so that it needs no lock.
  struct Start {
    Offset base = 0;
    Offset next = 0;  // of the segment
    std::uint64_t position = 0;
    Offset at = 0;  // of the batch at `position`
  };

  Partition(base::Disk& disk, const base::Clock& clock, Place place, const ChannelOptions& options,
            const LogLimits& limits);
  base::Result<void> recover();
  base::Result<void> recover_segment(Offset base, bool is_last);
  void note_damage(Damage damage);

  std::string path_of(Offset base) const;
  std::string seal_of(Offset base) const;
  base::Result<std::unique_ptr<base::DiskFile>> open_segment(Offset base);

  // Of the thread that writes (writing_), called without the lock.
  void write_pending(std::unique_lock<std::mutex>& lock);
  std::vector<Pending*> take_pending();
  void carry_out(const std::vector<Pending*>& taken);
  base::Result<void> load_recent();
  base::Result<void> write_batch(const std::vector<const Event*>& events);
  base::Result<void> put(std::uint64_t position, std::string_view bytes);
  base::Result<void> make_room(std::uint64_t bytes);
  base::Result<void> close_last();
  base::Result<void> begin_segment();
  base::Result<void> drop_old();
  bool is_first_old();
  base::Error fail(base::Error error);

  base::Result<Start> find_start(Offset offset);
  base::Result<Index> index_of(const Segment& segment);
  base::Result<bool> read_segment(const Start& start, Offset offset, const ReadLimits& limits,
                                  std::vector<StoredEvent>& out, std::size_t& bytes);
  base::Error damaged(Damage damage);

  base::Disk& disk_;
  const base::Clock& clock_;
  const Place place_;
  const ChannelOptions options_;
  const LogLimits limits_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Pending*> pending_;
  // One thread writes. It reads what follows without the lock, and changes it with the lock.
  bool writing_ = false;
  std::deque<Segment> segments_;          // oldest first; the last one is written unless closed
  std::unique_ptr<base::DiskFile> file_;  // of the last one
  std::shared_ptr<std::vector<IndexEntry>> last_index_;  // of the last one; replaced, not changed
  std::map<Offset, Index> indexes_;                      // of closed ones, at most kIndexesMax
  RecentIds recent_;
  bool recent_loaded_ = false;
  std::uint64_t batch_number_ = 0;
  std::uint64_t batches_at_tick_ = 0;
  bool is_proved_ = true;  // the last batch has one behind it
  Offset released_ = 0;    // events before it are not needed
  std::optional<base::Error> failed_;
  std::vector<Damage> damage_;
};

}  // namespace services::event
