// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/sum_page.h"

#include "tests/support/check_result.h"

using base::Code;
using namespace dfs::storage;  // NOLINT: the subject

TEST_GROUP(SumPage) {
  SumPage page;
  const std::string key = index_key(7, {0x1234, 2});
  void setup() override {
    page.changed = 99;
    for (const std::size_t place : {0, 3, 255}) {
      page.present.set(place);
      page.sums[place] = static_cast<std::uint32_t>(place + 1000);
    }
    page.bad.set(3);
  }
};

TEST(SumPage, a_record_gives_back_the_page) {
  const SumPage back = UNWRAP(decode_page(key, encode_page(key, page)));
  CHECK_TRUE(back.changed == 99 && back.present == page.present && back.bad == page.bad);
  CHECK_TRUE(back.sums == page.sums);
}

TEST(SumPage, every_flipped_bit_and_every_cut_is_refused) {
  const std::string record = encode_page(key, page);
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string flipped = record;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    CHECK_FALSE(decode_page(key, flipped).has_value());
  }
  for (std::size_t size = 0; size < record.size(); ++size)
    CHECK_FALSE(decode_page(key, record.substr(0, size)).has_value());
  CHECK_ERROR(Code::corrupt, "record_corrupt", decode_page(index_key(7, {0x1234, 3}), record));
}

TEST(SumPage, keys_sort_by_group_object_and_page) {
  CHECK_TRUE(index_key(1, {2, 300}) < index_key(1, {3, 0}));
  CHECK_TRUE(index_key(1, {900, 300}) < index_key(2, {0, 0}));
  const auto parsed = UNWRAP(parse_index_key(key));
  CHECK_TRUE(parsed.first == 7 && parsed.second == (PageKey{0x1234, 2}));
  CHECK_FALSE(parse_index_key("s1234").has_value());
  CHECK_FALSE(parse_index_key(key + "x").has_value());
}
