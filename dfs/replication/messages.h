// SPDX-License-Identifier: Apache-2.0
// The messages between the members of a group as bytes.
//
// Layout, big-endian: CRC-32C u32 of all that follows | kind u8 | fields. A new field needs a new
// kind: members of two versions work side by side.
// 1. Whatever the bytes are, decode_message() gives a message or an error, and allocates no more
// than a small multiple of what it was given.
// Threads: stateless.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "common/base/result.h"
#include "dfs/replication/state_machine.h"
#include "dfs/replication/types.h"

namespace dfs::replication {

// Primary to a node that needs a snapshot. The next piece goes out when this one was answered.
struct SnapshotPiece {
  std::uint64_t transfer = 0;
  std::uint64_t number = 0;  // from 0
  Position position;  // of the state, as far as the sender knows; what the last piece says counts
  bool is_last = false;        // then `bytes` is empty
  std::uint32_t checksum = 0;  // CRC-32C of the bytes of all pieces up to this one
  std::string bytes;
  friend bool operator==(const SnapshotPiece&, const SnapshotPiece&) = default;
};

// With it, the piece is taken; after a refusal the transfer is over.
struct SnapshotAnswer {
  std::uint64_t transfer = 0;
  std::uint64_t number = 0;
  bool accepted = false;
  std::string answer;  // SnapshotSink::take()
  friend bool operator==(const SnapshotAnswer&, const SnapshotAnswer&) = default;
};

using PeerMessage = std::variant<Message, SnapshotPiece, SnapshotAnswer>;

std::string encode_message(const PeerMessage& message);
// Errors: corrupt message_corrupt.
base::Result<PeerMessage> decode_message(std::string_view bytes);

}  // namespace dfs::replication
