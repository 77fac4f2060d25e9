// SPDX-License-Identifier: Apache-2.0
// A disk of the simulator. It loses what was not synced when its power fails, tears writes, fails
// with EIO, fills up and flips bits, all by the world's seed.
//
// 1. After a power cut a folder is as it was at its last sync, or after any later operation in it;
// a file's size likewise; its sectors as VolatileSectors says. A file whose name was not synced
// may be gone with all it held.
// 2. After a sync that failed, later syncs of that file succeed and make nothing durable, as
// kernels do.
// 3. Open files are dead after a cut, also when the power is back.
// Threads: the world's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/disk.h"
#include "tests/support/sim/world.h"

namespace sim {

struct DiskFaults {
  double read_error = 0;  // probabilities per call
  double write_error = 0;
  double sync_error = 0;
  double sync_lie = 0;  // the sync succeeds, and from then on none of that file does anything
  double cold = 0;      // that read_cached() would have to wait
};

class SimDisk final : public base::Disk {
 public:
  explicit SimDisk(World& world, std::uint64_t capacity_bytes = UINT64_MAX);
  ~SimDisk() override;

  DiskFaults faults;

  base::Result<std::unique_ptr<base::DiskFile>> open(const std::string& path,
                                                     base::OpenMode mode) override;
  base::Result<void> make_folder(const std::string& path) override;
  base::Result<void> rename(const std::string& from, const std::string& to) override;
  base::Result<void> remove(const std::string& path) override;
  base::Result<void> remove_folder(const std::string& path) override;
  base::Result<std::vector<std::string>> list(const std::string& folder) override;
  base::Result<void> sync_folder(const std::string& folder) override;
  base::Result<std::uint64_t> free_bytes() override;

  // The power fails now, or during the change (write, allocation, rename …) that is the
  // `count`-th from now; 0 takes that back. Until power_on() every call gives EIO.
  void cut_power();
  void cut_power_at_change(std::uint64_t count) { cut_in_ = count; }
  bool has_power() const { return has_power_; }
  void power_on() { has_power_ = true; }
  // Damages one durable bit of a file.
  void flip_bit(const std::string& path, std::uint64_t bit);

 private:
  friend class SimFile;
  class Inode;
  struct Folder;
  struct Entry;
  using Entries = std::map<std::string, Entry>;

  base::Result<Folder*> find_folder(std::string_view path) const;
  base::Result<void> unlink(const std::string& path, bool is_folder);
  // Before each change. EIO when the power is off or fails during it; `write` is then done first.
  base::Result<void> begin_change();
  base::Result<void> begin_write(const std::function<void()>& write);
  base::Result<void> check_power() const;
  static void cut_folder(Folder& folder, std::mt19937_64& random);

  World& world_;
  std::unique_ptr<Folder> root_;
  const std::uint64_t capacity_;
  std::shared_ptr<std::uint64_t> used_;  // shared with the inodes, which free at their end
  bool has_power_ = true;
  std::uint64_t cut_in_ = 0;
  std::uint64_t power_cuts_ = 0;
};

}  // namespace sim
