// SPDX-License-Identifier: Apache-2.0
// Pieces of a file that were written and are not yet at the storage servers: bytes, and holes that
// were punched.
//
// 1. Extents do not overlap; what is written later lies on top of what was there. Those with bytes
// do not cross multiples of kExtentMax.
// 2. An extent carries the lowest generation of what was merged into it: who waits for a generation
// waits for everything that was written in it.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dfs::client {

inline constexpr std::uint64_t kExtentMax = std::uint64_t{1} << 20;

struct Extent {
  std::string bytes;         // empty for a hole
  std::uint64_t length = 0;  // bytes.size(), or that of the hole
  std::uint64_t generation = 0;
  bool is_hole() const { return bytes.empty(); }
};

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t end() const { return offset + size; }
  bool overlaps(const ByteRange& other) const {
    return offset < other.end() && other.offset < end();
  }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

class Extents {
 public:
  using Map = std::map<std::uint64_t, Extent>;

  void write(std::uint64_t offset, std::string_view data, std::uint64_t generation);
  void punch(ByteRange range, std::uint64_t generation);
  // Drops what lies behind `size`.
  void cut(std::uint64_t size);
  // Puts what is here onto `out`, whose first byte is the file's at `offset`.
  void overlay(std::uint64_t offset, std::span<char> out) const;
  // The parts of `range` that are not here, in order.
  std::vector<ByteRange> gaps(ByteRange range) const;
  bool overlaps(ByteRange range) const { return first_in(range) != map_.end(); }

  const Map& map() const { return map_; }
  Extent take(Map::const_iterator at);
  void put_back(std::uint64_t offset, Extent extent);
  bool empty() const { return map_.empty(); }
  std::uint64_t bytes() const { return bytes_; }  // of memory
  // The lowest generation of all; UINT64_MAX when nothing is here.
  std::uint64_t oldest() const { return counts_.empty() ? UINT64_MAX : counts_.begin()->first; }

 private:
  Map::const_iterator first_in(ByteRange range) const;
  // Makes room: trims and splits what lies in the range. The lowest generation of it.
  std::uint64_t carve(ByteRange range);
  void insert(std::uint64_t offset, Extent extent);
  void write_piece(std::uint64_t offset, std::string_view data, std::uint64_t generation);

  Map map_;
  std::uint64_t bytes_ = 0;
  std::map<std::uint64_t, std::size_t> counts_;  // extents per generation
};

}  // namespace dfs::client
