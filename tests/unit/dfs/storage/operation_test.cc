// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/operation.h"

#include "tests/support/check_result.h"

using base::Code;
using namespace dfs;           // NOLINT: the subject
using namespace dfs::storage;  // NOLINT: the subject

TEST_GROUP(Operation){};

TEST(Operation, each_kind_comes_back_as_it_was) {
  const ObjectPlace place{1, 2, 3, 4};
  const std::string bytes = encode_operation(WriteObject{place, 5, {6}}, "data");
  const Operation write = UNWRAP(decode_operation(bytes));
  STRCMP_EQUAL("data", std::string(write.data).c_str());
  LONGS_EQUAL(5, std::get<WriteObject>(write.change).offset);
  LONGS_EQUAL(4, std::get<WriteObject>(write.change).place.object);
  const auto kind = [](const std::string& text) {
    return UNWRAP(decode_operation(text)).change.index();
  };
  LONGS_EQUAL(1, kind(encode_operation(CutObject{place, 1})));
  LONGS_EQUAL(2, kind(encode_operation(PunchObject{place, 1, 2})));
  LONGS_EQUAL(3, kind(encode_operation(RemoveObject{place})));
  LONGS_EQUAL(4, kind(encode_operation(Fence{1, 2, 3})));
}

TEST(Operation, what_is_none_is_refused) {
  CHECK_ERROR(Code::corrupt, "bytes_truncated", decode_operation(""));
  CHECK_ERROR(Code::corrupt, "operation_invalid", decode_operation(std::string("\x02\0\0\0\0", 5)));
  const std::string bytes = encode_operation(CutObject{{1, 2, 3, 4}, 5});
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_operation(bytes.substr(0, size)).has_value());
}

TEST(Operation, an_outcome_keeps_index_and_error) {
  LONGS_EQUAL(77, UNWRAP(decode_outcome(encode_outcome(ChangeReply{77}))).index);
  CHECK_ERROR(Code::failed_precondition, "stale_epoch",
              decode_outcome(encode_outcome(
                  base::Error{Code::failed_precondition, "old", "stale_epoch", ESTALE})));
  CHECK_FALSE(decode_outcome("").has_value());
}
