// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/extents.h"

#include <random>

#include "tests/support/check_result.h"

using namespace dfs::client;

namespace {

std::string read(const Extents& extents, std::uint64_t size) {
  std::string out(size, '.');
  extents.overlay(0, out);
  return out;
}

}  // namespace

TEST_GROUP(Extents){};

TEST(Extents, what_is_written_later_lies_on_top) {
  Extents extents;
  extents.write(2, "aaaa", 1);
  extents.write(4, "bbbb", 2);
  extents.punch({3, 2}, 3);
  STRCMP_EQUAL(std::string("..a\0\0bbb..", 10).c_str(), read(extents, 10).c_str());
  CHECK_TRUE(read(extents, 10) == std::string("..a\0\0bbb..", 10));
}

TEST(Extents, who_waits_for_a_generation_waits_for_what_replaced_its_bytes) {
  Extents extents;
  extents.write(0, "aaaa", 1);
  extents.write(2, "bbbb", 5);
  LONGS_EQUAL(1, extents.oldest());
  extents.take(extents.map().begin());
  // The part behind the old end is of the later generation alone.
  LONGS_EQUAL(5, extents.oldest());
}

TEST(Extents, random_pieces_read_like_plain_memory_and_gaps_are_what_is_not_there) {
  std::mt19937_64 random(7);
  constexpr std::size_t kSize = 3 << 20;
  for (int round = 0; round < 20; ++round) {
    Extents extents;
    std::string memory(kSize, '.');
    for (int i = 0; i < 60; ++i) {
      const std::size_t offset = random() % kSize;
      const std::size_t size = 1 + random() % std::min<std::size_t>(kSize - offset, 1'500'000);
      const auto what = random() % 10;
      if (what == 0) {
        extents.cut(offset);
        memory.replace(offset, kSize - offset, kSize - offset, '.');
      } else if (what < 3) {
        extents.punch({offset, size}, static_cast<std::uint64_t>(i));
        memory.replace(offset, size, size, '\0');
      } else {
        const std::string data(size, static_cast<char>('a' + random() % 26));
        extents.write(offset, data, static_cast<std::uint64_t>(i));
        memory.replace(offset, size, data);
      }
    }
    CHECK_TRUE(read(extents, kSize) == memory);
    std::uint64_t missing = 0;
    for (const ByteRange& gap : extents.gaps({0, kSize})) {
      missing += gap.size;
      CHECK_TRUE(memory.find_first_not_of('.', gap.offset) >= gap.end());
    }
    CHECK_TRUE(missing ==
               static_cast<std::uint64_t>(std::count(memory.begin(), memory.end(), '.')));
    for (const auto& [offset, extent] : extents.map())
      if (!extent.is_hole())
        CHECK_TRUE(offset / kExtentMax == (offset + extent.length - 1) / kExtentMax);
  }
}
