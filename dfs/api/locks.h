// SPDX-License-Identifier: Apache-2.0
// Ranges that are locked: the algebra of fcntl(2) and flock(2) over the list of one inode.
//
// Used by the metadata server's state (what is held) and server (who waits for whom), and by
// clients that decide locks themselves. Threads: stateless.
#pragma once

#include "common/base/result.h"
#include "dfs/api/meta_protocol.h"

namespace dfs {

struct LockEntry {
  SessionNumber session = 0;
  LockRange range;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, range);
  }
  friend bool operator==(const LockEntry&, const LockEntry&) = default;
};
struct LockList {
  std::vector<LockEntry> locks;
  template <class Archive>
  void fields(Archive& archive) {
    archive(locks);
  }
};

inline constexpr std::size_t kLocksMax = 4096;  // of one inode

// Errors: invalid_argument lock_invalid.
base::Result<void> check_lock(const LockRange& lock);
// The first lock of another owner that is in the way.
const LockEntry* find_conflict(const LockList& list, SessionNumber session, const LockRange& lock);
// Sets or clears the range for its owner, who may hold parts of it in any kind: those are cut,
// split and joined. Requires: find_conflict() is null unless it unlocks.
void set_range(LockList& list, SessionNumber session, const LockRange& lock);
// Returns whether the list changed.
bool drop_session(LockList& list, SessionNumber session);

}  // namespace dfs
