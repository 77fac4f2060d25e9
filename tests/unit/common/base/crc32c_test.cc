// SPDX-License-Identifier: Apache-2.0
#include "common/base/crc32c.h"

#include "tests/support/check_result.h"

TEST_GROUP(Crc32c){};

TEST(Crc32c, matches_the_vectors_of_rfc_3720) {
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending += c;
  CHECK_TRUE(base::crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK_TRUE(base::crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK_TRUE(base::crc32c(ascending) == 0x46dd794e);
  CHECK_TRUE(base::crc32c("123456789") == 0xe3069283);
  CHECK_TRUE(base::crc32c("") == 0);
}

TEST(Crc32c, can_be_taken_in_pieces) {
  const std::string text = "a text of an odd length, over one word";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const std::uint32_t first = base::crc32c(text.substr(0, cut));
    CHECK_TRUE(base::crc32c(text.substr(cut), first) == base::crc32c(text));
  }
}
