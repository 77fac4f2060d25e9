// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/sum_page.h"

#include "common/base/bytes.h"

namespace dfs::storage {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Result;

constexpr std::uint8_t kSumFormat = 1;
constexpr std::size_t kByteBits = 8;

void put_bits(ByteWriter& out, const BlockBits& bits) {
  for (std::size_t byte = 0; byte < kPageBlocks / kByteBits; ++byte) {
    std::uint8_t value = 0;
    for (std::size_t bit = 0; bit < kByteBits; ++bit)
      if (bits[byte * kByteBits + bit]) value = static_cast<std::uint8_t>(value | 1U << bit);
    out.u8(value);
  }
}

Result<BlockBits> get_bits(ByteReader& in) {
  BlockBits bits;
  for (std::size_t byte = 0; byte < kPageBlocks / kByteBits; ++byte) {
    const std::uint8_t value = TRY(in.u8());
    for (std::size_t bit = 0; bit < kByteBits; ++bit)
      bits[byte * kByteBits + bit] = (value >> bit & 1U) != 0;
  }
  return bits;
}

}  // namespace

std::string index_key(GroupNumber group, const PageKey& key) {
  return ByteWriter().u8('p').u32(group).u64(key.object).u64(key.page).take();
}

Result<std::pair<GroupNumber, PageKey>> parse_index_key(std::string_view key) {
  ByteReader in(key);
  const std::uint8_t kind = TRY(in.u8());
  if (kind != 'p')
    return base::Error{base::Code::corrupt, "the key is not a page's", "record_corrupt"};
  const std::uint32_t group = TRY(in.u32());
  const std::uint64_t object = TRY(in.u64());
  const std::uint64_t page = TRY(in.u64());
  TRY(in.end());
  return std::pair(group, PageKey{object, page});
}

std::string encode_page(std::string_view key, const SumPage& page) {
  ByteWriter out;
  out.u64(page.changed);
  put_bits(out, page.present);
  put_bits(out, page.bad);
  for (std::size_t i = 0; i < kPageBlocks; ++i)
    if (page.present[i]) out.u32(page.sums[i]);
  return base::seal_record(key, kSumFormat, out.bytes());
}

Result<SumPage> decode_page(std::string_view key, std::string_view bytes) {
  ByteReader in(TRY(base::open_record(key, kSumFormat, bytes)));
  SumPage page;
  page.changed = TRY(in.u64());
  page.present = TRY(get_bits(in));
  page.bad = TRY(get_bits(in));
  page.bad &= page.present;
  for (std::size_t i = 0; i < kPageBlocks; ++i)
    if (page.present[i]) page.sums[i] = TRY(in.u32());
  TRY(in.end());
  return page;
}

}  // namespace dfs::storage
