// SPDX-License-Identifier: Apache-2.0
// The checksums of 256 neighbouring blocks of an object: one record of the index.
//
// 1. A block without `present` is a hole, whatever the file holds there. Checksums cover whole
// blocks of 4 KiB; behind the end of what was written they hold zeros.
// 2. A block with `bad` has no checksum that its content could be measured by: it is read from
// another member or not at all.
// Threads: plain values.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "dfs/api/types.h"

namespace dfs::storage {

inline constexpr std::size_t kPageBlocks = 256;
using BlockBits = std::bitset<kPageBlocks>;

struct PageKey {
  ObjectNumber object = 0;
  std::uint64_t page = 0;  // of kPageBlocks blocks
  friend auto operator<=>(const PageKey&, const PageKey&) = default;
};

struct SumPage {
  std::uint64_t changed =
      0;  // index of the log entry that changed it last, on all members the same
  BlockBits present;
  BlockBits bad;  // within `present`
  std::array<std::uint32_t, kPageBlocks> sums{};

  // Not stored. Blocks that the log alone gives back since the last freeze: their in-place
  // content may be torn by a power cut.
  BlockBits remade;
  BlockBits held;  // the newest content is in memory, not in the file
};

std::string index_key(GroupNumber group, const PageKey& key);
// Errors: corrupt bytes_truncated, bytes_left_over, when it is not the key of a page.
base::Result<std::pair<GroupNumber, PageKey>> parse_index_key(std::string_view key);

std::string encode_page(std::string_view key, const SumPage& page);
// Errors: corrupt record_corrupt, bytes_truncated, bytes_left_over; unsupported record_format.
base::Result<SumPage> decode_page(std::string_view key, std::string_view bytes);

}  // namespace dfs::storage
