// SPDX-License-Identifier: Apache-2.0
// Times as people and other programs write them, read. The reverse is format_time (clock.h).
//
// Used by services that take times in requests. Threads: any. Source: RFC 3339 section 5.6.
#pragma once

#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace base {

// "2026-01-31T08:00:00.123Z", with any zone and any number of decimals, of which three count.
// Errors: invalid_argument time_invalid.
Result<WallTime> parse_time(std::string_view text);

}  // namespace base
