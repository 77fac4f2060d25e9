// SPDX-License-Identifier: Apache-2.0
// The reading part of ObjectStore.
#include <algorithm>

#include "common/base/crc32c.h"
#include "dfs/storage/object_store.h"

namespace dfs::storage {

using base::Result;

Result<ReadPlan> ObjectStore::plan_read(ObjectNumber object, std::uint64_t offset,
                                        std::size_t size) {
  ReadPlan plan;
  plan.object = object;
  plan.offset = offset;
  plan.size = size;
  plan.first = offset / kBlockBytes;
  const std::size_t count = size == 0 ? 0 : (offset + size - 1) / kBlockBytes - plan.first + 1;
  plan.blocks.resize(count);
  plan.content.resize(count * kBlockBytes);
  std::shared_ptr<const SumPage> page;
  for (std::size_t i = 0; i < count; ++i) {
    const BlockName name{object, plan.first + i};
    const std::size_t place = name.block % kPageBlocks;
    if (i == 0 || place == 0) page = TRY(find_page({object, name.block / kPageBlocks}));
    if (!page || !page->present[place]) continue;
    ReadPlan::Block& block = plan.blocks[i];
    block.sum = page->sums[place];
    if (page->bad[place]) {
      block.kind = ReadPlan::Kind::bad;
    } else if (page->held[place]) {
      block.kind = ReadPlan::Kind::memory;
      plan.content.replace(i * kBlockBytes, kBlockBytes, *held_.at(name));
    } else {
      block.kind = ReadPlan::Kind::file;
      if (!plan.runs.empty() && plan.runs.back().at + plan.runs.back().size == i * kBlockBytes) {
        plan.runs.back().size += kBlockBytes;
      } else {
        plan.runs.push_back({name.block * kBlockBytes, i * kBlockBytes, kBlockBytes});
      }
    }
  }
  if (!plan.runs.empty()) plan.file = TRY(files_.find({options_.group, object}));
  return plan;
}

Result<bool> ObjectStore::fill(ReadPlan& plan, ReadMode mode) {
  if (!plan.file) return true;  // what should be in it does not match, as check() finds
  for (const ReadPlan::Run& run : plan.runs) {
    const std::span<char> out(plan.content.data() + run.at, run.size);
    if (mode == ReadMode::cached_only) {
      const Result<std::optional<std::size_t>> read = plan.file->file->read_cached(run.offset, out);
      if (!read || !*read || **read < run.size) return false;
    } else if (!plan.file->file->read(run.offset, out)) {
      // One sector may be unreadable: the blocks around it are not.
      for (std::size_t at = 0; at < run.size; at += kBlockBytes) {
        const std::span<char> block = out.subspan(at, kBlockBytes);
        if (!plan.file->file->read(run.offset + at, block))
          std::fill(block.begin(), block.end(), '\0');
      }
    }
  }
  return true;
}

Result<ReadCheck> ObjectStore::check(const ReadPlan& plan) {
  ReadCheck found;
  for (std::size_t i = 0; i < plan.blocks.size(); ++i) {
    const ReadPlan::Block& block = plan.blocks[i];
    if (block.kind == ReadPlan::Kind::hole || block.kind == ReadPlan::Kind::memory) continue;
    const std::string_view content =
        std::string_view(plan.content).substr(i * kBlockBytes, kBlockBytes);
    if (block.kind == ReadPlan::Kind::file && base::crc32c(content) == block.sum) continue;
    const BlockNumber number = plan.first + i;
    const std::size_t place = number % kPageBlocks;
    const auto page = TRY(find_page({plan.object, number / kPageBlocks}));
    const bool was_bad = block.kind == ReadPlan::Kind::bad;
    if (!page || !page->present[place] || page->held[place] || page->bad[place] != was_bad ||
        (!was_bad && page->sums[place] != block.sum)) {
      found.changed = true;
    } else {
      found.bad.push_back(number);
    }
  }
  return found;
}

Result<std::string> ObjectStore::read(ObjectNumber object, std::uint64_t offset, std::size_t size) {
  ReadPlan plan = TRY(plan_read(object, offset, size));
  TRY(fill(plan, ReadMode::may_wait));
  const ReadCheck found = TRY(check(plan));
  if (!found.bad.empty())
    return base::Error{base::Code::corrupt,
                       "block " + std::to_string(found.bad.front()) + " of object " +
                           std::to_string(object) + " does not match its checksum",
                       "block_corrupt", EIO};
  return plan.content.substr(offset % kBlockBytes, size);
}

Result<std::uint64_t> ObjectStore::seek(ObjectNumber object, std::uint64_t offset, SeekFor what) {
  BlockNumber block = offset / kBlockBytes;
  while (true) {
    PageKey key{object, block / kPageBlocks};
    if (what == SeekFor::data) {
      const std::optional<PageKey> next = TRY(page_at_or_after(key));
      if (!next || next->object != object) return UINT64_MAX;
      if (*next != key) block = next->page * kPageBlocks;
      key = *next;
    }
    const auto page = TRY(find_page(key));
    for (std::size_t place = block % kPageBlocks; place < kPageBlocks; ++place, ++block) {
      if ((page && page->present[place]) == (what == SeekFor::data))
        return std::max(offset, block * kBlockBytes);
    }
  }
}

}  // namespace dfs::storage
