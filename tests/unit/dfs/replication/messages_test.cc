// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/messages.h"

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "tests/support/check_result.h"

using namespace dfs::replication;

namespace {

std::vector<PeerMessage> samples() {
  Append append;
  append.epoch = 3;
  append.previous_index = 7;
  append.previous_epoch = 2;
  append.entries = {{2, 8, 11, "one"}, {3, 9, 12, ""}};
  append.committed = 6;
  append.lease_round = 99;
  SnapshotPiece piece;
  piece.transfer = 1;
  piece.number = 2;
  piece.position = {3, 4};
  piece.checksum = 5;
  piece.bytes = "piece";
  return {Message(append), Message(AppendReply{1, true, 2, 3, 4}), Message(Join{5, 6}), piece,
          SnapshotAnswer{1, 2, true, "answer"}};
}

}  // namespace

TEST_GROUP(Messages){};

TEST(Messages, what_was_encoded_is_decoded) {
  for (const PeerMessage& message : samples()) {
    const PeerMessage back = UNWRAP(decode_message(encode_message(message)));
    CHECK_TRUE(back.index() == message.index());
    STRCMP_EQUAL(encode_message(message).c_str(), encode_message(back).c_str());
  }
  const auto back = UNWRAP(decode_message(encode_message(samples()[0])));
  const auto& append = std::get<Append>(std::get<Message>(back));
  CHECK_TRUE(append.entries == std::get<Append>(std::get<Message>(samples()[0])).entries);
  CHECK_TRUE(append.committed == 6 && append.lease_round == 99);
}

TEST(Messages, every_flipped_bit_and_every_truncation_is_refused) {
  for (const PeerMessage& message : samples()) {
    const std::string bytes = encode_message(message);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      CHECK_ERROR(base::Code::corrupt, "message_corrupt", decode_message(damaged));
    }
    for (std::size_t size = 0; size < bytes.size(); ++size)
      CHECK_ERROR(base::Code::corrupt, "message_corrupt",
                  decode_message(std::string_view(bytes).substr(0, size)));
  }
}

TEST(Messages, what_no_writer_makes_is_refused_though_its_checksum_fits) {
  for (const std::string& body :
       {std::string("\x09"), std::string("\x02\x00", 2),
        // More entries than bytes; a truth value of 2; a byte too many.
        base::ByteWriter().u8(1).u64(1).u64(1).u64(1).u64(1).u64(1).u32(UINT32_MAX).take(),
        base::ByteWriter().u8(2).u64(1).u8(2).u64(1).u64(1).u64(1).take(),
        base::ByteWriter().u8(3).u64(1).u64(1).u8(0).take()}) {
    const std::string bytes = base::ByteWriter().u32(base::crc32c(body)).raw(body).take();
    CHECK_ERROR(base::Code::corrupt, "message_corrupt", decode_message(bytes));
  }
}
