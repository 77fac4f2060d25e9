// SPDX-License-Identifier: Apache-2.0
#include "dfs/api/wire.h"

#include "dfs/api/meta_protocol.h"
#include "dfs/api/storage_protocol.h"
#include "tests/support/check_result.h"

using base::Code;
using namespace dfs;

namespace {

Apply sample() {
  Apply apply;
  apply.session = 7;
  apply.sequence = 3;
  CreateOp create;
  create.folder = 1;
  create.name = "a";
  create.inode = 2;
  create.xattrs = {{"user.x", std::string("\0y", 2)}};
  SetAttributesOp set;
  set.inode = 2;
  set.size = UINT64_MAX;
  set.modified = -5;
  apply.operations = {create, set, DropOp{9}};
  return apply;
}

}  // namespace

TEST_GROUP(Wire){};

TEST(Wire, what_was_encoded_is_decoded) {
  const Apply back = UNWRAP(decode<Apply>(encode(sample())));
  CHECK_TRUE(back.session == 7 && back.sequence == 3);
  LONGS_EQUAL(3, back.operations.size());
  const auto& create = std::get<CreateOp>(back.operations[0]);
  STRCMP_EQUAL("a", create.name.c_str());
  CHECK_TRUE(create.xattrs == std::get<CreateOp>(sample().operations[0]).xattrs);
  const auto& set = std::get<SetAttributesOp>(back.operations[1]);
  CHECK_TRUE(set.size == UINT64_MAX && set.modified == -5 && !set.mode);
  CHECK_TRUE(std::get<DropOp>(back.operations[2]).inode == 9);
}

TEST(Wire, every_truncation_is_an_error_and_so_is_a_byte_too_many) {
  const std::string bytes = encode(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode<Apply>(std::string_view(bytes).substr(0, size)).has_value());
  CHECK_ERROR(Code::corrupt, "bytes_left_over", decode<Apply>(bytes + "x"));
}

TEST(Wire, values_that_no_writer_makes_are_refused) {
  // An operation with an unknown number, a truth value of 2, a list longer than its frame.
  std::string bytes = encode(sample());
  bytes[8 + 8 + 4] = 99;
  CHECK_ERROR(Code::corrupt, "wire_value_invalid", decode<Apply>(bytes));
  std::string reclaim = encode(Reclaim{});
  reclaim.back() = 2;
  CHECK_ERROR(Code::corrupt, "wire_value_invalid", decode<Reclaim>(reclaim));
  CHECK_ERROR(Code::corrupt, "wire_value_invalid",
              decode<ReadReply>(std::string("\xff\xff\xff\xff", 4)));
}

TEST(Wire, flipped_bytes_give_a_value_or_an_error) {
  const std::string bytes = encode(sample());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      const auto read = decode<Apply>(damaged);
      if (read) CHECK_TRUE(encode(*read).size() == damaged.size());
    }
  }
}
