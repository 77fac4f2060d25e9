// SPDX-License-Identifier: Apache-2.0
// Who may use which inode from its own memory, and who waits for what. Pure: it keeps no time and
// sends nothing.
//
// 1. At most one session holds a write lease of an inode, and none a read lease beside it.
// 2. A batch under way pins what it changes: nobody else gets a lease of that before it is done,
// also when its session gives its lease back meanwhile.
// 3. Who waits has a ticket; an older one is never overtaken by a younger one that it conflicts
// with, and who waits holds nothing for it, so that waits end when holders give back.
// 4. Who already holds what it needs is not held up by those who wait: it must be able to flush.
// 5. Memory: entries for what is held, pinned or waited for; oldest() names what to recall first.
// Threads: the loop's.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "dfs/api/meta_protocol.h"

namespace dfs::meta {

using Ticket = std::uint64_t;

class LeaseTable {
 public:
  // Whether a request of the session that needs `lease` may go on now: for `read` nobody else may
  // change the inode, for `write` nobody else may use it.
  bool is_free(InodeNumber inode, SessionNumber session, Lease lease, Ticket ticket) const;
  // Others are to give back what is in the way. Each is told once.
  void recall_for(InodeNumber inode, SessionNumber session, Lease lease);
  // As much of `wanted` as is possible at once. Returns what the session holds now, without what it
  // is to give back.
  Lease grant(InodeNumber inode, SessionNumber session, Lease wanted);
  Lease held(InodeNumber inode, SessionNumber session) const;
  // It has the write lease, and was not asked to give it back.
  bool is_sole_writer(InodeNumber inode, SessionNumber session) const;
  // The session has said that it will keep at most `keeps`, and release() follows.
  void expect_release(InodeNumber inode, SessionNumber session, Lease keeps);
  // The session keeps at most `keeps`.
  void release(InodeNumber inode, SessionNumber session, Lease keeps);
  // After a change of the primary. False: it conflicts with what another one claimed.
  bool reclaim(InodeNumber inode, SessionNumber session, Lease lease);

  void pin(InodeNumber inode, SessionNumber session);
  void unpin(InodeNumber inode, SessionNumber session);

  void wait(Ticket ticket, SessionNumber session, const std::vector<LeaseClaim>& needs);
  void stop_waiting(Ticket ticket);

  // All of the session's leases. Cost: O(leases of all).
  void drop_session(SessionNumber session);
  void clear();

  // Recalls to be sent since the last call: at most what the session may keep.
  std::map<SessionNumber, std::vector<LeaseClaim>> take_recalls();
  // Those that the session has not answered.
  std::vector<LeaseClaim> open_recalls(SessionNumber session) const;
  bool has_open_recalls(SessionNumber session) const { return recalled_.contains(session); }
  // Tickets that may be able to go on since the last call, oldest first.
  std::set<Ticket> take_woken();

  std::size_t size() const { return entries_.size(); }
  std::size_t held_by(SessionNumber session) const;
  // The session is to keep at most `keeps`.
  void recall(InodeNumber inode, SessionNumber session, Lease keeps);
  // Everything that the session holds is to be given back.
  void recall_all(SessionNumber session);
  // Recalls the leases that were granted first until at most `count_max` are held or recalled.
  void recall_oldest(std::size_t count_max);

 private:
  struct Holder {
    SessionNumber session = 0;
    Lease lease = Lease::none;
  };
  struct Pin {
    SessionNumber session = 0;
    std::uint32_t count = 0;
  };
  struct Waiter {
    Ticket ticket = 0;
    SessionNumber session = 0;
    Lease lease = Lease::none;
  };
  struct Entry {
    std::vector<Holder> holders;
    std::vector<Pin> pins;
    std::vector<Waiter> waiters;
  };
  void set(Entry& entry, InodeNumber inode, SessionNumber session, Lease lease);
  std::set<InodeNumber> remove_waiter(Ticket ticket);
  void wake_and_drop(const std::set<InodeNumber>& inodes);
  void wake(const Entry& entry);
  void drop_if_empty(InodeNumber inode);

  std::unordered_map<InodeNumber, Entry> entries_;
  std::unordered_map<SessionNumber, std::size_t> counts_;
  std::map<Ticket, std::vector<InodeNumber>> waiting_;
  std::map<SessionNumber, std::map<InodeNumber, Lease>> recalled_;
  std::map<SessionNumber, std::vector<LeaseClaim>> recalls_due_;
  std::set<Ticket> woken_;
  std::deque<std::pair<InodeNumber, SessionNumber>> order_;  // of granting; may name what is gone
};

}  // namespace dfs::meta
