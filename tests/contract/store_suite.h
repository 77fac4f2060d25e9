// SPDX-License-Identifier: Apache-2.0
// What every store engine must do. An engine's test file makes a group that has an `engine` of its
// own kind of StoreEngine and says STORE_CONTRACT_TESTS(group, CONTRACT_TEST).
#pragma once

#include <memory>

#include "common/store/store.h"
#include "tests/contract/contract.h"
#include "tests/support/check_result.h"

namespace contract {

class StoreEngine {
 public:
  virtual ~StoreEngine() = default;
  // A new, empty store.
  virtual std::unique_ptr<store::Store> open(store::Options options) = 0;
};

#define STORE_CONTRACT_TESTS(group, X)                              \
  X(group, a_record_is_found_with_its_version)                      \
  X(group, conditions_are_checked_against_the_version)              \
  X(group, a_failed_transaction_leaves_nothing)                     \
  X(group, a_transaction_sees_its_own_writes)                       \
  X(group, collections_are_apart)                                   \
  X(group, lists_are_in_byte_order_within_their_range)              \
  X(group, records_are_found_by_the_terms_they_have_now)            \
  X(group, a_record_can_have_many_terms_or_none)                    \
  X(group, an_invalid_term_refuses_the_record_and_leaves_the_index) \
  X(group, finding_by_term_respects_the_range_of_keys)              \
  X(group, changes_are_listed_without_gaps_in_commit_order)         \
  X(group, a_collection_outside_the_feed_takes_numbers_only)        \
  X(group, the_feed_is_trimmed_and_says_so)                         \
  X(group, keys_and_records_beyond_the_limits_are_refused)          \
  X(group, unknown_names_are_errors)                                \
  X(group, concurrent_writers_lose_no_increment)                    \
  X(group, writers_that_share_a_commit_fail_alone)                  \
  X(group, a_reader_sees_one_moment)                                \
  X(group, a_file_takes_all_of_it_to_another_store)                 \
  X(group, a_random_history_matches_a_plain_map)

#define DECLARE_CONTRACT_TEST(group, name) void name(StoreEngine& engine);
STORE_CONTRACT_TESTS(none, DECLARE_CONTRACT_TEST)
#undef DECLARE_CONTRACT_TEST

// A collection "words" whose index "initial" has the first byte of the value, and whose index
// "letters" has every byte of it.
store::Options word_options();

}  // namespace contract
