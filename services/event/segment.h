// SPDX-License-Identifier: Apache-2.0
// One file of a partition: scanned after a restart, searched by readers, closed with an index.
//
// Used by partition.cc only. Layout: batch.h.
// 1. A batch that does not fit its checksum and is followed by a whole one was durable: that is
// damage, and is reported. Without one behind it, it is what an unfinished write left, and dropped.
// Threads: functions without state; a Window stays on one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/disk.h"
#include "services/event/batch.h"

namespace services::event {

// Offsets [first, next) cannot be read.
struct Damage {
  Offset first = 0;
  Offset next = 0;
  friend bool operator==(const Damage&, const Damage&) = default;
};

struct SegmentScan {
  std::vector<IndexEntry> index;
  std::vector<Damage> damage;
  Offset next = 0;
  std::int64_t last_time_ms = 0;
  std::uint64_t next_number = 0;
  std::uint64_t end = 0;            // behind the last whole batch
  std::uint64_t dropped_bytes = 0;  // behind `end`, which no write had finished
};

// Reads a file forward through a buffer.
class Window {
 public:
  explicit Window(base::DiskFile& file, std::size_t ahead = 256 << 10)
      : file_(file), ahead_(ahead) {}
  // The bytes there, fewer at the end of the file. Valid until the next call.
  base::Result<std::string_view> view(std::uint64_t position, std::size_t size);

 private:
  base::DiskFile& file_;
  const std::size_t ahead_;
  std::uint64_t begin_ = 0;
  std::string buffer_;
};

struct FoundBatch {
  std::uint64_t position = 0;
  BatchHeader header;
};
// The whole batch at `position`; nullopt when what stands there is not one.
base::Result<std::optional<BatchHeader>> read_batch(Window& window, std::string_view seal,
                                                    std::uint64_t position);
// The next whole batch at or behind `position` with at least this number and offset. Cost: the
// rest of the file.
base::Result<std::optional<FoundBatch>> find_batch(Window& window, std::string_view seal,
                                                   std::uint64_t position, std::uint64_t number,
                                                   Offset first);

// Whether an index entry is due for a batch at `position`: one for each `every` bytes.
bool is_index_due(const std::vector<IndexEntry>& index, std::uint64_t position, std::size_t every);

// Everything in a segment whose first offset is `base`. Errors: those of the disk.
base::Result<SegmentScan> scan_segment(base::DiskFile& file, std::string_view seal, Offset base,
                                       std::size_t index_every);
// nullopt: the segment was not closed, or its end is damaged.
base::Result<std::optional<Trailer>> read_trailer(base::DiskFile& file, std::string_view seal);
base::Result<std::vector<IndexEntry>> read_index(base::DiskFile& file, std::string_view seal,
                                                 const Trailer& trailer);
// The entry to begin at: the last one at or before `offset`. nullptr when there is none.
const IndexEntry* find_entry(const std::vector<IndexEntry>& index, Offset offset);

}  // namespace services::event
