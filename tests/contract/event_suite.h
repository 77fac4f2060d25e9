// SPDX-License-Identifier: Apache-2.0
// What every event engine must do. An engine's test file makes a group that has an `engine` of its
// own kind of EventEngine and says EVENT_CONTRACT_TESTS(group, CONTRACT_TEST).
#pragma once

#include <memory>

#include "services/event/engine.h"
#include "tests/contract/contract.h"
#include "tests/support/check_result.h"

namespace contract {

class EventEngine {
 public:
  virtual ~EventEngine() = default;
  // An engine without channels, or after reopen() with those that were made.
  virtual services::event::Engine& open() = 0;
  virtual services::event::Engine& reopen() = 0;
  // Makes the wall clock of the events that follow at least a millisecond later.
  virtual void let_time_pass() = 0;
};

#define EVENT_CONTRACT_TESTS(group, X)                              \
  X(group, a_channel_is_made_once_and_listed)                       \
  X(group, unknown_channels_and_partitions_are_errors)              \
  X(group, names_that_are_none_are_refused)                         \
  X(group, events_come_back_as_they_were_in_order)                  \
  X(group, events_of_a_key_are_in_one_partition)                    \
  X(group, a_partition_can_be_chosen)                               \
  X(group, an_id_that_comes_again_is_one_event)                     \
  X(group, ids_are_known_after_a_restart)                           \
  X(group, reading_is_bounded_and_goes_on)                          \
  X(group, reading_at_the_end_gives_nothing_and_beyond_it_an_error) \
  X(group, events_are_found_by_time)                                \
  X(group, committed_offsets_are_per_group_and_survive)             \
  X(group, whoever_listens_hears_of_new_events)                     \
  X(group, writers_side_by_side_lose_nothing_and_share_no_offset)   \
  X(group, keys_and_data_may_be_absent_empty_or_binary)

#define DECLARE_CONTRACT_TEST(group, name) void name(EventEngine& engine);
EVENT_CONTRACT_TESTS(none, DECLARE_CONTRACT_TEST)
#undef DECLARE_CONTRACT_TEST

}  // namespace contract
