// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/journal_format.h"

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "tests/support/check_result.h"

using namespace dfs::replication;

namespace {

JournalBatch sample() {
  LogWrite write;
  write.promised = 9;
  write.settled = 3;
  write.keep = 4;
  write.entries = {{Entry{9, 5, 77, "payload"}, false}, {Entry{9, 6, 78, ""}, true}};
  LogWrite reset;
  reset.promised = 2;
  reset.base = Position{100, 2};
  return {{{1, 8, {3, 7}}}, {{1, write}, {2, reset}}};
}

// The body of a batch, wherever its header says that it ends.
base::Result<JournalBatch> decode(std::string_view bytes) {
  const BatchHeader header = TRY(decode_batch_header(bytes));
  return decode_batch_body(header, bytes.substr(kBatchHeaderBytes, header.size));
}

}  // namespace

TEST_GROUP(JournalFormat){};

TEST(JournalFormat, what_was_encoded_is_decoded) {
  const std::string bytes = encode_batch(sample(), 5, 6);
  LONGS_EQUAL(kJournalBlock, bytes.size());
  const BatchHeader header = UNWRAP(decode_batch_header(bytes));
  CHECK_TRUE(header.nonce == 5 && header.number == 6);
  CHECK_TRUE(UNWRAP(decode(bytes)) == sample());
  const SegmentHeader segment{1, 2, 3, 4, 5};
  CHECK_TRUE(UNWRAP(decode_segment_header(encode_segment_header(segment))) == segment);
  LONGS_EQUAL(kSegmentHeaderBytes, encode_segment_header(segment).size());
}

TEST(JournalFormat, every_flipped_bit_of_header_and_body_is_noticed) {
  const std::string bytes = encode_batch(sample(), 5, 6);
  const std::size_t size = kBatchHeaderBytes + UNWRAP(decode_batch_header(bytes)).size;
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    CHECK_ERROR(base::Code::corrupt, "journal_corrupt", decode(damaged));
  }
  const std::string segment = encode_segment_header({1, 2, 3, 4, 5});
  for (std::size_t bit = 0; bit < segment.size() * 8; ++bit) {
    std::string damaged = segment;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    CHECK_ERROR(base::Code::corrupt, "journal_corrupt", decode_segment_header(damaged));
  }
}

TEST(JournalFormat, a_body_that_no_writer_makes_is_refused_though_its_checksum_fits) {
  for (const std::string& body :
       {std::string("\x07"), std::string("\x02\x00\x00", 3),
        // A write with unknown flags; one with more entries than bytes.
        base::ByteWriter().u8(2).u32(1).u64(1).u64(0).u8(64).u32(0).take(),
        base::ByteWriter().u8(2).u32(1).u64(1).u64(0).u8(0).u32(UINT32_MAX).take()}) {
    const BatchHeader header{1, 1, static_cast<std::uint32_t>(body.size()), base::crc32c(body)};
    CHECK_ERROR(base::Code::corrupt, "journal_corrupt", decode_batch_body(header, body));
  }
}

TEST(JournalFormat, the_size_that_is_foretold_is_never_exceeded) {
  for (const auto& [group, write] : sample().writes) {
    const JournalBatch one{{}, {{group, write}}};
    const auto size = UNWRAP(decode_batch_header(encode_batch(one, 1, 1))).size;
    CHECK_TRUE(size <= encoded_size_max(write));
  }
}
