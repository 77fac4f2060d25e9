// SPDX-License-Identifier: Apache-2.0
// How often a name may try to log in, and when it is locked out: decisions on a record that the
// store keeps, so that a restart forgets nothing.
//
// Used by services/security before a password is looked at.
// 1. At most `attempts_max` in a window, whatever their outcome (the original's 100 a minute).
// 2. After `failures_max` failures in a row each further one locks the name for twice as long as
// the last, up to `lock_max`; a success forgets them.
// 3. An attempt is counted as a failure before the password is checked: many at once cannot pass
// the limit together.
// Threads: any (pure).
#pragma once

#include <cstdint>

#include "services/security/data/records.h"

namespace security {

struct LoginLimits {
  std::int64_t window_s = 60;
  std::int64_t attempts_max = 100;
  std::int64_t failures_max = 10;
  std::int64_t lock_s = 30;
  std::int64_t lock_max_s = 3600;
};

enum class LoginVerdict { allowed, limited, locked };

// Counts an attempt at `now` in the record.
LoginVerdict begin_attempt(AttemptRecord& record, const LoginLimits& limits, std::int64_t now);
// The attempt was right.
void forgive_attempt(AttemptRecord& record);

}  // namespace security
