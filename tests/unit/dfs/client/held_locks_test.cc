// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/held_locks.h"

#include "tests/support/check_result.h"

using namespace dfs;
using namespace dfs::client;

namespace {

LockRange range(std::uint64_t owner, LockKind kind, std::uint64_t first, std::uint64_t last) {
  return {1, LockFlavour::posix, kind, owner, first, last};
}
LockList list_of(const std::vector<LockRange>& ranges) {
  LockList list;
  for (const LockRange& each : ranges) set_range(list, 0, each);
  return list;
}

}  // namespace

TEST_GROUP(HeldLocks){};

TEST(HeldLocks, owners_of_one_client_conflict_as_others_do) {
  LockList list;
  CHECK_OK(decide_lock(list, range(1, LockKind::exclusive, 0, 9)));
  CHECK_ERROR(base::Code::throttled, "lock_held",
              decide_lock(list, range(2, LockKind::shared, 9, 20)));
  CHECK_OK(decide_lock(list, range(2, LockKind::shared, 10, 20)));
  CHECK_OK(decide_lock(list, range(1, LockKind::unlock, 0, 9)));
  CHECK_OK(decide_lock(list, range(2, LockKind::exclusive, 0, 20)));
  LONGS_EQUAL(1, list.locks.size());
}

TEST(HeldLocks, too_many_are_refused_and_leave_the_list_as_it_was) {
  LockList list;
  for (std::uint64_t i = 0; i < kLocksMax; ++i)
    list.locks.push_back({0, range(1, LockKind::shared, 2 * i, 2 * i)});
  CHECK_ERROR(base::Code::no_space, "too_many_locks",
              decide_lock(list, range(2, LockKind::shared, 1'000'000, 1'000'001)));
  LONGS_EQUAL(kLocksMax, list.locks.size());
}

TEST(HeldLocks, the_changes_lead_from_what_was_told_to_what_is) {
  const LockList told =
      list_of({range(1, LockKind::exclusive, 0, 9), range(2, LockKind::shared, 20, 29),
               range(3, LockKind::shared, 40, 49)});
  const LockList now =
      list_of({range(2, LockKind::exclusive, 0, 29), range(3, LockKind::shared, 40, 49)});
  LockList list = told;
  for (const LockRange& change : lock_changes(told, now)) {
    // Metadata refuses what conflicts.
    POINTERS_EQUAL(nullptr, find_conflict(list, 0, change));
    set_range(list, 0, change);
    CHECK_TRUE(change.owner != 3);
  }
  CHECK_TRUE(list.locks == now.locks);
  LONGS_EQUAL(0, lock_changes(now, now).size());
}
