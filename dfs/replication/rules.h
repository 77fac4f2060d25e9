// SPDX-License-Identifier: Apache-2.0
// The decisions on which the safety of replication rests, one function each.
//
// Replica asks these and nothing else when it may accept, commit, serve and take over. They are
// apart so that the simulator can break one at a time and must notice each time.
// Threads: stateless.
#pragma once

#include <map>

#include "dfs/replication/types.h"

namespace dfs::replication {

struct LeaseTimes {
  base::Duration lease = std::chrono::milliseconds(600);   // what members grant the primary
  base::Duration grace = std::chrono::milliseconds(1000);  // after which a member replaces it
};

class Rules {
 public:
  virtual ~Rules() = default;
  // A member accepts from a primary of its own or a newer epoch only.
  virtual bool accepts(Epoch incoming, Epoch promised) const;
  // All entries up to the result are on the disk of every in-sync member, the primary's included.
  // `durable` lacks a member that has not yet answered in this epoch.
  virtual Index committable(const Configuration& configuration,
                            const std::map<NodeId, Index>& durable) const;
  // The primary answers reads from its own state until `now` reaches the result: no member that
  // granted this can have taken over before. `granted` holds the send time of the newest answered
  // append per member.
  virtual base::Instant lease_end(const Configuration& configuration, const NodeId& self,
                                  const std::map<NodeId, base::Instant>& granted,
                                  const LeaseTimes& times) const;
  // A member that last heard its primary at `heard` may try to replace it.
  virtual bool may_replace_primary(base::Instant now, base::Instant heard,
                                   const LeaseTimes& times) const;
  // A process leads an epoch only if it asked for it in this life: one before it may have ordered
  // entries in it that are on other disks and not on ours.
  virtual bool may_lead(const std::optional<Configuration>& asked, const Configuration& now) const;
  // Enough copies to acknowledge a write.
  virtual bool enough_copies(const Configuration& configuration, std::size_t min_in_sync) const;
  // A node may be taken in when its disk holds everything that is or may become committed.
  virtual bool caught_up(Index durable, Index last_index) const;
  // A new primary acknowledges and serves only once its whole inherited log is committed anew.
  virtual bool may_serve(Index committed, Index inherited) const;
};

}  // namespace dfs::replication
