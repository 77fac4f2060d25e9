// SPDX-License-Identifier: Apache-2.0
#include "services/event/batch.h"

#include "tests/support/check_result.h"

using namespace services::event;

namespace {

const std::vector<Event> kEvents{{"one", "n", "key", "data"},
                                 {"two", "", std::nullopt, std::nullopt}};

std::string sample(std::string_view seal = "seal") {
  std::vector<const Event*> events;
  for (const Event& event : kEvents) events.push_back(&event);
  return encode_batch(seal, {7, 40, 1000}, events);
}

}  // namespace

TEST_GROUP(EventBatch){};

TEST(EventBatch, what_was_encoded_is_decoded) {
  const std::string bytes = sample();
  LONGS_EQUAL(0, bytes.size() % kBlock);
  const BatchHeader header = UNWRAP(decode_batch_header(bytes));
  CHECK_TRUE(header.number == 7 && header.first == 40 && header.next() == 42);
  LONGS_EQUAL(bytes.size(), header.bytes());
  const std::string_view whole = std::string_view(bytes).substr(0, kBatchHeaderBytes + header.size);
  CHECK_TRUE(is_batch_whole("seal", header, whole));
  CHECK_TRUE(UNWRAP(decode_events(header, whole.substr(kBatchHeaderBytes))) == kEvents);
}

TEST(EventBatch, every_flipped_bit_and_another_place_are_noticed) {
  const std::string bytes = sample();
  const std::size_t size = kBatchHeaderBytes + UNWRAP(decode_batch_header(bytes)).size;
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    const auto header = decode_batch_header(damaged);
    CHECK_TRUE(!header || !is_batch_whole("seal", *header,
                                          damaged.substr(0, kBatchHeaderBytes + header->size)));
  }
  const BatchHeader header = UNWRAP(decode_batch_header(bytes));
  CHECK_FALSE(is_batch_whole("other", header, bytes.substr(0, size)));
}

TEST(EventBatch, bodies_that_no_writer_makes_are_refused) {
  BatchHeader header;
  header.count = 1;
  for (const std::string& body :
       {std::string(), std::string("\x04"), std::string("\x00\x00\x00\x00\x05x", 6),
        std::string("\x00\x00\x00\x00\x01x\x00\x00\x00\x00y", 11)})
    CHECK_ERROR(base::Code::corrupt, "", decode_events(header, body));
}

TEST(EventBatch, index_and_trailer_come_back_and_notice_damage) {
  const std::vector<IndexEntry> entries{{1, 2, 3}, {4, 5, 6}};
  const std::string index = encode_index("seal", entries);
  CHECK_TRUE(UNWRAP(decode_index("seal", index)) == entries);
  const Trailer trailer{512, 9, 8, 7};
  const std::string end = encode_trailer("seal", trailer);
  CHECK_TRUE(UNWRAP(decode_trailer("seal", end)) == trailer);
  LONGS_EQUAL(kBlock, end.size());
  for (std::size_t bit = 0; bit < 40 * 8; ++bit) {
    std::string damaged = end;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    CHECK_ERROR(base::Code::corrupt, "event_log_corrupt", decode_trailer("seal", damaged));
    damaged = index;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    CHECK_ERROR(base::Code::corrupt, "event_log_corrupt", decode_index("seal", damaged));
  }
  CHECK_ERROR(base::Code::corrupt, "", decode_index("seal", "short"));
}
