// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/journal_format.h"

#include "common/base/bytes.h"
#include "common/base/crc32c.h"

namespace dfs::replication {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Error;
using base::Result;

constexpr std::uint32_t kSegmentMagic = 0x474a5331;  // "GJS1"
constexpr std::uint32_t kBatchMagic = 0x474a4231;    // "GJB1"

enum Record : std::uint8_t { kMark = 1, kWrite = 2 };
enum Flag : std::uint8_t { kKeep = 1, kBase = 2, kRepeated = 4, kFlagsEnd = 8 };

// Fixed parts of a write and of an entry in it, generously.
constexpr std::size_t kWriteBytesMax = 64;
constexpr std::size_t kEntryBytesMax = 40;

// magic | checksum of `rest` | rest
std::string seal(std::uint32_t magic, std::string_view rest) {
  return ByteWriter().u32(magic).u32(base::crc32c(rest)).raw(rest).take();
}

Result<std::string_view> open_seal(std::uint32_t magic, std::string_view bytes, std::size_t size) {
  if (bytes.size() < size) return journal_corrupt("a header is too short");
  ByteReader reader(bytes.substr(0, size));
  const std::uint32_t found = TRY(reader.u32());
  const std::uint32_t checksum = TRY(reader.u32());
  if (found != magic || base::crc32c(reader.rest()) != checksum)
    return journal_corrupt("a header is damaged");
  return reader.rest();
}

void put_write(ByteWriter& out, std::uint32_t group, const LogWrite& write) {
  const int flags =
      (write.keep ? kKeep : 0) | (write.base ? kBase : 0) | (write.is_repeated ? kRepeated : 0);
  out.u8(kWrite).u32(group).u64(write.promised).u64(write.settled);
  out.u8(static_cast<std::uint8_t>(flags));
  if (write.keep) out.u64(*write.keep);
  if (write.base) out.u64(write.base->index).u64(write.base->epoch);
  out.u32(static_cast<std::uint32_t>(write.entries.size()));
  for (const JournalEntry& each : write.entries) {
    out.u64(each.entry.epoch).u64(each.entry.index).u64(each.entry.request);
    out.u8(each.is_substitute ? 1 : 0).text(each.entry.payload);
  }
}

Result<JournalEntry> get_entry(ByteReader& in) {
  JournalEntry each;
  each.entry.epoch = TRY(in.u64());
  each.entry.index = TRY(in.u64());
  each.entry.request = TRY(in.u64());
  const std::uint8_t substitute = TRY(in.u8());
  if (substitute > 1) return journal_corrupt("a truth value is neither 0 nor 1");
  each.is_substitute = substitute == 1;
  each.entry.payload = std::string(TRY(in.text()));
  return each;
}

Result<LogWrite> get_write(ByteReader& in) {
  LogWrite write;
  write.promised = TRY(in.u64());
  write.settled = TRY(in.u64());
  const std::uint8_t flags = TRY(in.u8());
  if (flags >= kFlagsEnd) return journal_corrupt("a write has unknown flags");
  write.is_repeated = (flags & kRepeated) != 0;
  if ((flags & kKeep) != 0) write.keep = TRY(in.u64());
  if ((flags & kBase) != 0) {
    Position base;
    base.index = TRY(in.u64());
    base.epoch = TRY(in.u64());
    write.base = base;
  }
  const std::uint32_t count = TRY(in.u32());
  if (count > in.rest().size()) return journal_corrupt("a write has more entries than bytes");
  for (std::uint32_t i = 0; i < count; ++i) write.entries.push_back(TRY(get_entry(in)));
  return write;
}

Result<GroupMark> get_mark(ByteReader& in) {
  GroupMark mark;
  mark.group = TRY(in.u32());
  mark.promised = TRY(in.u64());
  mark.base.index = TRY(in.u64());
  mark.base.epoch = TRY(in.u64());
  return mark;
}

Result<JournalBatch> get_batch(std::string_view body) {
  JournalBatch batch;
  ByteReader in(body);
  while (!in.rest().empty()) {
    const std::uint8_t kind = TRY(in.u8());
    if (kind == kMark) {
      batch.marks.push_back(TRY(get_mark(in)));
    } else if (kind == kWrite) {
      const std::uint32_t group = TRY(in.u32());
      batch.writes.emplace_back(group, TRY(get_write(in)));
    } else {
      return journal_corrupt("a record is of an unknown kind");
    }
  }
  return batch;
}

}  // namespace

Error journal_corrupt(std::string detail) {
  return {base::Code::corrupt, std::move(detail), "journal_corrupt"};
}

std::string encode_segment_header(const SegmentHeader& header) {
  return seal(kSegmentMagic, ByteWriter()
                                 .u64(header.generation)
                                 .u64(header.nonce)
                                 .u64(header.oldest)
                                 .u64(header.previous_end)
                                 .u64(header.batches_before)
                                 .bytes());
}

Result<SegmentHeader> decode_segment_header(std::string_view bytes) {
  ByteReader in(TRY(open_seal(kSegmentMagic, bytes, kSegmentHeaderBytes)));
  SegmentHeader header;
  header.generation = TRY(in.u64());
  header.nonce = TRY(in.u64());
  header.oldest = TRY(in.u64());
  header.previous_end = TRY(in.u64());
  header.batches_before = TRY(in.u64());
  return header;
}

std::size_t encoded_size_max(const JournalEntry& entry) {
  return kEntryBytesMax + entry.entry.payload.size();
}

std::size_t encoded_size_max(const LogWrite& write) {
  std::size_t size = kWriteBytesMax;
  for (const JournalEntry& each : write.entries) size += encoded_size_max(each);
  return size;
}

std::string encode_batch(const JournalBatch& batch, std::uint64_t nonce, std::uint64_t number) {
  ByteWriter out;
  std::size_t size = kBatchHeaderBytes + batch.marks.size() * kEntryBytesMax + kJournalBlock;
  for (const auto& [group, write] : batch.writes) size += encoded_size_max(write);
  out.reserve(size);
  out.raw(std::string(kBatchHeaderBytes, '\0'));
  for (const GroupMark& mark : batch.marks) {
    out.u8(kMark).u32(mark.group).u64(mark.promised);
    out.u64(mark.base.index).u64(mark.base.epoch);
  }
  for (const auto& [group, write] : batch.writes) put_write(out, group, write);
  std::string bytes = out.take();
  const std::string_view body = std::string_view(bytes).substr(kBatchHeaderBytes);
  const std::string header = seal(kBatchMagic, ByteWriter()
                                                   .u64(nonce)
                                                   .u64(number)
                                                   .u32(static_cast<std::uint32_t>(body.size()))
                                                   .u32(base::crc32c(body))
                                                   .bytes());
  bytes.replace(0, header.size(), header);
  bytes.resize(blocks(bytes.size()));
  return bytes;
}

Result<BatchHeader> decode_batch_header(std::string_view bytes) {
  ByteReader in(TRY(open_seal(kBatchMagic, bytes, kBatchHeaderBytes)));
  BatchHeader header;
  header.nonce = TRY(in.u64());
  header.number = TRY(in.u64());
  header.size = TRY(in.u32());
  header.checksum = TRY(in.u32());
  return header;
}

Result<JournalBatch> decode_batch_body(const BatchHeader& header, std::string_view body) {
  if (body.size() != header.size || base::crc32c(body) != header.checksum)
    return journal_corrupt("a batch is damaged");
  Result<JournalBatch> batch = get_batch(body);
  // A checksum that fits proves what was written, not that this version wrote it.
  if (!batch) return journal_corrupt(batch.error().detail);
  return batch;
}

}  // namespace dfs::replication
