// SPDX-License-Identifier: Apache-2.0
// The locks that callers of this client hold on one inode, and who decides about further ones.
//
// Used by Client (client_locks.cc). Metadata says that nobody else is concerned (SetLockReply);
// from then on, and while the write lease is held, locks are decided here, and metadata is told
// before the lease goes. Threads: the loop's.
#pragma once

#include <cstdint>
#include <vector>

#include "dfs/api/locks.h"
#include "dfs/client/outcome.h"

namespace dfs::client {

struct HeldLocks {
  LockList now;   // the session in it is 0
  LockList told;  // as metadata has them, while is_own
  bool is_own = false;
  bool is_telling = false;
  std::uint32_t asked = 0;             // calls to metadata under way
  std::vector<Done<Nothing>> waiting;  // for the end of the telling
  std::uint64_t life = 0;              // tells this one from others of the same inode

  bool is_idle() const {
    return now.locks.empty() && !is_own && !is_telling && asked == 0 && waiting.empty();
  }
};

// Sets the range among the client's own. Errors: throttled lock_held (EAGAIN); no_space
// too_many_locks (ENOLCK).
base::Result<void> decide_lock(LockList& list, const LockRange& lock);
// What metadata is to be asked for, in order, so that it has `now` instead of `told`.
std::vector<LockRange> lock_changes(const LockList& told, const LockList& now);

}  // namespace dfs::client
