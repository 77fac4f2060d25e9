// SPDX-License-Identifier: Apache-2.0
#include "node/agent/check_state.h"

#include "tests/support/check_result.h"

using base::Instant;
using node::agent::CheckState;
using node::agent::Verdict;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

CheckState make(std::int64_t failures_max = 3, seconds grace = seconds(10)) {
  node::api::HealthCheck check;
  check.interval = seconds(5);
  check.grace_period = grace;
  check.delay = seconds(0);
  check.max_consecutive_failures = failures_max;
  return CheckState(CheckState::rules_of(check), Instant{});
}
Instant at(seconds time) { return Instant{time}; }

}  // namespace

TEST_GROUP(CheckState){};

TEST(CheckState, it_looks_again_soon_until_the_first_success_and_then_at_the_interval) {
  CheckState state = make();
  CHECK(state.next_delay() == milliseconds(20));
  state.failed(at(seconds(0)), "t", "refused");
  CHECK(state.next_delay() > milliseconds(20));
  CHECK(state.next_delay() < milliseconds(30));
  state.succeeded("t");
  CHECK(state.next_delay() == seconds(5));
}

TEST(CheckState, the_waiting_time_never_grows_beyond_the_interval) {
  CheckState state = make(3, seconds(100'000));
  for (int i = 0; i < 100; ++i) state.failed(at(seconds(1)), "t", "refused");
  CHECK(state.next_delay() == seconds(5));
}

TEST(CheckState, failures_within_the_grace_period_do_not_count) {
  CheckState state = make();
  for (int i = 0; i < 10; ++i) state.failed(at(seconds(9)), "t", "refused");
  CHECK(state.verdict() == Verdict::undecided);
  LONGS_EQUAL(0, state.result().consecutive_failures);
  STRCMP_EQUAL("refused", state.result().last_failure_cause.c_str());
}

TEST(CheckState, after_a_success_the_grace_period_is_over) {
  CheckState state = make(1);
  state.succeeded("t");
  state.failed(at(seconds(1)), "t", "refused");
  CHECK(state.verdict() == Verdict::unhealthy);
}

TEST(CheckState, it_becomes_unhealthy_at_the_last_allowed_failure_and_healthy_again) {
  CheckState state = make(3);
  state.succeeded("t1");
  state.failed(at(seconds(20)), "t2", "a");
  state.failed(at(seconds(25)), "t3", "b");
  CHECK(state.verdict() == Verdict::healthy);
  CHECK_FALSE(state.result().alive);
  state.failed(at(seconds(30)), "t4", "c");
  CHECK(state.verdict() == Verdict::unhealthy);
  LONGS_EQUAL(3, state.result().consecutive_failures);
  state.succeeded("t5");
  CHECK(state.verdict() == Verdict::healthy);
  LONGS_EQUAL(0, state.result().consecutive_failures);
  STRCMP_EQUAL("t1", state.result().first_success.c_str());
  STRCMP_EQUAL("t5", state.result().last_success.c_str());
}

TEST(CheckState, with_no_limit_of_failures_one_counted_failure_is_unhealthy) {
  CheckState state = make(0);
  state.failed(at(seconds(11)), "t", "a");
  CHECK(state.verdict() == Verdict::unhealthy);
}

TEST(CheckState, an_adopted_healthy_instance_keeps_its_verdict_until_it_fails_enough) {
  node::api::HealthCheck check;
  CheckState state(CheckState::rules_of(check), Instant{}, Verdict::healthy);
  CHECK(state.verdict() == Verdict::healthy);
  state.failed(at(seconds(1)), "t", "a");
  CHECK(state.verdict() == Verdict::healthy);
  LONGS_EQUAL(1, state.result().consecutive_failures);
}
