// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/extents.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace dfs::client {

Extents::Map::const_iterator Extents::first_in(ByteRange range) const {
  if (range.size == 0) return map_.end();
  auto at = map_.upper_bound(range.offset);
  if (at != map_.begin()) {
    const auto before = std::prev(at);
    if (before->first + before->second.length > range.offset) return before;
  }
  return at != map_.end() && at->first < range.end() ? at : map_.end();
}

void Extents::insert(std::uint64_t offset, Extent extent) {
  bytes_ += extent.bytes.size();
  ++counts_[extent.generation];
  CHECK_THAT(map_.emplace(offset, std::move(extent)).second);
}

std::uint64_t Extents::carve(ByteRange range) {
  std::uint64_t oldest = UINT64_MAX;
  for (auto found = first_in(range); found != map_.end(); found = first_in(range)) {
    const std::uint64_t start = found->first;
    Extent extent = take(found);
    oldest = std::min(oldest, extent.generation);
    const std::uint64_t end = start + extent.length;
    if (end > range.end()) {
      const std::uint64_t skip = range.end() - start;
      Extent tail{extent.is_hole() ? std::string() : extent.bytes.substr(skip), end - range.end(),
                  extent.generation};
      insert(range.end(), std::move(tail));
    }
    if (start < range.offset) {
      extent.length = range.offset - start;
      if (!extent.is_hole()) extent.bytes.resize(extent.length);
      insert(start, std::move(extent));
    }
  }
  return oldest;
}

void Extents::write(std::uint64_t offset, std::string_view data, std::uint64_t generation) {
  while (!data.empty()) {
    const std::size_t part = std::min<std::uint64_t>(data.size(), kExtentMax - offset % kExtentMax);
    write_piece(offset, data.substr(0, part), generation);
    offset += part;
    data.remove_prefix(part);
  }
}

void Extents::write_piece(std::uint64_t offset, std::string_view data, std::uint64_t generation) {
  auto next = map_.upper_bound(offset);
  if (next != map_.begin()) {
    auto before = std::prev(next);
    Extent& extent = before->second;
    const std::uint64_t end = before->first + extent.length;
    const bool is_same_window = before->first / kExtentMax == offset / kExtentMax;
    if (!extent.is_hole() && is_same_window && end > offset) {
      // Into what is there: whoever waits for its generation now waits for these bytes.
      const std::size_t part = std::min<std::uint64_t>(data.size(), end - offset);
      std::memcpy(extent.bytes.data() + (offset - before->first), data.data(), part);
      if (part < data.size()) write_piece(end, data.substr(part), generation);
      return;
    }
    const bool is_free_behind = next == map_.end() || next->first >= offset + data.size();
    // Onto its end. Not when it is older: nobody who waits for that one waits for this.
    if (!extent.is_hole() && is_same_window && end == offset && is_free_behind &&
        extent.generation == generation) {
      const std::size_t size = extent.bytes.size() + data.size();
      if (extent.bytes.capacity() < size)
        extent.bytes.reserve(std::min<std::uint64_t>(kExtentMax, 4 * size));
      extent.bytes += data;
      extent.length = size;
      bytes_ += data.size();
      return;
    }
  }
  const std::uint64_t oldest = carve({offset, data.size()});
  insert(offset, {std::string(data), data.size(), std::min(oldest, generation)});
}

void Extents::punch(ByteRange range, std::uint64_t generation) {
  if (range.size == 0) return;
  const std::uint64_t oldest = carve(range);
  insert(range.offset, {{}, range.size, std::min(oldest, generation)});
}

void Extents::cut(std::uint64_t size) { static_cast<void>(carve({size, UINT64_MAX - size})); }

void Extents::overlay(std::uint64_t offset, std::span<char> out) const {
  const ByteRange range{offset, out.size()};
  for (auto at = first_in(range); at != map_.end() && at->first < range.end(); ++at) {
    const std::uint64_t from = std::max(at->first, offset);
    const std::uint64_t to = std::min(at->first + at->second.length, range.end());
    char* target = out.data() + (from - offset);
    if (at->second.is_hole()) {
      std::memset(target, 0, to - from);
    } else {
      std::memcpy(target, at->second.bytes.data() + (from - at->first), to - from);
    }
  }
}

std::vector<ByteRange> Extents::gaps(ByteRange range) const {
  std::vector<ByteRange> found;
  std::uint64_t at = range.offset;
  for (auto next = first_in(range); next != map_.end() && next->first < range.end(); ++next) {
    if (next->first > at) found.push_back({at, next->first - at});
    at = std::max(at, next->first + next->second.length);
  }
  if (at < range.end()) found.push_back({at, range.end() - at});
  return found;
}

Extent Extents::take(Map::const_iterator at) {
  auto node = map_.extract(at);
  bytes_ -= node.mapped().bytes.size();
  const auto count = counts_.find(node.mapped().generation);
  if (--count->second == 0) counts_.erase(count);
  return std::move(node.mapped());
}

void Extents::put_back(std::uint64_t offset, Extent extent) {
  // What was written since lies on top.
  for (const ByteRange& gap : gaps({offset, extent.length})) {
    Extent part{
        extent.is_hole() ? std::string() : extent.bytes.substr(gap.offset - offset, gap.size),
        gap.size, extent.generation};
    insert(gap.offset, std::move(part));
  }
}

}  // namespace dfs::client
