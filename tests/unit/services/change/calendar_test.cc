// SPDX-License-Identifier: Apache-2.0
#include "services/change/calendar.h"

#include "tests/support/check_result.h"

using services::change::end_of_window;
using services::change::TimeZone;
using services::change::Window;

namespace {

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kMinute = 60;
constexpr unsigned kSunday = 1U << 6;
constexpr unsigned kSaturday = 1U << 5;
// Sundays of 2026 on which Berlin's clocks change, both at 01:00 UTC.
constexpr std::int64_t kMarch = 1774746000;
constexpr std::int64_t kOctober = 1792890000;
constexpr std::int64_t kMidnight = 1783202400;  // of Sunday, 5 July

}  // namespace

TEST_GROUP(ChangeCalendar) {
  std::shared_ptr<const TimeZone> berlin;
  std::vector<Window> weekly;

  void setup() override { berlin = UNWRAP(TimeZone::load("Europe/Berlin")); }

  void sunday(std::int64_t from_minute, std::int64_t until_minute) {
    weekly = {{kSunday, from_minute * kMinute, until_minute * kMinute}};
  }
  // 0: not covered.
  std::int64_t end(std::int64_t at_s) { return end_of_window(*berlin, weekly, at_s).value_or(0); }
  // Covered from and until exactly these, without a gap.
  void check_span(std::int64_t from, std::int64_t until) {
    LONGS_EQUAL(0, end(from - 1));
    for (std::int64_t at = from; at < until; at += kMinute) LONGS_EQUAL(until, end(at));
    LONGS_EQUAL(until, end(until - 1));
    LONGS_EQUAL(0, end(until));
  }
};

TEST(ChangeCalendar, an_ordinary_sunday) {
  sunday(8 * 60, 12 * 60);
  check_span(kMidnight + 8 * kHour, kMidnight + 12 * kHour);
  LONGS_EQUAL(0, end(kMidnight + 9 * kHour + 24 * kHour));
}

TEST(ChangeCalendar, a_window_over_the_missing_hour_is_shorter) {
  sunday(60, 4 * 60);
  check_span(kMarch - kHour, kMarch + kHour);
}

TEST(ChangeCalendar, a_window_that_begins_or_ends_in_the_missing_hour) {
  sunday(150, 4 * 60);
  check_span(kMarch, kMarch + kHour);
  sunday(60, 150);
  check_span(kMarch - kHour, kMarch);
  sunday(2 * 60, 3 * 60);  // all of it is missing
  LONGS_EQUAL(0, end(kMarch - 1));
  LONGS_EQUAL(0, end(kMarch));
}

TEST(ChangeCalendar, a_window_over_the_hour_that_comes_twice_is_longer) {
  sunday(60, 4 * 60);
  check_span(kOctober - 2 * kHour, kOctober + 2 * kHour);
}

TEST(ChangeCalendar, a_window_that_begins_or_ends_in_the_hour_that_comes_twice) {
  sunday(150, 4 * 60);  // from the first 02:30 on, without a gap
  check_span(kOctober - 30 * kMinute, kOctober + 2 * kHour);
  sunday(60, 150);  // until the second
  check_span(kOctober - 2 * kHour, kOctober + 30 * kMinute);
  sunday(135, 165);
  check_span(kOctober - 45 * kMinute, kOctober + 45 * kMinute);
}

TEST(ChangeCalendar, a_night_goes_over_midnight) {
  weekly = {{kSaturday, 22 * kHour, 6 * kHour}};
  // Into the day on which the clocks are put back: nine hours instead of eight.
  const std::int64_t midnight = kOctober - 3 * kHour;
  check_span(midnight - 2 * kHour, midnight + 7 * kHour);
  weekly = {{kSaturday, 0, 24 * kHour}};
  check_span(midnight - 24 * kHour, midnight);
  weekly = {{kSunday, 12 * kHour, 12 * kHour}};  // a whole day
  check_span(midnight + 13 * kHour, midnight + 37 * kHour);
}

TEST(ChangeCalendar, the_longest_of_several_counts) {
  weekly = {{kSunday, 8 * kHour, 12 * kHour}, {kSunday, 9 * kHour, 11 * kHour}};
  LONGS_EQUAL(kMidnight + 12 * kHour, end(kMidnight + 10 * kHour));
}
