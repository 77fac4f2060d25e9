// SPDX-License-Identifier: Apache-2.0
#include "common/base/bytes.h"

#include "tests/support/check_result.h"

using base::ByteReader;
using base::ByteWriter;
using base::Code;

TEST_GROUP(Bytes){};

TEST(Bytes, what_was_written_is_read_back) {
  const std::string bytes =
      ByteWriter().u8(200).u32(0xdeadbeef).u64(1ULL << 63).i64(-2).text("abc").text("").take();
  ByteReader reader(bytes);
  LONGS_EQUAL(200, UNWRAP(reader.u8()));
  CHECK_TRUE(UNWRAP(reader.u32()) == 0xdeadbeef);
  CHECK_TRUE(UNWRAP(reader.u64()) == 1ULL << 63);
  CHECK_TRUE(UNWRAP(reader.i64()) == -2);
  STRCMP_EQUAL("abc", std::string(UNWRAP(reader.text())).c_str());
  LONGS_EQUAL(0, UNWRAP(reader.text()).size());
  CHECK_OK(reader.end());
}

TEST(Bytes, encoded_numbers_sort_like_numbers) {
  CHECK_TRUE(ByteWriter().u64(255).bytes() < ByteWriter().u64(256).bytes());
}

TEST(Bytes, every_truncation_is_an_error) {
  const std::string bytes = ByteWriter().u32(7).text("abc").take();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader reader(std::string_view(bytes).substr(0, size));
    const auto number = reader.u32();
    if (number) CHECK_ERROR(Code::corrupt, "bytes_truncated", reader.text());
  }
  CHECK_ERROR(Code::corrupt, "bytes_left_over", ByteReader("x").end());
}

TEST(Bytes, every_flipped_bit_of_a_sealed_record_is_noticed) {
  const std::string sealed = base::seal_record("key", 1, "body");
  STRCMP_EQUAL("body", std::string(UNWRAP(base::open_record("key", 1, sealed))).c_str());
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string broken = sealed;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << bit % 8));
    CHECK_ERROR(Code::corrupt, "record_corrupt", base::open_record("key", 1, broken));
  }
}

TEST(Bytes, a_sealed_record_is_refused_under_another_key_or_format) {
  const std::string sealed = base::seal_record("key", 2, "body");
  CHECK_ERROR(Code::corrupt, "record_corrupt", base::open_record("kez", 2, sealed));
  CHECK_ERROR(Code::unsupported, "record_format", base::open_record("key", 1, sealed));
  CHECK_ERROR(Code::corrupt, "bytes_truncated", base::open_record("key", 1, ""));
}
