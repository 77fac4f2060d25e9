// SPDX-License-Identifier: Apache-2.0
// What a journal's segments hold, byte by byte.
//
// Segment: header copies in the sectors at 0 and 4096 | batches, each at a multiple of 4096.
// Header: magic u32 | CRC-32C u32 of what follows | generation u64 | nonce u64 | oldest u64 |
//   previous_end u64 | batches_before u64. Generation 0: not in use.
// Batch: magic u32 | CRC-32C u32 of the rest of this header | nonce u64 | number u64 |
//   body size u32 | body CRC-32C u32 | body: records, without a gap.
// Numbers are big-endian.
// 1. A batch is written and synced as a whole before the next one is begun: a batch that is there
// proves that the ones before it were.
// 2. The nonce is random for each use of a segment: what an earlier use left is never taken for
// new.
// Threads: stateless.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "dfs/replication/state_machine.h"
#include "dfs/replication/types.h"

namespace dfs::replication {

inline constexpr std::size_t kJournalBlock = 4096;
inline constexpr std::size_t kSegmentHeaderBytes = 48;
inline constexpr std::size_t kBatchHeaderBytes = 32;
inline constexpr std::uint64_t kSegmentStart = 2 * kJournalBlock;  // of the first batch

struct SegmentHeader {
  std::uint64_t generation = 0;  // counts the uses of segments
  std::uint64_t nonce = 0;
  std::uint64_t oldest = 0;          // the oldest generation that was needed when this one began
  std::uint64_t previous_end = 0;    // where the generation before this one ends
  std::uint64_t batches_before = 0;  // number of the last batch of the generation before
  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

struct BatchHeader {
  std::uint64_t nonce = 0;
  std::uint64_t number = 0;
  std::uint32_t size = 0;  // of the body
  std::uint32_t checksum = 0;
};

struct JournalEntry {
  Entry entry;
  bool is_substitute = false;  // the payload is what StateMachine::place() gave
  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};

// What one group writes at a time: cut behind `keep`, forget all before `base`, append `entries`.
struct LogWrite {
  Epoch promised = 0;
  // Entries up to here are durable with all that was placed elsewhere for them.
  Index settled = 0;
  std::optional<Index> keep;
  // The log is empty and begins behind this position.
  std::optional<Position> base;
  // The entries are in the log already and are only written again: nothing is cut.
  bool is_repeated = false;
  std::vector<JournalEntry> entries;
  friend bool operator==(const LogWrite&, const LogWrite&) = default;
};

// What a group still needs to be known of what came before a segment.
struct GroupMark {
  std::uint32_t group = 0;
  Epoch promised = 0;
  Position base;  // the log up to here is not needed any more
  friend bool operator==(const GroupMark&, const GroupMark&) = default;
};

struct JournalBatch {
  std::vector<GroupMark> marks;
  std::vector<std::pair<std::uint32_t, LogWrite>> writes;  // group, its write
  friend bool operator==(const JournalBatch&, const JournalBatch&) = default;
};

base::Error journal_corrupt(std::string detail);
std::string encode_segment_header(const SegmentHeader& header);
// Errors of all: corrupt journal_corrupt.
base::Result<SegmentHeader> decode_segment_header(std::string_view bytes);

// At least what encode_batch() takes for it.
std::size_t encoded_size_max(const LogWrite& write);
std::size_t encoded_size_max(const JournalEntry& entry);
// Header, body and zeros up to a multiple of kJournalBlock.
std::string encode_batch(const JournalBatch& batch, std::uint64_t nonce, std::uint64_t number);
// Of the first kBatchHeaderBytes.
base::Result<BatchHeader> decode_batch_header(std::string_view bytes);
// Requires nothing of `body`: the checksum is compared first.
base::Result<JournalBatch> decode_batch_body(const BatchHeader& header, std::string_view body);

inline std::uint64_t blocks(std::uint64_t bytes) {
  return (bytes + kJournalBlock - 1) / kJournalBlock * kJournalBlock;
}

}  // namespace dfs::replication
