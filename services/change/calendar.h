// SPDX-License-Identifier: Apache-2.0
// Times of the week that come again and again, by the clock on a wall somewhere.
//
// Used by freezes (handler.h, rule_records.cc).
// 1. A window begins at the first moment at which the clock shows its `from`, and ends at the last
// at which it shows its `until`: when the clock is put back it is longer, never interrupted.
// 2. What the clock leaves out when it is put forward is the moment of the change.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "services/change/time_zone.h"

namespace services::change {

struct Window {
  unsigned days = 0;         // on which it begins; bit 0: Monday
  std::int64_t from_s = 0;   // of the day
  std::int64_t until_s = 0;  // of the day, or of the next one when it is not behind `from`
};

// When the longest of the windows that cover the moment ends; both in seconds since 1970.
std::optional<std::int64_t> end_of_window(const TimeZone& zone, std::span<const Window> weekly,
                                          std::int64_t at_s);

// [{"days": ["mon", …], "from": "18:00", "until": "06:00"}], "24:00" being the end of the day.
// Errors: invalid_argument field_*, with a pointer behind `pointer`.
base::Result<std::vector<Window>> read_weekly(const base::Json& list, const std::string& pointer);
base::Json show_weekly(std::span<const Window> weekly);

}  // namespace services::change
