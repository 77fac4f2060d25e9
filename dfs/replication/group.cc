// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/group.h"

#include "dfs/replication/group_member.h"

namespace dfs::replication {
namespace {

using base::Code;
using base::Error;
using base::Result;

// What of the journal's log goes behind the state, and what is to be put right on the disk.
struct Start {
  StoredState stored;
  bool reset_journal = false;
  std::optional<Index> keep;
};

// The log fits a state that it leads to, or that it begins at. Where it does not, a snapshot was
// installed before the journal could be told.
Result<bool> fits(const RecoveredGroup& recovered, Position durable) {
  if (durable.index < recovered.base.index)
    return Error{Code::corrupt,
                 "the state ends at entry " + std::to_string(durable.index) +
                     ", the journal begins behind entry " + std::to_string(recovered.base.index),
                 "state_behind_journal"};
  if (durable.index == recovered.base.index) return durable.epoch == recovered.base.epoch;
  const Index offset = durable.index - recovered.base.index;
  return offset <= recovered.log.size() && recovered.log[offset - 1].entry.epoch == durable.epoch;
}

Result<Start> read_back(RecoveredGroup recovered, StateMachine& machine) {
  const Position durable = machine.durable();
  Start start;
  start.stored = {recovered.promised, durable.index, durable.epoch, {}};
  if (!TRY(fits(recovered, durable))) {
    start.reset_journal = true;
    return start;
  }
  for (JournalEntry& each : recovered.log) {
    if (each.entry.index <= durable.index) continue;
    if (each.is_substitute) {
      Result<std::string> payload = machine.placed(each.entry, each.entry.payload);
      if (!payload && each.entry.index <= recovered.settled)
        return Error{Code::corrupt, payload.error().detail, "entry_not_placed"};
      if (!payload) {
        start.keep = each.entry.index - 1;
        break;
      }
      each.entry.payload = *std::move(payload);
    }
    start.stored.log.push_back(std::move(each.entry));
  }
  return start;
}

}  // namespace

Result<std::unique_ptr<Group>> start_group(GroupOptions options, Journal& journal,
                                           StateMachine& machine,
                                           ConfigurationStore& configurations, PeerLinks& peers,
                                           base::Timers& timers) {
  RecoveredGroup recovered = journal.take_recovered(options.group);
  const Index settled = recovered.settled;
  Start start = TRY(read_back(std::move(recovered), machine));
  auto member = std::make_unique<GroupMember>(
      std::move(options), GroupMember::Parts{journal, machine, configurations, peers, timers},
      std::move(start.stored), settled);
  member->start(start.reset_journal, start.keep);
  return std::unique_ptr<Group>(std::move(member));
}

ReplicaOptions replica_options(const NodeId& self, std::size_t min_in_sync) {
  ReplicaOptions options;
  options.self = self;
  options.incarnation = base::system_rng().next();
  options.min_in_sync = min_in_sync;
  options.times = {.lease = std::chrono::milliseconds(450),
                   .grace = std::chrono::milliseconds(700)};
  options.heartbeat = std::chrono::milliseconds(110);
  options.member_silence = std::chrono::milliseconds(600);
  return options;
}

}  // namespace dfs::replication
