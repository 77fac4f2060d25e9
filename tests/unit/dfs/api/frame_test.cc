// SPDX-License-Identifier: Apache-2.0
#include "dfs/api/frame.h"

#include "tests/support/check_result.h"

using base::Code;
using base::Error;
using namespace dfs;

TEST_GROUP(Frame){};

TEST(Frame, body_and_data_arrive_apart) {
  const std::string bytes = encode_frame({FrameType::reply, 5, 77, "body", "data"});
  const Frame frame = UNWRAP(parse_frame(bytes));
  CHECK_TRUE(frame.type == FrameType::reply && frame.kind == 5 && frame.request == 77);
  CHECK_TRUE(frame.body == "body" && frame.data == "data");
}

TEST(Frame, every_flipped_bit_before_the_data_is_noticed) {
  const std::string bytes = encode_frame({FrameType::request, 1, 2, "body", ""});
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(parse_frame(damaged).has_value());
  }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(parse_frame(std::string_view(bytes).substr(0, size)).has_value());
  std::string newer = bytes;
  newer[0] = 2;
  CHECK_ERROR(Code::unsupported, "frame_version", parse_frame(newer));
}

TEST(Frame, an_error_keeps_its_meaning_on_the_way) {
  const Error stale = decode_error(encode_error(
      {Code::failed_precondition, "epoch 3, the volume has 4", "stale_epoch", ESTALE}));
  CHECK_TRUE(stale.code == Code::failed_precondition && stale.reason == "stale_epoch");
  LONGS_EQUAL(ESTALE, stale.os_errno);
  const Error other = decode_error(encode_error({Code::no_space, "full", "of_a_newer_version"}));
  CHECK_TRUE(other.code == Code::no_space && other.reason == "remote_error");
  STRCMP_EQUAL("of_a_newer_version: full", other.detail.c_str());
  STRCMP_EQUAL("bytes_truncated", std::string(decode_error("").reason).c_str());
  STRCMP_EQUAL("frame_corrupt",
               std::string(decode_error("\xff" + encode_error({}).substr(1)).reason).c_str());
}
