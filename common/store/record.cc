// SPDX-License-Identifier: Apache-2.0
#include "common/store/record.h"

#include "common/base/bytes.h"

namespace store {
namespace {

// One number per kind of record, raised when its layout changes.
constexpr std::uint8_t kRecordFormat = 1;
constexpr std::uint8_t kChangeFormat = 65;
constexpr std::uint8_t kFeedFormat = 129;

}  // namespace

std::string encode_record(std::string_view key, std::uint64_t version, std::string_view value) {
  base::ByteWriter body;
  body.u64(version).raw(value);
  return base::seal_record(key, kRecordFormat, body.bytes());
}

std::string encode_change(std::string_view key, const Change& change) {
  base::ByteWriter body;
  body.u64(change.version).text(change.collection).text(change.key);
  return base::seal_record(key, kChangeFormat, body.bytes());
}

std::string encode_feed(std::string_view key, const FeedState& state) {
  base::ByteWriter body;
  body.u64(state.last).u64(state.trimmed);
  return base::seal_record(key, kFeedFormat, body.bytes());
}

base::Result<Record> decode_record(std::string_view key, std::string_view bytes) {
  base::ByteReader reader(TRY(base::open_record(key, kRecordFormat, bytes)));
  const std::uint64_t version = TRY(reader.u64());
  return Record{std::string(key), std::string(reader.rest()), version};
}

base::Result<Change> decode_change(std::string_view key, std::string_view bytes) {
  base::ByteReader reader(TRY(base::open_record(key, kChangeFormat, bytes)));
  Change change;
  change.sequence = TRY(base::ByteReader(key).u64());
  change.version = TRY(reader.u64());
  change.collection = TRY(reader.text());
  change.key = TRY(reader.text());
  TRY(reader.end());
  return change;
}

base::Result<FeedState> decode_feed(std::string_view key, std::string_view bytes) {
  base::ByteReader reader(TRY(base::open_record(key, kFeedFormat, bytes)));
  FeedState state;
  state.last = TRY(reader.u64());
  state.trimmed = TRY(reader.u64());
  TRY(reader.end());
  return state;
}

}  // namespace store
