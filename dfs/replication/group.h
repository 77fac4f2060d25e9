// SPDX-License-Identifier: Apache-2.0
// One member of a replica group at work: a Replica with a journal on a disk, links to its peers,
// the group's configuration and a state machine.
//
// Used by the metadata server (one group) and the storage servers (many groups that share one
// journal).
// 1. propose() is answered when the entry is on the disk of every in-sync member and applied here.
// 2. The disk is used from the journal's own thread; one sync serves all groups that wait.
// 3. A sync that failed ends the process (I10), and so does a checkpoint.
// 4. Proposals that come while a write of this group is under way are written and sent together.
// Threads: the loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/net.h"
#include "common/base/timers.h"
#include "dfs/replication/replica.h"
#include "dfs/replication/state_machine.h"

namespace dfs::replication {

// Where the configuration of a group is decided. Engines: Coordination (metadata), the metadata
// server (chunk groups), the simulator.
class ConfigurationStore {
 public:
  virtual ~ConfigurationStore() = default;
  // `changed` is called with what holds now, soon after each change and once at the beginning.
  virtual void watch(std::function<void(const Configuration&)> changed) = 0;
  // Compare-and-set over the configuration with epoch next.epoch - 1. The callback has what holds
  // now, or an error when that is unknown; then the attempt may still take effect.
  virtual void change(const Configuration& next,
                      std::function<void(base::Result<Configuration>)> settled) = 0;
};

// To the group's other members; carries opaque messages in order while a link holds, and loses them
// otherwise.
class PeerLinks {
 public:
  virtual ~PeerLinks() = default;
  virtual void send(const NodeId& to, std::string message) = 0;
};

class Journal;

struct GroupOptions {
  ReplicaOptions replica;
  std::uint32_t group = 0;  // number within the journal
  // Written to the journal before a checkpoint is due; also the most that waits to be committed,
  // and that is kept in memory for members that are being brought up to date.
  std::size_t log_bytes_max = std::size_t{64} << 20;
  // Of the log in memory when nobody needs it: a member that was away for less needs no snapshot.
  std::size_t history_bytes = std::size_t{4} << 20;
  base::Duration checkpoint_every = std::chrono::seconds(5);
  const Rules* rules = nullptr;  // unset: the right ones. Outlives the group
};

// Of a daemon. The times suit machines of one site: a primary that died is replaced within a
// second, and a process that stands still for half a second keeps its place.
ReplicaOptions replica_options(const NodeId& self, std::size_t min_in_sync);

class Group {
 public:
  // The entry's answer from StateMachine::apply. Never called from within propose(). Errors:
  // unavailable not_primary, too_few_copies: nothing was done, or it is unknown whether it was;
  // throttled in_flight_full, no_space journal_full: nothing was done.
  using OnApplied = std::function<void(base::Result<std::string>)>;

  virtual ~Group() = default;
  virtual void propose(Payload payload, OnApplied applied) = 0;
  // May answer reads from the applied state right now (a lease check, no I/O).
  virtual bool may_read() const = 0;
  virtual bool is_serving() const = 0;
  virtual const Configuration& configuration() const = 0;
  virtual Index applied() const = 0;
  // From PeerLinks of another member.
  virtual void on_message(const NodeId& from, std::string_view message) = 0;
};

// Takes what the journal recovered for it, and gives the machine the entries behind its durable
// position again as they are committed. Requires: everything given outlives the group.
// Errors: corrupt state_behind_journal, entry_not_placed: this member must be built anew.
base::Result<std::unique_ptr<Group>> start_group(GroupOptions options, Journal& journal,
                                                 StateMachine& machine,
                                                 ConfigurationStore& configurations,
                                                 PeerLinks& peers, base::Timers& timers);

}  // namespace dfs::replication
