// SPDX-License-Identifier: Apache-2.0
// One member of a replica group: a pure state machine that orders, replicates and commits a log.
//
// It does no I/O: its driver feeds it messages, finished disk writes, the configuration and the
// time, and carries out the actions it asks for. The same code runs in the daemons and in the
// simulator (tests/unit/dfs/replication).
//
// 1. An entry is committed when every in-sync member has it on disk; it is never lost while one
//    in-sync member keeps its disk, and all members commit the same entries in the same order.
// 2. A message of an older epoch than the highest one accepted has no effect; that highest epoch
//    is on disk before anything of its primary is answered.
// 3. The primary serves reads only while every in-sync member's lease holds; a member waits
//    longer than any lease it granted before it takes over. Clocks need equal rates, not equal
//    times.
// 4. The in-sync set changes only through Coordination, one compare-and-set per change.
// 5. Memory: the log behind the last snapshot, and kInFlightMax unacknowledged proposals.
//
// States: outside (not in the configuration) → joining (Join was sent) → member → primary.
//   outside → joining: on_tick        joining → member: on_configuration
//   member → primary: on_configuration after our compare-and-set
//   any → outside: on_configuration without us
// Threads: one at a time; the driver serialises.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "dfs/replication/rules.h"
#include "dfs/replication/types.h"

namespace dfs::replication {

inline constexpr std::size_t kInFlightMax = 4096;
inline constexpr std::size_t kAppendEntriesMax = 256;
// An append ends with the entry that reaches this.
inline constexpr std::size_t kAppendBytesMax = std::size_t{4} << 20;

// What the driver must do, in this order within one call's list.
struct SendMessage {
  NodeId to;
  Message message;
};
// Cut the log behind `keep`, append `entries`, store `promised`, sync once, then call on_durable.
// Writes reach the disk in the order of their tickets.
struct WriteLog {
  std::uint64_t ticket = 0;
  Epoch promised = 0;
  std::optional<Index> keep;  // nullopt: nothing is cut
  std::vector<Entry> entries;
};
// Compare-and-set in Coordination: `next` over the configuration with epoch next.epoch - 1. Once
// it is settled the driver calls on_configuration with what holds now, or on_change_dropped when it
// knows that the attempt had and will have no effect. Until then both outcomes are reckoned with.
struct ChangeConfiguration {
  Configuration next;
};
// In order, each index once per life of the process; restart continues behind what was applied.
struct ApplyEntry {
  Entry entry;
};
// The proposal with this number is committed (or was already).
struct Acknowledge {
  std::uint64_t request = 0;
};
// The proposal with this number is no longer waited for: another primary decides whether it takes
// effect.
struct Abandon {
  std::uint64_t request = 0;
};
// Bring `to`, whose log ends before ours begins, to our applied state; its driver then calls
// on_snapshot_installed and it joins again.
struct TransferSnapshot {
  NodeId to;
};
using Action = std::variant<SendMessage, WriteLog, ChangeConfiguration, ApplyEntry, Acknowledge,
                            Abandon, TransferSnapshot>;

struct Proposal {
  std::uint64_t request = 0;
  Payload payload;
};

struct ReplicaOptions {
  NodeId self;
  std::uint64_t incarnation = 0;  // random, new with each start of the process
  std::size_t min_in_sync = 2;
  LeaseTimes times;
  base::Duration heartbeat = std::chrono::milliseconds(150);
  // A member that has not answered for this long is taken out.
  base::Duration member_silence = std::chrono::milliseconds(800);
};

// What the disk holds when a process starts.
struct StoredState {
  Epoch promised = 0;
  Index applied = 0;        // the state machine's own durable position
  Epoch applied_epoch = 0;  // of the entry at `applied`
  std::vector<Entry> log;   // entries behind `applied`, without gaps
};

class Replica {
 public:
  Replica(ReplicaOptions options, const Rules& rules, StoredState stored, base::Instant now);

  using Actions = std::vector<Action>;

  Actions on_message(const NodeId& from, const Message& message, base::Instant now);
  // The WriteLog with this ticket is on disk. Tickets finish in order.
  Actions on_durable(std::uint64_t ticket, base::Instant now);
  // What Coordination holds now. Older ones than the known are ignored.
  Actions on_configuration(const Configuration& configuration, base::Instant now);
  Actions on_change_dropped(const Configuration& change);
  // Call at least every heartbeat / 2.
  Actions on_tick(base::Instant now);
  // Whether a snapshot of this index may replace state and log. Ask right before installing it.
  bool needs_snapshot(Index index, Epoch index_epoch) const;
  // The driver has durably replaced the state machine's state with that of `index` and emptied the
  // log on disk, in one step. Requires: needs_snapshot().
  void on_snapshot_installed(Index index, Epoch index_epoch, base::Instant now);
  // The state machine is durable up to `index`: the log before it may go.
  void discard_log_before(Index index);

  // Orders entries, with one write and one message per member. Acknowledge follows for each once it
  // is committed; a new primary commits what it inherited, so a proposal may take effect although
  // its primary died: repeat it with the same `request` and drop duplicates in the state machine.
  // Errors: unavailable not_primary; unavailable too_few_copies; throttled in_flight_full.
  base::Result<Actions> propose(std::vector<Proposal> proposals, base::Instant now);

  bool is_primary() const { return configuration_.primary == options_.self && in_group(); }
  // May answer a read from the applied state right now.
  bool may_read(base::Instant now) const;
  const Configuration& configuration() const { return configuration_; }
  Index committed() const { return committed_; }
  Index last_index() const;
  Index applied() const { return applied_; }
  // Answers proposals: an established primary that has committed what it inherited.
  bool is_serving() const;
  // Of the log in memory.
  std::size_t log_bytes() const { return log_bytes_; }
  // The last index to discard for what is left to have at most `bytes`; what was not applied stays.
  Index discardable(std::size_t bytes) const;
  // nullopt when memory does not hold all of it.
  std::optional<std::vector<Entry>> log_behind(Index index) const;
  Epoch promised() const { return promised_; }

 private:
  struct Peer {
    Index next = 1;       // first index to send
    base::Instant heard;  // last answer
    base::Instant sent;   // last append
    bool needs_snapshot = false;
    // Set after a refusal: the append that asks where to go on; nothing else is sent until its
    // answer or the next heartbeat.
    std::optional<std::uint64_t> probe_round = {};
  };
  struct PendingReply {
    NodeId to;
    Index matched = 0;
    std::uint64_t lease_round = 0;
  };
  struct PendingWrite {
    std::uint64_t ticket = 0;
    Index last = 0;  // last index on disk once it is done
    Epoch epoch = 0;
    std::optional<PendingReply> reply;
  };

  bool in_group() const { return configuration_.has(options_.self); }
  Epoch epoch_at(Index index) const;
  Index agreed_with(const NodeId& node) const;  // our log and the node's disk are equal up to here
  void become_primary(base::Instant now, Actions& actions);
  void write(std::optional<Index> keep, std::vector<Entry> entries, Actions& actions);
  void handle(const NodeId& from, const Append& append, base::Instant now, Actions& actions);
  void handle(const NodeId& from, const AppendReply& reply, base::Instant now, Actions& actions);
  void handle(const NodeId& from, const Join& join, base::Instant now, Actions& actions);
  void accept_entries(const NodeId& from, const Append& append, Actions& actions);
  void send_append(const NodeId& to, Peer& peer, base::Instant now, Actions& actions);
  void advance_commit(Actions& actions);
  void apply_committed(Actions& actions);
  void remember_round(const NodeId& from, std::uint64_t round);
  void tick_primary(base::Instant now, Actions& actions);
  void tick_member(base::Instant now, Actions& actions);
  void try_take_in(Actions& actions);
  void abandon_all(Actions& actions);
  void change_configuration(Configuration next, Actions& actions);

  ReplicaOptions options_;
  const Rules& rules_;
  Configuration configuration_;
  Epoch promised_ = 0;
  Index base_index_ = 0;  // the log holds entries behind this one
  Epoch base_epoch_ = 0;
  std::deque<Entry> log_;
  std::size_t log_bytes_ = 0;
  Index durable_ = 0;  // of our own disk
  Index committed_ = 0;
  Index applied_ = 0;
  Index inherited_ = 0;  // last index when we became primary
  std::uint64_t next_ticket_ = 1;
  std::deque<PendingWrite> writes_;
  std::map<NodeId, Peer> peers_;
  std::map<NodeId, Index> durable_of_;
  std::map<NodeId, base::Instant> granted_;
  std::uint64_t lease_round_ = 0;
  std::deque<std::pair<std::uint64_t, base::Instant>> rounds_;  // lease round, send time
  std::map<Index, std::uint64_t> waiting_;                      // proposals to acknowledge
  base::Instant heard_primary_;
  std::optional<Configuration> asked_;  // a change that Coordination has not answered
  std::uint64_t asked_count_ = 0;
  base::Instant join_sent_;
  bool established_ = false;  // this process, not one before it, has led the current epoch
};

}  // namespace dfs::replication
