// SPDX-License-Identifier: Apache-2.0
// One health or readiness check's course over time: when to look next, and what the results mean.
//
// 1. Until the first success it looks again soon: kFirstRetry after the start, then growing to the
//    interval. So an instance is found healthy when it is, not an interval later.
// 2. A failure within the grace (or the delay) before any success does not count (Marathon).
// 3. `unhealthy` is reached at max_consecutive_failures, or at the first failure when that is 0; a
//    success ends it.
// Threads: plain value.
// Source: Marathon 1.11 docs/docs/health-checks.md.
#pragma once

#include <chrono>
#include <string>

#include "common/base/clock.h"
#include "node/api/run_spec.h"
#include "node/api/status.h"

namespace node::agent {

enum class Verdict { undecided, healthy, unhealthy };

class CheckState {
 public:
  struct Rules {
    base::Duration first_retry;
    base::Duration interval;
    base::Duration grace;
    std::int64_t failures_max;
  };
  static Rules rules_of(const api::HealthCheck& check);

  // `started` is when the instance started. An adopted instance that was healthy starts healthy.
  CheckState(Rules rules, base::Instant started, Verdict verdict = Verdict::undecided);

  void succeeded(const std::string& wall_time);
  void failed(base::Instant now, const std::string& wall_time, std::string cause);
  // How long to wait after the result that was noted last.
  base::Duration next_delay() const { return next_delay_; }
  Verdict verdict() const { return verdict_; }
  const api::HealthResult& result() const { return result_; }

 private:
  Rules rules_;
  base::Instant started_;
  Verdict verdict_;
  bool ever_succeeded_;
  base::Duration next_delay_;
  api::HealthResult result_;
};

}  // namespace node::agent
