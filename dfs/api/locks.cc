// SPDX-License-Identifier: Apache-2.0
#include "dfs/api/locks.h"

#include <algorithm>

namespace dfs {
namespace {

bool same_owner(const LockEntry& entry, SessionNumber session, const LockRange& lock) {
  return entry.session == session && entry.range.owner == lock.owner &&
         entry.range.flavour == lock.flavour;
}

bool overlap(const LockRange& a, const LockRange& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

base::Result<void> check_lock(const LockRange& lock) {
  const bool is_whole = lock.first == 0 && lock.last == UINT64_MAX;
  if (lock.kind > LockKind::exclusive || lock.flavour > LockFlavour::whole ||
      lock.first > lock.last || (lock.flavour == LockFlavour::whole && !is_whole))
    return base::Error{base::Code::invalid_argument, "the range or the kind of a lock is none",
                       "lock_invalid", EINVAL};
  return {};
}

const LockEntry* find_conflict(const LockList& list, SessionNumber session, const LockRange& lock) {
  if (lock.kind == LockKind::unlock) return nullptr;
  for (const LockEntry& entry : list.locks) {
    if (entry.range.flavour != lock.flavour || same_owner(entry, session, lock)) continue;
    if (!overlap(entry.range, lock)) continue;
    if (entry.range.kind == LockKind::exclusive || lock.kind == LockKind::exclusive) return &entry;
  }
  return nullptr;
}

void set_range(LockList& list, SessionNumber session, const LockRange& lock) {
  std::vector<LockEntry> kept;
  LockEntry added{session, lock};
  for (const LockEntry& entry : list.locks) {
    if (!same_owner(entry, session, lock)) {
      kept.push_back(entry);
      continue;
    }
    const LockRange& old = entry.range;
    const bool touches = lock.kind == old.kind && (lock.first == 0 || old.last >= lock.first - 1) &&
                         (lock.last == UINT64_MAX || old.first <= lock.last + 1);
    if (touches) {
      added.range.first = std::min(added.range.first, old.first);
      added.range.last = std::max(added.range.last, old.last);
      continue;
    }
    if (!overlap(old, lock)) {
      kept.push_back(entry);
      continue;
    }
    if (old.first < lock.first) {
      kept.push_back(entry);
      kept.back().range.last = lock.first - 1;
    }
    if (old.last > lock.last) {
      kept.push_back(entry);
      kept.back().range.first = lock.last + 1;
    }
  }
  if (lock.kind != LockKind::unlock) kept.push_back(added);
  std::sort(kept.begin(), kept.end(), [](const LockEntry& a, const LockEntry& b) {
    return std::tie(a.range.first, a.session, a.range.owner, a.range.flavour) <
           std::tie(b.range.first, b.session, b.range.owner, b.range.flavour);
  });
  list.locks = std::move(kept);
}

bool drop_session(LockList& list, SessionNumber session) {
  return std::erase_if(list.locks,
                       [&](const LockEntry& entry) { return entry.session == session; }) > 0;
}

}  // namespace dfs
