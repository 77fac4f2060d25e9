// SPDX-License-Identifier: Apache-2.0
// What every network must do. A network's test file makes a group that has an `engine` of its own
// kind of NetEngine and says NET_CONTRACT_TESTS(group, CONTRACT_TEST).
#pragma once

#include "common/base/net.h"
#include "tests/contract/contract.h"
#include "tests/support/check_result.h"

namespace contract {

class NetEngine {
 public:
  virtual ~NetEngine() = default;
  // Two hosts; they may be one.
  virtual base::Net& server() = 0;
  virtual base::Net& client() = 0;
  virtual std::string server_address() = 0;
  // Lets things happen until `done` holds. Whether it does, within a few seconds.
  virtual bool run_until(const std::function<bool()>& done) = 0;
};

#define NET_CONTRACT_TESTS(group, X)                               \
  X(group, frames_arrive_whole_and_in_order_both_ways)             \
  X(group, frames_sent_before_the_link_is_open_arrive)             \
  X(group, connecting_to_nobody_ends_with_an_error)                \
  X(group, the_end_of_one_side_reaches_the_other_after_its_frames) \
  X(group, a_link_may_be_let_go_inside_its_callbacks)              \
  X(group, a_refused_link_ends)                                    \
  X(group, no_callback_comes_after_a_link_was_let_go)              \
  X(group, frames_and_queues_have_a_limit)                         \
  X(group, a_port_has_one_listener)                                \
  X(group, accepted_links_outlive_their_listener)

#define DECLARE_CONTRACT_TEST(group, name) void name(NetEngine& engine);
NET_CONTRACT_TESTS(none, DECLARE_CONTRACT_TEST)
#undef DECLARE_CONTRACT_TEST

}  // namespace contract
