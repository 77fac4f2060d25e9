// SPDX-License-Identifier: Apache-2.0
// Who waits for which lock, in order of coming, and whether a wait would close a ring.
//
// Threads: the loop's.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "dfs/api/locks.h"
#include "dfs/api/rpc.h"

namespace dfs::meta {

class LockWaits {
 public:
  struct Wait {
    SetLock request;
    Responder responder;
  };
  using Locks = std::function<LockList(InodeNumber)>;

  // Whether the owner, if it waited for this, would wait for itself by way of others (fcntl(2)
  // knows this for its own locks only). Cost: O(waits of all, times locks of an inode).
  bool closes_ring(const SetLock& request, const Locks& locks) const;
  // A wait with the same ticket, from a link that has ended, is replaced.
  void add(Wait wait);
  // Takes the first one that `locks` does not hold up.
  std::optional<Wait> take_ready(InodeNumber inode, const LockList& locks);
  // Errors for the waiter: interrupted. The ticket is remembered: its request may still be on its
  // way here, before or after it was on its way to the log, or come again over another link.
  void cancel(SessionNumber session, std::uint64_t ticket);
  bool is_given_up(SessionNumber session, std::uint64_t ticket) const;
  static base::Error interrupted();
  void drop_session(SessionNumber session, const base::Error& error);
  std::vector<InodeNumber> inodes() const;
  bool has(InodeNumber inode) const { return waits_.contains(inode); }
  // Everybody gets not_primary.
  void clear();
  std::size_t size() const;

 private:
  std::map<InodeNumber, std::deque<Wait>> waits_;
  std::map<SessionNumber, std::set<std::uint64_t>> given_up_;  // the newest of each session
};

}  // namespace dfs::meta
