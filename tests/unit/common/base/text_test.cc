// SPDX-License-Identifier: Apache-2.0
#include "common/base/text.h"

#include "tests/support/check_result.h"

using base::Code;

TEST_GROUP(Text){};

TEST(Text, numbers_have_bounds_and_no_decoration) {
  LONGS_EQUAL(42, UNWRAP(base::parse_int("42", 0, 100)));
  LONGS_EQUAL(-1, UNWRAP(base::parse_int("-1", -1, 0)));
  for (const char* bad :
       {"", " 1", "1 ", "+1", "0x10", "101", "-1", "9999999999999999999999", "1.0"}) {
    CHECK_ERROR(Code::invalid_argument, "number_invalid", base::parse_int(bad, 0, 100));
  }
}

TEST(Text, base64_round_trips_every_length) {
  std::string bytes;
  for (int i = 0; i < 64; ++i) {
    STRCMP_EQUAL(base::to_hex(bytes).c_str(),
                 base::to_hex(UNWRAP(base::from_base64(base::to_base64url(bytes)))).c_str());
    bytes += static_cast<char>(i * 37);
  }
}

TEST(Text, base64_takes_both_alphabets_and_refuses_the_rest) {
  STRCMP_EQUAL("a:b", UNWRAP(base::from_base64("YTpi")).c_str());
  STRCMP_EQUAL("ab", UNWRAP(base::from_base64("YWI=")).c_str());
  for (const char* bad : {"A", "YW!j", "YW Jj", "YWJj\n"}) {
    CHECK_ERROR(Code::invalid_argument, "base64_invalid", base::from_base64(bad));
  }
}

TEST(Text, utf8_refuses_overlong_surrogates_and_cut_sequences) {
  CHECK_TRUE(base::is_utf8("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x99"));
  for (const char* bad :
       {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", "\xe2\x82", "\x80", "\xff"}) {
    CHECK_FALSE(base::is_utf8(bad));
  }
}

TEST(Text, percent_decoding_happens_once) {
  STRCMP_EQUAL("a b%2f", UNWRAP(base::percent_decode("a%20b%252f")).c_str());
  CHECK_ERROR(Code::invalid_argument, "escape_invalid", base::percent_decode("%4"));
  CHECK_ERROR(Code::invalid_argument, "escape_invalid", base::percent_decode("%zz"));
}

TEST(Text, split_keeps_empty_pieces) {
  LONGS_EQUAL(3, base::split("a//b", '/').size());
  LONGS_EQUAL(1, base::split("", '/').size());
}
