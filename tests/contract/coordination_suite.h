// SPDX-License-Identifier: Apache-2.0
// What every coordination engine must do. An engine's test file makes a group that has an
// `engine` of its own kind of CoordinationEngine and says
// COORDINATION_CONTRACT_TESTS(group, CONTRACT_TEST).
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "common/coordination/coordination.h"
#include "tests/contract/contract.h"
#include "tests/support/check_result.h"

namespace contract {

class CoordinationEngine {
 public:
  virtual ~CoordinationEngine() = default;
  // A new session on the one tree of this engine object, which is empty at first.
  virtual std::unique_ptr<coordination::Coordination> open() = 0;
  // Ends a session as if its lease had run out.
  virtual void expire(std::uint64_t session) = 0;
};

// Something that happens on another thread and that a test waits for.
class Event {
 public:
  std::function<void()> callback() {
    return [this] { happen(); };
  }
  void happen() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  // Whether it happened at least `count` times before two seconds were over.
  bool happened(int count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(2), [&] { return count_ >= count; });
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

#define COORDINATION_CONTRACT_TESTS(group, X)                            \
  X(group, a_created_node_is_found_with_its_stat)                        \
  X(group, create_needs_a_parent_and_a_free_name)                        \
  X(group, set_and_remove_respect_the_version)                           \
  X(group, a_node_with_children_is_not_removed)                          \
  X(group, children_are_sorted_and_only_direct_ones)                     \
  X(group, sequence_names_grow_and_are_never_used_again)                 \
  X(group, bad_paths_and_large_data_are_refused)                         \
  X(group, the_longest_path_works)                                       \
  X(group, a_multi_is_all_or_nothing_and_names_the_failure)              \
  X(group, a_multi_sees_its_own_earlier_operations)                      \
  X(group, creation_transactions_grow_over_the_whole_tree)               \
  X(group, ephemeral_nodes_go_with_their_session)                        \
  X(group, ephemeral_nodes_have_no_children)                             \
  X(group, a_data_watch_fires_once_for_create_set_and_remove)            \
  X(group, a_children_watch_fires_for_births_and_deaths_only)            \
  X(group, watches_fire_for_changes_of_other_sessions)                   \
  X(group, a_change_between_reading_and_arming_is_not_missed)            \
  X(group, an_expired_session_fails_every_call_and_tells_its_owner_once) \
  X(group, an_election_passes_to_the_next_in_line)                       \
  X(group, concurrent_increments_by_compare_and_set_are_all_counted)     \
  X(group, ensure_path_makes_missing_parents_and_is_idempotent)

#define DECLARE_CONTRACT_TEST(group, name) void name(CoordinationEngine& engine);
COORDINATION_CONTRACT_TESTS(none, DECLARE_CONTRACT_TEST)
#undef DECLARE_CONTRACT_TEST

}  // namespace contract
