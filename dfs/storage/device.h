// SPDX-License-Identifier: Apache-2.0
// One storage device: its index, its open data files, and the checkpoints that make what the
// groups on it have applied durable.
//
// A checkpoint: freeze (loop) → images stored (disk) → images in place (loop) → data files and
// folders synced, index committed with the next generation (disk) → thaw (loop).
// 1. Images bear the generation of the index that their checkpoint commits. If that commit is
// missing after a restart, they are written in place anew: the power may have failed within it.
// 2. One checkpoint at a time; groups that ask meanwhile share the next one.
// 3. A sync, a write or a commit that fails ends the process (I10): `failed` is called, and nothing
// of the device moves any more.
// Threads: the loop's; the disk's steps run where the executor says.
#pragma once

#include <functional>
#include <memory>

#include "dfs/storage/object_store.h"

namespace dfs::storage {

// Runs `work` where it may block, then `then` on the loop. In order.
using DiskExecutor = std::function<void(std::function<void()> work, std::function<void()> then)>;

// Ends the process: the device lied or cannot be used further.
[[noreturn]] void end_for_device(const base::Error& error);

class Device {
 public:
  struct Options {
    std::function<void(const base::Error&)> failed = end_for_device;
    std::size_t files_max = 1024;
    // A checkpoint is due when a group keeps more in memory or open than this.
    std::size_t held_max = 4096;  // blocks of 4 KiB
    std::size_t dirty_files_max = 2048;
    std::uint64_t reserve_bytes = std::uint64_t{256} << 20;
    // Writes of whole blocks into holes that are at least this long go to their file at once.
    std::size_t placed_min = std::size_t{64} << 10;
    // Where those are synced, so that a checkpoint does not hold them up. Unset: the executor.
    DiskExecutor placing = {};
  };
  // Repairs what a power cut left. Requires: disk and index outlive it, and what it gave the
  // executor. Errors: corrupt, os errors.
  static base::Result<std::unique_ptr<Device>> open(base::Disk& disk, BlockIndex& index,
                                                    DiskExecutor executor, Options options);

  BlockIndex& index() { return index_; }
  OpenFiles& files() { return files_; }
  base::Disk& disk() { return disk_; }
  const DiskExecutor& executor() const { return executor_; }

  // `done` is called once all that the store had applied when it was asked is durable, with its
  // state (set_state) of that moment. Requires: the store lives until then.
  using Done = std::function<void(const std::string& state)>;
  void checkpoint(ObjectStore& store, Done done);
  // Too much is kept in memory for the store: ask for a checkpoint.
  bool is_due(const ObjectStore& store) const {
    return store.held_blocks() >= options_.held_max ||
           store.dirty_files() >= options_.dirty_files_max;
  }
  // What was placed in the file is durable, with the file's name, when `durable` is called; not
  // from within.
  void sync_placed(const DataFileHandle& file, std::function<void()> durable);
  std::size_t placed_min() const { return options_.placed_min; }
  // Waits for nothing: a checkpoint under way goes on without this store.
  void forget(const ObjectStore& store);
  void fail(const base::Error& error);
  bool has_failed() const { return failed_; }
  std::uint64_t checkpoints() const { return checkpoints_; }

  // Free space as last measured, less what was written since. Changes are refused below the
  // reserve, which is for what was accepted before.
  void measure(std::function<void()> then);
  void measure_now();
  void count_written(std::uint64_t bytes) { written_ += bytes; }
  std::uint64_t free_bytes() const { return free_ > written_ ? free_ - written_ : 0; }
  bool is_full() const { return free_bytes() < options_.reserve_bytes; }

 private:
  Device(base::Disk& disk, BlockIndex& index, DiskExecutor executor, Options options);
  base::Result<void> restore_images();
  struct Run;
  struct Asked {
    ObjectStore* store = nullptr;
    std::vector<Done> done;
  };
  Asked* find_asked(const ObjectStore& store);
  void begin();
  static base::Result<void> store_images(const Run& run);
  static base::Result<void> sync_files(const Run& run);
  static base::Result<void> commit(const Run& run);
  void write_back(const std::shared_ptr<Run>& run);
  void finish(const std::shared_ptr<Run>& run);
  void sync_next_placed();

  base::Disk& disk_;
  BlockIndex& index_;
  const DiskExecutor executor_;
  const Options options_;
  OpenFiles files_;
  std::shared_ptr<base::DiskFile> images_;  // shared with the run under way
  std::uint64_t generation_ = 0;
  std::uint64_t checkpoints_ = 0;
  std::vector<Asked> asked_;
  std::map<DataFileHandle, std::vector<std::function<void()>>> placing_;
  bool is_syncing_placed_ = false;
  std::shared_ptr<Run> run_;
  std::uint64_t free_ = 0;
  std::uint64_t written_ = 0;
  bool failed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::storage
