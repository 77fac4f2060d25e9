// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/held_locks.h"

#include <cerrno>
#include <map>
#include <utility>

namespace dfs::client {

using base::Code;
using base::Error;
using base::Result;

Result<void> decide_lock(LockList& list, const LockRange& lock) {
  if (find_conflict(list, 0, lock) != nullptr)
    return Error{Code::throttled, "another holds a lock on a part of it", "lock_held", EAGAIN};
  LockList next = list;
  set_range(next, 0, lock);
  if (next.locks.size() > kLocksMax)
    return Error{Code::no_space, "the file has 4096 locks", "too_many_locks", ENOLCK};
  list = std::move(next);
  return {};
}

std::vector<LockRange> lock_changes(const LockList& told, const LockList& now) {
  using Owner = std::pair<std::uint64_t, LockFlavour>;
  struct Ranges {
    std::vector<LockRange> told, now;
  };
  std::map<Owner, Ranges> owners;
  for (const LockEntry& entry : told.locks)
    owners[{entry.range.owner, entry.range.flavour}].told.push_back(entry.range);
  for (const LockEntry& entry : now.locks)
    owners[{entry.range.owner, entry.range.flavour}].now.push_back(entry.range);
  std::vector<LockRange> unlocks, locks;
  for (const auto& [owner, ranges] : owners) {
    if (ranges.told == ranges.now) continue;
    if (!ranges.told.empty()) {
      LockRange all = ranges.told.front();
      all.kind = LockKind::unlock;
      all.first = 0;
      all.last = UINT64_MAX;
      unlocks.push_back(all);
    }
    locks.insert(locks.end(), ranges.now.begin(), ranges.now.end());
  }
  // What one gave back another may have taken.
  unlocks.insert(unlocks.end(), locks.begin(), locks.end());
  return unlocks;
}

}  // namespace dfs::client
