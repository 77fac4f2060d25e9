// SPDX-License-Identifier: Apache-2.0
// The log of all groups of one process on its disk: segments that are written from front to back,
// synced once per batch, and used again once every group is past them.
//
// Used by groups (group.h), which share one. Layout: journal_format.h.
// 1. append() calls back once the write is durable; writes become so in the order of their calls.
//    What waits while a sync is under way goes into the next batch, whatever its group.
// 2. Segments are written with zeros when they are made, so that a sync changes no metadata of the
// file system; they are never written over before all of their batches are released.
// 3. After a restart, what an unfinished batch left is dropped; damage before that is found and
//    reported, never served: a batch that was followed by another was durable. An idle journal
//    follows its last batch with an empty one, so that this holds for every batch soon.
// 4. A write or sync that fails ends the process (on_fatal): what the disk holds is unknown then.
// 5. Its size is at most segments_max segments, and a few more for what must be written so that
//    others can be released; when the last one is needed, has_room() is false.
// Threads: the loop's; the disk is used by the queue only, once open() has returned.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/disk.h"
#include "common/base/timers.h"
#include "dfs/replication/disk_queue.h"
#include "dfs/replication/journal_format.h"

namespace dfs::replication {

struct JournalOptions {
  std::string folder = "journal";
  std::uint64_t segment_bytes = std::uint64_t{64} << 20;
  std::size_t segments_max = 16;  // at least 4
  std::size_t batch_bytes_max = std::size_t{16} << 20;
  // How long the last batch may stand without one behind it.
  base::Duration seal_after = std::chrono::milliseconds(100);
  // Called on the loop, and nothing after it. Unset: logs and aborts the process.
  std::function<void(const base::Error&)> on_fatal = {};
};

// A group as the journal knows it after a restart.
struct RecoveredGroup {
  Epoch promised = 0;
  Index settled = 0;
  Position base;  // the log begins behind it
  std::vector<JournalEntry> log;
};

struct JournalStats {
  std::size_t segments = 0;  // in use and free ones
  std::size_t segments_in_use = 0;
  std::uint64_t batches = 0;  // since the start
  std::uint64_t bytes = 0;    // written since the start
  std::size_t waiting = 0;    // writes that are not durable yet
};

class Journal {
 public:
  // Makes the folder and a first segment where there is none. Blocks. Requires: disk, queue, timers
  // and rng outlive it.
  // Errors: corrupt journal_corrupt: this member must leave its groups and be built anew; no_space;
  // os errors.
  static base::Result<std::unique_ptr<Journal>> open(base::Disk& disk, DiskQueue& queue,
                                                     base::Timers& timers, base::Rng& rng,
                                                     JournalOptions options);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // What was on the disk for this group; once, before its first append.
  RecoveredGroup take_recovered(std::uint32_t group);
  std::vector<std::uint32_t> recovered_groups() const;

  // Never calls back from within. The callback may be empty. Requires: each entry fits a segment.
  void append(std::uint32_t group, LogWrite write, std::function<void()> durable);
  // The group's state is durable up to here without the log.
  void release(std::uint32_t group, Position through);
  // False: groups refuse new entries until some are released. Reads and promises go on.
  bool has_room() const;
  // Whether entries of this group keep the oldest segment from being used again while room is
  // short: it should release them, or write them again (LogWrite::is_repeated).
  bool is_held_by(std::uint32_t group) const;
  // Ends the process as a failed write of the journal does.
  void fail(const base::Error& error) { die(error); }
  JournalStats stats() const;
  const JournalOptions& options() const { return options_; }

 private:
  friend class JournalRecovery;
  struct Segment {
    std::string name;
    std::shared_ptr<base::DiskFile> file;  // shared with the write under way
    std::uint64_t generation = 0;
    std::uint64_t nonce = 0;
    std::uint64_t bytes = 0;
    std::map<std::uint32_t, Index> last;  // per group, of the entries in it that still count
  };
  struct Known {
    Epoch promised = 0;
    Position base;
  };
  struct Waiting {
    std::uint32_t group = 0;
    LogWrite write;
    std::size_t bytes = 0;
    std::function<void()> durable;
  };
  struct Batch;
  struct Spare;

  Journal(base::Disk& disk, DiskQueue& queue, base::Timers& timers, base::Rng& rng,
          JournalOptions options);
  base::Result<void> prepare();
  void start();
  void write_batch(std::size_t count);
  std::size_t next_count() const;
  void begin_segment(Batch& batch);
  void note(Segment& segment, std::uint32_t group, const LogWrite& write);
  void finish(const std::shared_ptr<Batch>& batch);
  void count_releasable();
  std::uint64_t marks_bytes() const;
  std::size_t available() const;
  void make_spare();
  void retry_spare();
  void continue_spare(std::shared_ptr<Spare> spare);
  void seal_later();
  void die(const base::Error& error);

  base::Disk& disk_;
  DiskQueue& queue_;
  base::Timers& timers_;
  base::Rng& rng_;
  const JournalOptions options_;
  std::map<std::uint32_t, Known> known_;
  std::map<std::uint32_t, RecoveredGroup> recovered_;
  std::deque<Segment> live_;    // oldest first; the last one is written, at end_
  std::size_t releasable_ = 0;  // of live_, from the front; 0 while their marks are written
  std::size_t freeing_ = 0;  // of live_, from the front: free once the batch under way is durable
  std::vector<Segment> free_;
  std::uint64_t generation_ = 0;  // the highest in use
  std::uint64_t end_ = 0;
  std::uint64_t number_ = 0;        // of the last batch
  bool must_begin_segment_ = true;  // never goes on where an earlier process ended
  std::deque<Waiting> waiting_;
  bool writing_ = false;
  bool sealed_ = true;
  bool dead_ = false;
  base::Instant last_batch_;
  base::TimerHandle seal_timer_;
  bool making_spare_ = false;
  base::TimerHandle spare_timer_;  // set: there was no space for one
  std::uint64_t next_name_ = 1;
  std::uint64_t batches_ = 0;
  std::uint64_t bytes_ = 0;
  std::size_t under_way_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with nobody
};

}  // namespace dfs::replication
