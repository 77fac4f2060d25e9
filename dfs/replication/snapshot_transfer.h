// SPDX-License-Identifier: Apache-2.0
// Brings a state to another member piece by piece, one under way at a time.
//
// Used by the group, for the primary's and the receiver's side.
// 1. A piece that is lost ends the transfer by its deadline; the next Join starts another.
// 2. Nothing is installed before the checksum over all pieces was right.
// Threads: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "common/base/timers.h"
#include "dfs/replication/messages.h"

namespace dfs::replication {

using SendToPeer = std::function<void(const NodeId& to, const PeerMessage& message)>;

class SnapshotSender {
 public:
  SnapshotSender(StateMachine& machine, const base::Clock& clock, std::uint64_t first_transfer,
                 SendToPeer send)
      : machine_(machine), clock_(clock), next_transfer_(first_transfer), send_(std::move(send)) {}

  // Nothing when one is under way. Errors: those of the machine.
  base::Result<void> start(const NodeId& to);
  base::Result<void> on_answer(const NodeId& from, const SnapshotAnswer& answer);
  // Drops what is silent.
  void on_tick();
  void drop_all() { transfers_.clear(); }
  // Entries behind this are wanted by a receiver, now or once it has installed its snapshot.
  std::optional<Index> wanted_behind() const;

 private:
  struct Transfer {
    std::uint64_t number = 0;
    std::uint64_t sent = 0;  // number of the piece under way
    std::uint32_t checksum = 0;
    Index position = 0;
    bool is_last_sent = false;
    std::unique_ptr<SnapshotSource> source;  // empty once all is sent
    base::Instant heard;
  };
  base::Result<void> send_next(const NodeId& to, Transfer& transfer, std::string_view answer);

  StateMachine& machine_;
  const base::Clock& clock_;
  std::uint64_t next_transfer_;
  SendToPeer send_;
  std::map<NodeId, Transfer> transfers_;
};

class SnapshotReceiver {
 public:
  struct Hooks {
    std::function<bool(Position)> is_needed;
    // The state machine is at this position now, durably.
    std::function<void(Position)> installed;
  };
  SnapshotReceiver(StateMachine& machine, SendToPeer send, Hooks hooks)
      : machine_(machine), send_(std::move(send)), hooks_(std::move(hooks)) {}

  // Errors: those of the machine, of which none leaves the state changed in part.
  base::Result<void> on_piece(const NodeId& from, const SnapshotPiece& piece);

 private:
  base::Result<void> take(const NodeId& from, const SnapshotPiece& piece);

  StateMachine& machine_;
  SendToPeer send_;
  Hooks hooks_;
  std::unique_ptr<SnapshotSink> sink_;
  std::uint64_t transfer_ = 0;
  std::uint64_t expected_ = 0;
  std::uint32_t checksum_ = 0;
};

}  // namespace dfs::replication
