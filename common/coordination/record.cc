// SPDX-License-Identifier: Apache-2.0
#include "common/coordination/record.h"

#include "common/base/bytes.h"

namespace coordination {
namespace {

// One number per kind of record, raised when its layout changes.
constexpr std::uint8_t kNodeFormat = 1;
constexpr std::uint8_t kSessionFormat = 65;
constexpr std::uint8_t kStateFormat = 129;

}  // namespace

std::string node_key(std::string_view path) {
  if (path == "/") return std::string(1, '\0');
  std::string key(path.substr(1));
  const std::size_t slash = key.rfind('/');
  if (slash == std::string::npos) return std::string(1, '\0') + key;
  key[slash] = '\0';
  return key;
}

std::string children_prefix(std::string_view path) { return std::string(path.substr(1)) + '\0'; }

std::string encode(std::string_view key, const NodeRecord& node) {
  base::ByteWriter body;
  body.i64(node.stat.version).i64(node.stat.created_txn).i64(node.stat.modified_txn);
  body.i64(node.stat.children_version).u64(node.stat.ephemeral_owner);
  body.u64(node.next_sequence).u64(node.serial).text(node.data);
  return base::seal_record(key, kNodeFormat, body.bytes());
}

std::string encode(std::string_view key, const SessionRecord& session) {
  return base::seal_record(key, kSessionFormat, base::ByteWriter().i64(session.pid).bytes());
}

std::string encode(std::string_view key, const TreeState& state) {
  base::ByteWriter body;
  body.i64(state.txn).i64(state.sessions_txn).u64(state.next_session).u64(state.next_serial);
  return base::seal_record(key, kStateFormat, body.bytes());
}

base::Result<NodeRecord> decode_node(std::string_view key, std::string_view bytes) {
  base::ByteReader reader(TRY(base::open_record(key, kNodeFormat, bytes)));
  NodeRecord node;
  node.stat.version = TRY(reader.i64());
  node.stat.created_txn = TRY(reader.i64());
  node.stat.modified_txn = TRY(reader.i64());
  node.stat.children_version = TRY(reader.i64());
  node.stat.ephemeral_owner = TRY(reader.u64());
  node.next_sequence = TRY(reader.u64());
  node.serial = TRY(reader.u64());
  node.data = TRY(reader.text());
  TRY(reader.end());
  return node;
}

base::Result<SessionRecord> decode_session(std::string_view key, std::string_view bytes) {
  base::ByteReader reader(TRY(base::open_record(key, kSessionFormat, bytes)));
  SessionRecord session;
  session.pid = TRY(reader.i64());
  TRY(reader.end());
  return session;
}

base::Result<TreeState> decode_state(std::string_view key, std::string_view bytes) {
  base::ByteReader reader(TRY(base::open_record(key, kStateFormat, bytes)));
  TreeState state;
  state.txn = TRY(reader.i64());
  state.sessions_txn = TRY(reader.i64());
  state.next_session = TRY(reader.u64());
  state.next_serial = TRY(reader.u64());
  TRY(reader.end());
  return state;
}

}  // namespace coordination
