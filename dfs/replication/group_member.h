// SPDX-License-Identifier: Apache-2.0
// The group of start_group(): carries out what its Replica asks for.
//
// 1. Actions are carried out in the order in which they were asked for, one at a time, also those
// that a callback adds.
// Threads: the loop's.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "dfs/replication/group.h"
#include "dfs/replication/journal.h"
#include "dfs/replication/snapshot_transfer.h"

namespace dfs::replication {

class GroupMember final : public Group {
 public:
  struct Parts {
    Journal& journal;
    StateMachine& machine;
    ConfigurationStore& configurations;
    PeerLinks& peers;
    base::Timers& timers;
  };
  GroupMember(GroupOptions options, Parts parts, StoredState stored, Index settled);
  // `reset_journal`: the journal's log does not fit the state and is to be forgotten.
  void start(bool reset_journal, std::optional<Index> keep);

  void propose(Payload payload, OnApplied applied) override;
  bool may_read() const override { return replica_.may_read(now()); }
  bool is_serving() const override { return serving_; }
  const Configuration& configuration() const override { return replica_.configuration(); }
  Index applied() const override { return applied_; }
  void on_message(const NodeId& from, std::string_view message) override;

 private:
  struct Pending {
    OnApplied applied;
    std::size_t bytes = 0;
    std::optional<std::string> answer;
  };
  // A WriteLog that is not durable in all its parts.
  struct Write {
    std::uint64_t ticket = 0;
    std::size_t parts = 1;  // the journal's, and payloads that were placed elsewhere
    Index last = 0;
    bool has_placed = false;
  };

  base::Instant now() const { return parts_.timers.clock().now(); }
  void run(Replica::Actions actions);
  void perform(const SendMessage& send);
  void perform(const WriteLog& write);
  void perform(const ChangeConfiguration& change);
  void perform(const ApplyEntry& apply);
  void perform(const Acknowledge& acknowledge);
  void perform(const Abandon& abandon);
  void perform(const TransferSnapshot& transfer);
  void after_actions();

  base::Result<void> check_room(std::size_t bytes) const;
  void flush();
  void finish(std::uint64_t request, base::Result<std::string> answer);
  void fail_soon(OnApplied applied, const base::Error& error);
  void finish_part(std::uint64_t ticket);
  void settle();
  void unsettle_behind(Index index);
  LogWrite plain_write() const;
  void ask(const Configuration& next);
  void tick();
  void checkpoint_if_due();
  void write_again();
  void trim();
  void on_installed(Position position);

  const GroupOptions options_;
  Parts parts_;
  Replica replica_;
  SnapshotSender sender_;
  SnapshotReceiver receiver_;
  Index applied_ = 0;
  Index durable_ = 0;  // of the state machine
  bool serving_ = false;
  bool performing_ = false;
  std::deque<Action> actions_;

  std::vector<Proposal> queue_;
  std::size_t queue_bytes_ = 0;
  std::map<std::uint64_t, Pending> pending_;  // by request
  std::size_t pending_bytes_ = 0;
  std::uint64_t next_request_;
  std::vector<std::pair<OnApplied, base::Error>> refused_;
  base::TimerHandle refusal_timer_;

  std::deque<Write> writes_;
  Index settled_ = 0;
  Index settled_on_disk_ = 0;
  std::size_t written_bytes_ = 0;  // since the last checkpoint
  bool checkpointing_ = false;
  base::Instant checkpoint_at_;
  std::optional<Configuration> asked_;
  base::TimerHandle ask_timer_, tick_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with nobody
};

}  // namespace dfs::replication
