// SPDX-License-Identifier: Apache-2.0
// Reads everything that the device holds, at a bounded rate, and has blocks that do not match
// mended from other members.
//
// 1. One run at a time, over all groups in order; one page (1 MiB) is under way at most.
// 2. What is in the page cache is measured there: such a block is read from the device by a later
// run.
// Threads: the loop's.
#pragma once

#include "dfs/storage/server.h"

namespace dfs::storage {

struct ScrubStatus {
  bool is_running = false;
  std::uint64_t runs = 0;   // that came to their end
  std::uint64_t bytes = 0;  // of the current or last run
  std::uint64_t blocks_bad = 0;
  std::uint64_t blocks_lost = 0;
  std::size_t groups_done = 0;
  std::size_t groups = 0;
};

class Scrubber {
 public:
  struct Options {
    std::uint64_t bytes_per_second = std::uint64_t{32} << 20;
    base::Duration period = std::chrono::hours(24 * 7);  // between ends and starts of runs
  };
  // Requires: everything given outlives it.
  Scrubber(StorageServer& server, base::Timers& timers, DiskExecutor readers, Options options);
  ~Scrubber();
  Scrubber(const Scrubber&) = delete;
  Scrubber& operator=(const Scrubber&) = delete;

  // Begins a run; nothing when one is under way.
  void start();
  // Ends the run under way.
  void stop();
  const ScrubStatus& status() const { return status_; }

 private:
  struct Page;
  void next();
  void check(const std::shared_ptr<Page>& page);
  void finish_page(std::uint64_t bytes);
  void finish();

  StorageServer& server_;
  base::Timers& timers_;
  const DiskExecutor readers_;
  const Options options_;
  ScrubStatus status_;
  std::vector<GroupNumber> groups_;  // of this run
  PageKey from_;
  std::uint64_t run_ = 0;  // tells what belongs to a run that was stopped
  base::TimerHandle timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::storage
