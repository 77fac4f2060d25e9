// SPDX-License-Identifier: Apache-2.0
// What a segment of the event log holds, byte by byte.
//
// Used by segment.cc. Segment: batches, each at a multiple of 512 | once it is full: index block,
// trailer.
// Batch: magic u32 | CRC-32C u32 of `seal`, the rest of this header and the body | number u64 |
//   first offset u64 | time i64 (ms since 1970) | count u32 | body size u32 | body | zeros to 512.
// Body, per event: flags u8 (1 key, 2 data) | id | name | [key] | [data], texts led by their size.
// Index block: magic u32 | CRC-32C u32 | count u32 | (offset u64 | time i64 | position u64) each.
// Trailer, in the last 512 bytes: magic u32 | CRC-32C u32 | index position u64 | next offset u64 |
//   last time i64 | next batch number u64.
// Numbers are big-endian.
// 1. A batch is synced before the next one is written: one that is there proves that those before
// it were durable.
// 2. `seal` names channel, partition and segment, so that a block that turns up in another place is
// refused.
// 3. A batch with count 0 only proves the one before it.
// Threads: stateless.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "services/event/event.h"

namespace services::event {

inline constexpr std::size_t kBlock = 512;
inline constexpr std::size_t kBatchHeaderBytes = 40;
inline constexpr std::size_t kBatchBodyMax = std::size_t{8} << 20;

struct BatchHeader {
  std::uint64_t number = 0;
  Offset first = 0;
  std::int64_t time_ms = 0;
  std::uint32_t count = 0;
  std::uint32_t size = 0;  // of the body
  std::uint32_t checksum = 0;
  Offset next() const { return first + count; }
  // Of the batch on the disk.
  std::uint64_t bytes() const { return (kBatchHeaderBytes + size + kBlock - 1) / kBlock * kBlock; }
};

struct IndexEntry {
  Offset offset = 0;  // of the first event in the batch at `position`
  std::int64_t time_ms = 0;
  std::uint64_t position = 0;
  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

struct Trailer {
  std::uint64_t index_position = 0;
  Offset next = 0;
  std::int64_t last_time_ms = 0;
  std::uint64_t next_number = 0;
  friend bool operator==(const Trailer&, const Trailer&) = default;
};

std::size_t encoded_size(const Event& event);
// `header.count`, `size` and `checksum` are filled in. Requires: the body fits kBatchBodyMax.
std::string encode_batch(std::string_view seal, BatchHeader header,
                         std::span<const Event* const> events);
// Errors of all: corrupt event_log_corrupt.
// The header alone, unproved: sizes are within their limits.
base::Result<BatchHeader> decode_batch_header(std::string_view bytes);
// Whether header and body belong together. `bytes` is kBatchHeaderBytes + size long.
bool is_batch_whole(std::string_view seal, const BatchHeader& header, std::string_view bytes);
base::Result<std::vector<Event>> decode_events(const BatchHeader& header, std::string_view body);

std::string encode_index(std::string_view seal, std::span<const IndexEntry> entries);
base::Result<std::vector<IndexEntry>> decode_index(std::string_view seal, std::string_view bytes);
std::string encode_trailer(std::string_view seal, const Trailer& trailer);
base::Result<Trailer> decode_trailer(std::string_view seal, std::string_view bytes);

}  // namespace services::event
