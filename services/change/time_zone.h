// SPDX-License-Identifier: Apache-2.0
// Time zones of the system's database: what a clock on the wall shows at a moment, and when it
// shows something. The toolchain has no std::chrono::time_zone yet (GCC 14 has), and localtime_r
// knows one zone a process.
//
// Used by freezes that recur.
// 1. An hour that the clock shows twice has a first and a last moment; one that it leaves out has
// the moment at which it is put forward.
// Threads: any; immutable once made. Source: RFC 8536 (TZif, versions 2 and later), POSIX.1 TZ for
// what comes behind the last transition.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace services::change {

class TimeZone {
 public:
  // "Europe/Berlin", from /usr/share/zoneinfo. Errors: invalid_argument time_zone_unknown.
  static base::Result<std::shared_ptr<const TimeZone>> load(std::string_view name);
  // The bytes of a file. Errors: invalid_argument time_zone_unknown when they are none.
  static base::Result<TimeZone> parse(std::string_view bytes);

  // Seconds east of UTC at a moment, which is in seconds since 1970.
  std::int64_t offset_at(std::int64_t utc_s) const;
  // The moment at which the clock shows `local_s`: seconds since 1970 as if it showed UTC.
  enum class Which { first, last };
  std::int64_t to_utc(std::int64_t local_s, Which which) const;

 private:
  struct Transition {
    std::int64_t at_s = 0;
    std::int64_t offset_s = 0;  // from then on
  };
  // A day of each year: M month.week.weekday, J day without 29 February, or day from 0.
  struct YearDay {
    enum class Kind { month_week, julian, from_zero } kind = Kind::month_week;
    unsigned month = 1;
    unsigned week = 1;  // 5: the last
    unsigned weekday = 0;
    int day = 0;
    std::int64_t time_s = 0;  // of the clock before the change
  };
  // What holds for ever behind the last transition.
  struct Footer {
    std::int64_t standard_s = 0;
    bool has_summer = false;
    std::int64_t summer_s = 0;
    YearDay begin;
    YearDay end;
  };
  class FooterText;
  static std::int64_t local_of(const YearDay& day, int year);
  std::int64_t offset_by_footer(std::int64_t utc_s) const;

  std::int64_t first_s_ = 0;  // before the first transition
  std::vector<Transition> transitions_;
  bool has_footer_ = false;
  Footer footer_;
};

}  // namespace services::change
