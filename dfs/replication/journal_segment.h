// SPDX-License-Identifier: Apache-2.0
// The files of a journal's segments: made, begun anew, read back.
//
// Used by the journal only. Threads: any, one at a time per file. All calls block.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/disk.h"
#include "dfs/replication/journal_format.h"

namespace dfs::replication {

// A segment while it is being made; it gets its name when it is whole, so that a cut leaves none in
// part. One step at a time, so that batches are not held up for long.
class SegmentMaker {
 public:
  SegmentMaker(base::Disk& disk, std::string folder, std::string name, std::uint64_t bytes)
      : disk_(disk), folder_(std::move(folder)), name_(std::move(name)), bytes_(bytes) {}
  // Whether it is whole. Errors: no_space, os errors; then call give_up().
  base::Result<bool> step();
  void give_up();
  std::unique_ptr<base::DiskFile> take() { return std::move(file_); }

 private:
  std::string unfinished() const { return folder_ + "/new"; }

  base::Disk& disk_;
  const std::string folder_, name_;
  const std::uint64_t bytes_;
  std::unique_ptr<base::DiskFile> file_;
  std::uint64_t done_ = 0;
};

// Both copies; not synced.
base::Result<void> write_segment_header(base::DiskFile& file, const SegmentHeader& header);
// The newer copy that is whole. Errors: corrupt journal_corrupt; os errors.
base::Result<SegmentHeader> read_segment_header(base::DiskFile& file);

// Reads the batches of one use of a segment in order. `end` is where it ends when that is known,
// else nullopt: what an unfinished batch left at the end is then dropped. Returns the end.
// Errors: corrupt journal_corrupt; os errors; those of `take`.
struct SegmentScan {
  std::uint64_t nonce = 0;
  std::uint64_t number = 0;  // in: of the last batch before; out: of the last one in it
  std::optional<std::uint64_t> end = {};
};
base::Result<std::uint64_t> scan_segment(
    base::DiskFile& file, SegmentScan& scan,
    const std::function<base::Result<void>(JournalBatch)>& take);

}  // namespace dfs::replication
