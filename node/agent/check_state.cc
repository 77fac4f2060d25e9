// SPDX-License-Identifier: Apache-2.0
#include "node/agent/check_state.h"

#include <algorithm>

namespace node::agent {

namespace {

using std::chrono::milliseconds;

constexpr base::Duration kFirstRetry = milliseconds(20);
// A command costs a process in the container each time.
constexpr base::Duration kFirstRetryOfCommand = milliseconds(100);
constexpr std::size_t kCauseMax = 500;

}  // namespace

CheckState::Rules CheckState::rules_of(const api::HealthCheck& check) {
  const bool command = check.protocol == api::CheckProtocol::command;
  return {command ? kFirstRetryOfCommand : kFirstRetry, check.interval,
          std::max(check.grace_period, check.delay), check.max_consecutive_failures};
}

CheckState::CheckState(Rules rules, base::Instant started, Verdict verdict)
    : rules_(rules),
      started_(started),
      verdict_(verdict),
      ever_succeeded_(verdict == Verdict::healthy),
      next_delay_(std::min(rules.first_retry, rules.interval)) {
  result_.alive = ever_succeeded_;
}

void CheckState::succeeded(const std::string& wall_time) {
  ever_succeeded_ = true;
  verdict_ = Verdict::healthy;
  next_delay_ = rules_.interval;
  result_.alive = true;
  result_.consecutive_failures = 0;
  result_.last_success = wall_time;
  if (result_.first_success.empty()) result_.first_success = wall_time;
}

void CheckState::failed(base::Instant now, const std::string& wall_time, std::string cause) {
  cause.resize(std::min(cause.size(), kCauseMax));
  result_.alive = false;
  result_.last_failure = wall_time;
  result_.last_failure_cause = std::move(cause);
  if (!ever_succeeded_) {
    // A fifth more each time: 20 ms becomes a second after 22 looks.
    next_delay_ = std::min<base::Duration>(next_delay_ + next_delay_ / 5, rules_.interval);
    if (now - started_ < rules_.grace) return;
    next_delay_ = rules_.interval;
  }
  ++result_.consecutive_failures;
  if (result_.consecutive_failures >= std::max<std::int64_t>(rules_.failures_max, 1)) {
    verdict_ = Verdict::unhealthy;
  }
}

}  // namespace node::agent
