// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/snapshot_transfer.h"

#include <algorithm>

#include "common/base/crc32c.h"

namespace dfs::replication {

using base::Result;

namespace {

constexpr base::Duration kAnswerPatience = std::chrono::seconds(3);

}  // namespace

// ---- primary ----

Result<void> SnapshotSender::start(const NodeId& to) {
  const auto under_way = transfers_.find(to);
  if (under_way != transfers_.end() && under_way->second.source) return {};
  Transfer transfer;
  transfer.source = TRY(machine_.open_snapshot());
  transfer.number = next_transfer_++;
  Transfer& placed = transfers_[to] = std::move(transfer);
  return send_next(to, placed, {});
}

Result<void> SnapshotSender::send_next(const NodeId& to, Transfer& transfer,
                                       std::string_view answer) {
  Result<std::string> bytes = transfer.source->next(answer);
  if (!bytes) {
    transfers_.erase(to);
    return std::move(bytes).error();
  }
  SnapshotPiece piece;
  piece.transfer = transfer.number;
  piece.number = transfer.sent;
  piece.position = transfer.source->position();
  piece.is_last = bytes->empty();
  transfer.checksum = base::crc32c(*bytes, transfer.checksum);
  piece.checksum = transfer.checksum;
  piece.bytes = *std::move(bytes);
  transfer.is_last_sent = piece.is_last;
  transfer.position = piece.position.index;
  transfer.heard = clock_.now();
  send_(to, piece);
  return {};
}

Result<void> SnapshotSender::on_answer(const NodeId& from, const SnapshotAnswer& answer) {
  const auto at = transfers_.find(from);
  if (at == transfers_.end() || !at->second.source) return {};
  Transfer& transfer = at->second;
  if (transfer.number != answer.transfer || transfer.sent != answer.number) return {};
  if (!answer.accepted) {
    transfers_.erase(at);
    return {};
  }
  transfer.heard = clock_.now();
  if (transfer.is_last_sent) {
    transfer.source.reset();  // stays a while, for wanted_behind()
    return {};
  }
  ++transfer.sent;
  return send_next(from, transfer, answer.answer);
}

void SnapshotSender::on_tick() {
  std::erase_if(transfers_, [&](const auto& each) {
    return clock_.now() - each.second.heard >= kAnswerPatience;
  });
}

std::optional<Index> SnapshotSender::wanted_behind() const {
  std::optional<Index> least;
  for (const auto& [to, transfer] : transfers_)
    least = std::min(least.value_or(transfer.position), transfer.position);
  return least;
}

// ---- receiver ----

Result<void> SnapshotReceiver::on_piece(const NodeId& from, const SnapshotPiece& piece) {
  const Result<void> taken = take(from, piece);
  if (!taken) {
    sink_.reset();
    send_(from, SnapshotAnswer{piece.transfer, piece.number, false, {}});
  }
  return taken;
}

Result<void> SnapshotReceiver::take(const NodeId& from, const SnapshotPiece& piece) {
  const base::Error refused{base::Code::failed_precondition, "the snapshot does not fit",
                            "snapshot_refused"};
  if (piece.number == 0) {
    sink_.reset();
    if (!hooks_.is_needed(piece.position)) return refused;
    sink_ = TRY(machine_.receive_snapshot());
    transfer_ = piece.transfer;
    expected_ = 0;
    checksum_ = 0;
  }
  if (!sink_ || piece.transfer != transfer_ || piece.number != expected_) return refused;
  checksum_ = base::crc32c(piece.bytes, checksum_);
  if (checksum_ != piece.checksum)
    return base::Error{base::Code::corrupt, "a snapshot has a wrong checksum", "snapshot_corrupt"};
  ++expected_;
  SnapshotAnswer answer{piece.transfer, piece.number, true, {}};
  if (piece.is_last) {
    if (!hooks_.is_needed(piece.position)) return refused;
    const std::unique_ptr<SnapshotSink> sink = std::move(sink_);
    TRY(sink->install(piece.position));
    hooks_.installed(piece.position);
  } else {
    answer.answer = TRY(sink_->take(piece.bytes));
  }
  send_(from, answer);
  return {};
}

}  // namespace dfs::replication
