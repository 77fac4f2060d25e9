// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/messages.h"

#include "common/base/bytes.h"
#include "common/base/crc32c.h"

namespace dfs::replication {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Error;
using base::Result;

constexpr std::size_t kFixedBytesMax = 64;
constexpr std::size_t kEntryBytes = 28;

Error bad_message(std::string detail) {
  return {base::Code::corrupt, std::move(detail), "message_corrupt"};
}

enum class MessageKind : std::uint8_t {
  append = 1,
  append_reply,
  join,
  snapshot_piece,
  snapshot_answer
};

ByteWriter begin(MessageKind kind, std::size_t content) {
  ByteWriter out;
  out.reserve(kFixedBytesMax + content);
  out.u32(0).u8(static_cast<std::uint8_t>(kind));
  return out;
}

ByteWriter put(const Append& append) {
  std::size_t size = 0;
  for (const Entry& entry : append.entries) size += kEntryBytes + entry.payload.size();
  ByteWriter out = begin(MessageKind::append, size);
  out.u64(append.epoch).u64(append.previous_index).u64(append.previous_epoch);
  out.u64(append.committed).u64(append.lease_round);
  out.u32(static_cast<std::uint32_t>(append.entries.size()));
  // Indices follow from the one before.
  for (const Entry& entry : append.entries)
    out.u64(entry.epoch).u64(entry.request).text(entry.payload);
  return out;
}

ByteWriter put(const AppendReply& reply) {
  ByteWriter out = begin(MessageKind::append_reply, 0);
  out.u64(reply.epoch).u8(reply.accepted ? 1 : 0).u64(reply.durable).u64(reply.refused_epoch);
  out.u64(reply.lease_round);
  return out;
}

ByteWriter put(const Join& join) {
  ByteWriter out = begin(MessageKind::join, 0);
  out.u64(join.epoch).u64(join.last_index);
  return out;
}

ByteWriter put(const SnapshotPiece& piece) {
  ByteWriter out = begin(MessageKind::snapshot_piece, piece.bytes.size());
  out.u64(piece.transfer).u64(piece.number).u64(piece.position.index).u64(piece.position.epoch);
  out.u8(piece.is_last ? 1 : 0).u32(piece.checksum).text(piece.bytes);
  return out;
}

ByteWriter put(const SnapshotAnswer& answer) {
  ByteWriter out = begin(MessageKind::snapshot_answer, answer.answer.size());
  out.u64(answer.transfer).u64(answer.number).u8(answer.accepted ? 1 : 0).text(answer.answer);
  return out;
}

ByteWriter put(const Message& message) {
  return std::visit([](const auto& body) { return put(body); }, message);
}

Result<bool> get_bool(ByteReader& in) {
  const std::uint8_t value = TRY(in.u8());
  if (value > 1) return bad_message("a truth value is neither 0 nor 1");
  return value == 1;
}

Result<PeerMessage> get_append(ByteReader& in) {
  Append append;
  append.epoch = TRY(in.u64());
  append.previous_index = TRY(in.u64());
  append.previous_epoch = TRY(in.u64());
  append.committed = TRY(in.u64());
  append.lease_round = TRY(in.u64());
  const std::uint32_t count = TRY(in.u32());
  if (count > in.rest().size()) return bad_message("an append has more entries than bytes");
  for (std::uint32_t i = 0; i < count; ++i) {
    Entry entry;
    entry.index = append.previous_index + i + 1;
    entry.epoch = TRY(in.u64());
    entry.request = TRY(in.u64());
    entry.payload = std::string(TRY(in.text()));
    append.entries.push_back(std::move(entry));
  }
  return PeerMessage(Message(std::move(append)));
}

Result<PeerMessage> get_append_reply(ByteReader& in) {
  AppendReply reply;
  reply.epoch = TRY(in.u64());
  reply.accepted = TRY(get_bool(in));
  reply.durable = TRY(in.u64());
  reply.refused_epoch = TRY(in.u64());
  reply.lease_round = TRY(in.u64());
  return PeerMessage(Message(reply));
}

Result<PeerMessage> get_join(ByteReader& in) {
  Join join;
  join.epoch = TRY(in.u64());
  join.last_index = TRY(in.u64());
  return PeerMessage(Message(join));
}

Result<PeerMessage> get_piece(ByteReader& in) {
  SnapshotPiece piece;
  piece.transfer = TRY(in.u64());
  piece.number = TRY(in.u64());
  piece.position.index = TRY(in.u64());
  piece.position.epoch = TRY(in.u64());
  piece.is_last = TRY(get_bool(in));
  piece.checksum = TRY(in.u32());
  piece.bytes = std::string(TRY(in.text()));
  return PeerMessage(std::move(piece));
}

Result<PeerMessage> get_answer(ByteReader& in) {
  SnapshotAnswer answer;
  answer.transfer = TRY(in.u64());
  answer.number = TRY(in.u64());
  answer.accepted = TRY(get_bool(in));
  answer.answer = std::string(TRY(in.text()));
  return PeerMessage(std::move(answer));
}

Result<PeerMessage> get_body(std::uint8_t kind, ByteReader& in) {
  switch (static_cast<MessageKind>(kind)) {
    case MessageKind::append: return get_append(in);
    case MessageKind::append_reply: return get_append_reply(in);
    case MessageKind::join: return get_join(in);
    case MessageKind::snapshot_piece: return get_piece(in);
    case MessageKind::snapshot_answer: return get_answer(in);
  }
  return bad_message("a message is of an unknown kind");
}

Result<PeerMessage> get(ByteReader& in) {
  const std::uint8_t kind = TRY(in.u8());
  PeerMessage message = TRY(get_body(kind, in));
  TRY(in.end());
  return message;
}

}  // namespace

std::string encode_message(const PeerMessage& message) {
  std::string bytes = std::visit([](const auto& body) { return put(body).take(); }, message);
  const std::uint32_t checksum = base::crc32c(std::string_view(bytes).substr(4));
  bytes.replace(0, 4, base::ByteWriter().u32(checksum).bytes());
  return bytes;
}

Result<PeerMessage> decode_message(std::string_view bytes) {
  ByteReader in(bytes);
  const Result<std::uint32_t> checksum = in.u32();
  if (!checksum || base::crc32c(in.rest()) != *checksum)
    return bad_message("a message has a wrong checksum");
  Result<PeerMessage> message = get(in);
  if (!message) return bad_message(message.error().detail);
  return message;
}

}  // namespace dfs::replication
