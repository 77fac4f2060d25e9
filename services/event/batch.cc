// SPDX-License-Identifier: Apache-2.0
#include "services/event/batch.h"

#include "common/base/bytes.h"
#include "common/base/crc32c.h"

namespace services::event {
namespace {

constexpr std::uint32_t kBatchMagic = 0x47455631;    // "GEV1"
constexpr std::uint32_t kIndexMagic = 0x47455849;    // "GEXI"
constexpr std::uint32_t kTrailerMagic = 0x47455454;  // "GETT"
constexpr std::uint8_t kHasKey = 1;
constexpr std::uint8_t kHasData = 2;
constexpr std::size_t kIndexEntryBytes = 24;
constexpr std::size_t kIndexHeaderBytes = 12;
constexpr std::size_t kIndexEntriesMax = 1 << 20;

base::Error corrupt(std::string detail) {
  return base::Error{base::Code::corrupt, std::move(detail), "event_log_corrupt"};
}

void pad(std::string& bytes) { bytes.resize((bytes.size() + kBlock - 1) / kBlock * kBlock, '\0'); }

std::string with_checksum(std::uint32_t magic, std::string_view seal, std::string_view body) {
  std::string bytes =
      base::ByteWriter().u32(magic).u32(base::crc32c(body, base::crc32c(seal))).raw(body).take();
  pad(bytes);
  return bytes;
}

void encode_event(base::ByteWriter& out, const Event& event) {
  out.u8(static_cast<std::uint8_t>((event.key ? kHasKey : 0) | (event.data ? kHasData : 0)));
  out.text(event.id).text(event.name);
  if (event.key) out.text(*event.key);
  if (event.data) out.text(*event.data);
}

}  // namespace

std::size_t encoded_size(const Event& event) {
  return 1 + 4 + event.id.size() + 4 + event.name.size() + (event.key ? 4 + event.key->size() : 0) +
         (event.data ? 4 + event.data->size() : 0);
}

std::string encode_batch(std::string_view seal, BatchHeader header,
                         std::span<const Event* const> events) {
  std::size_t size = 0;
  for (const Event* event : events) size += encoded_size(*event);
  CHECK_THAT(size <= kBatchBodyMax);
  base::ByteWriter covered;
  covered.reserve(kBatchHeaderBytes + size + kBlock);
  covered.u64(header.number).u64(header.first).i64(header.time_ms);
  covered.u32(static_cast<std::uint32_t>(events.size())).u32(static_cast<std::uint32_t>(size));
  for (const Event* event : events) encode_event(covered, *event);
  return with_checksum(kBatchMagic, seal, covered.bytes());
}

base::Result<BatchHeader> decode_batch_header(std::string_view bytes) {
  base::ByteReader reader(bytes.substr(0, kBatchHeaderBytes));
  if (TRY(reader.u32()) != kBatchMagic) return corrupt("no batch begins here");
  BatchHeader header;
  header.checksum = TRY(reader.u32());
  header.number = TRY(reader.u64());
  header.first = TRY(reader.u64());
  header.time_ms = TRY(reader.i64());
  header.count = TRY(reader.u32());
  header.size = TRY(reader.u32());
  if (header.size > kBatchBodyMax || header.count > header.size)
    return corrupt("a batch says that it is larger than batches are");
  return header;
}

bool is_batch_whole(std::string_view seal, const BatchHeader& header, std::string_view bytes) {
  if (bytes.size() != kBatchHeaderBytes + header.size) return false;
  return base::crc32c(bytes.substr(8), base::crc32c(seal)) == header.checksum;
}

base::Result<std::vector<Event>> decode_events(const BatchHeader& header, std::string_view body) {
  base::ByteReader reader(body);
  std::vector<Event> events;
  events.reserve(header.count);
  for (std::uint32_t i = 0; i < header.count; ++i) {
    const std::uint8_t flags = TRY(reader.u8());
    if ((flags & ~(kHasKey | kHasData)) != 0) return corrupt("an event has unknown flags");
    Event event;
    event.id = TRY(reader.text());
    event.name = TRY(reader.text());
    if ((flags & kHasKey) != 0) event.key = TRY(reader.text());
    if ((flags & kHasData) != 0) event.data = TRY(reader.text());
    events.push_back(std::move(event));
  }
  TRY(reader.end());
  return events;
}

std::string encode_index(std::string_view seal, std::span<const IndexEntry> entries) {
  base::ByteWriter covered;
  covered.u32(static_cast<std::uint32_t>(entries.size()));
  for (const IndexEntry& entry : entries)
    covered.u64(entry.offset).i64(entry.time_ms).u64(entry.position);
  return with_checksum(kIndexMagic, seal, covered.bytes());
}

base::Result<std::vector<IndexEntry>> decode_index(std::string_view seal, std::string_view bytes) {
  base::ByteReader reader(bytes);
  if (TRY(reader.u32()) != kIndexMagic) return corrupt("no index begins here");
  const std::uint32_t checksum = TRY(reader.u32());
  const std::uint32_t count = TRY(reader.u32());
  if (count > kIndexEntriesMax || bytes.size() < kIndexHeaderBytes + count * kIndexEntryBytes)
    return corrupt("an index says that it is larger than it is");
  const std::string_view covered = bytes.substr(8, 4 + count * kIndexEntryBytes);
  if (base::crc32c(covered, base::crc32c(seal)) != checksum)
    return corrupt("the checksum of an index is wrong");
  std::vector<IndexEntry> entries(count);
  for (IndexEntry& entry : entries) {
    entry.offset = TRY(reader.u64());
    entry.time_ms = TRY(reader.i64());
    entry.position = TRY(reader.u64());
  }
  return entries;
}

std::string encode_trailer(std::string_view seal, const Trailer& trailer) {
  base::ByteWriter covered;
  covered.u64(trailer.index_position).u64(trailer.next).i64(trailer.last_time_ms);
  covered.u64(trailer.next_number);
  return with_checksum(kTrailerMagic, seal, covered.bytes());
}

base::Result<Trailer> decode_trailer(std::string_view seal, std::string_view bytes) {
  base::ByteReader reader(bytes);
  if (TRY(reader.u32()) != kTrailerMagic) return corrupt("no trailer begins here");
  const std::uint32_t checksum = TRY(reader.u32());
  Trailer trailer;
  trailer.index_position = TRY(reader.u64());
  trailer.next = TRY(reader.u64());
  trailer.last_time_ms = TRY(reader.i64());
  trailer.next_number = TRY(reader.u64());
  if (base::crc32c(bytes.substr(8, 32), base::crc32c(seal)) != checksum)
    return corrupt("the checksum of a trailer is wrong");
  return trailer;
}

}  // namespace services::event
