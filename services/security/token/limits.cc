// SPDX-License-Identifier: Apache-2.0
#include "services/security/token/limits.h"

#include <algorithm>

namespace security {

LoginVerdict begin_attempt(AttemptRecord& record, const LoginLimits& limits, std::int64_t now) {
  // A clock that was set back opens a new window rather than an endless one.
  if (now < record.window || now >= record.window + limits.window_s) {
    record.window = now;
    record.count = 0;
  }
  if (record.locked_until > now + limits.lock_max_s) record.locked_until = now;
  if (record.locked_until > now) return LoginVerdict::locked;
  if (record.count >= limits.attempts_max) return LoginVerdict::limited;
  ++record.count;
  ++record.failures;
  if (record.failures >= limits.failures_max) {
    const std::int64_t doublings =
        std::min<std::int64_t>(record.failures - limits.failures_max, 20);
    record.locked_until = now + std::min(limits.lock_s << doublings, limits.lock_max_s);
  }
  return LoginVerdict::allowed;
}

void forgive_attempt(AttemptRecord& record) {
  record.failures = 0;
  record.locked_until = 0;
}

}  // namespace security
