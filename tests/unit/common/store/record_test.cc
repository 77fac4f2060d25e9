// SPDX-License-Identifier: Apache-2.0
#include "common/store/record.h"

#include "common/base/bytes.h"
#include "tests/support/check_result.h"

using base::Code;
using namespace store;

TEST_GROUP(StoreRecord){};

TEST(StoreRecord, a_record_is_read_back_as_it_was_written) {
  const std::string value("a\0b", 3);
  const Record read = UNWRAP(decode_record("key", encode_record("key", 7, value)));
  STRCMP_EQUAL("key", read.key.c_str());
  LONGS_EQUAL(7, read.version);
  CHECK_TRUE(read.value == value);
}

TEST(StoreRecord, a_change_takes_its_sequence_from_its_key) {
  const std::string key = base::ByteWriter().u64(9).take();
  const Change read = UNWRAP(decode_change(key, encode_change(key, {9, "words", "k", 3})));
  LONGS_EQUAL(9, read.sequence);
  STRCMP_EQUAL("words", read.collection.c_str());
  STRCMP_EQUAL("k", read.key.c_str());
  LONGS_EQUAL(3, read.version);
}

TEST(StoreRecord, the_feeds_state_is_read_back_as_it_was_written) {
  const FeedState read = UNWRAP(decode_feed("f", encode_feed("f", {5, 2})));
  LONGS_EQUAL(5, read.last);
  LONGS_EQUAL(2, read.trimmed);
}

TEST(StoreRecord, kinds_and_keys_are_not_mixed_up) {
  const std::string record = encode_record("k", 1, "v");
  CHECK_ERROR(Code::unsupported, "record_format", decode_feed("k", record));
  CHECK_ERROR(Code::unsupported, "record_format", decode_change("k", record));
  CHECK_ERROR(Code::corrupt, "record_corrupt", decode_record("l", record));
  CHECK_ERROR(Code::corrupt, "bytes_truncated", decode_record("k", ""));
}
