// SPDX-License-Identifier: Apache-2.0
// What the local engine keeps in LMDB: records of nodes and sessions, and the keys they lie under.
//
// 1. A node's key is its path without the leading '/', with the last '/' as a zero byte: the
// children of one node lie side by side, and listing them is one range scan.
// 2. Every record has a checksum that covers its key.
// Threads: any.
#pragma once

#include <string>
#include <string_view>

#include "common/coordination/coordination.h"

namespace coordination {

struct NodeRecord {
  Stat stat;
  std::uint64_t next_sequence = 0;  // for the next sequential child
  std::uint64_t serial = 0;         // of an ephemeral node: where its session's list names it
  std::string data;
};

struct SessionRecord {
  std::int64_t pid = 0;
};

// One for the whole tree.
struct TreeState {
  std::int64_t txn = 0;            // of the newest transaction
  std::int64_t sessions_txn = 0;   // of the newest that began or ended a session
  std::uint64_t next_session = 1;  // session ids are never used again
  std::uint64_t next_serial = 1;
};

std::string node_key(std::string_view path);
// What the keys of all children of `path` begin with; the name follows.
std::string children_prefix(std::string_view path);

std::string encode(std::string_view key, const NodeRecord& node);
std::string encode(std::string_view key, const SessionRecord& session);
std::string encode(std::string_view key, const TreeState& state);
// Errors: corrupt record_corrupt, bytes_truncated, bytes_left_over; unsupported record_format.
base::Result<NodeRecord> decode_node(std::string_view key, std::string_view bytes);
base::Result<SessionRecord> decode_session(std::string_view key, std::string_view bytes);
base::Result<TreeState> decode_state(std::string_view key, std::string_view bytes);

}  // namespace coordination
