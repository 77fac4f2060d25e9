// SPDX-License-Identifier: Apache-2.0
// Compared with what the C library makes of the same files, moment by moment.
#include "services/change/time_zone.h"

#include <cstdlib>
#include <ctime>

#include "tests/support/check_result.h"

using base::Code;
using services::change::TimeZone;

namespace {

constexpr std::int64_t kDay = 86'400;
// 2026 in Berlin: forward on 29 March at 01:00 UTC, back on 25 October at 01:00 UTC.
constexpr std::int64_t kForward = 1774746000;
constexpr std::int64_t kBack = 1792890000;

// The zone of the C library while it lives.
class LibraryZone {
 public:
  explicit LibraryZone(const char* name) {
    const char* const was = std::getenv("TZ");
    had_ = was != nullptr;
    if (had_) was_ = was;
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  ~LibraryZone() {
    if (had_) {
      ::setenv("TZ", was_.c_str(), 1);
    } else {
      ::unsetenv("TZ");
    }
    ::tzset();
  }
  static std::int64_t offset_at(std::int64_t utc_s) {
    const std::time_t at = utc_s;
    std::tm local{};
    ::localtime_r(&at, &local);
    return local.tm_gmtoff;
  }

 private:
  bool had_ = false;
  std::string was_;
};

}  // namespace

TEST_GROUP(TimeZones) {
  std::shared_ptr<const TimeZone> berlin;

  void setup() override { berlin = UNWRAP(TimeZone::load("Europe/Berlin")); }
};

TEST(TimeZones, offsets_are_those_of_the_c_library) {
  // South of the equator, with half hours, summer time below standard time, and without changes.
  for (const char* name : {"Europe/Berlin", "Europe/Dublin", "America/New_York", "Asia/Kolkata",
                           "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Auckland", "UTC",
                           "Asia/Kathmandu", "America/St_Johns", "Etc/GMT+5", "Asia/Gaza"}) {
    const auto zone = UNWRAP(TimeZone::load(name));
    const LibraryZone library(name);
    // From 1950 to 2100, at an odd pace so that all times of the day occur.
    for (std::int64_t at = -631'152'000; at < 4'102'444'800; at += 7 * 3600 + 1801) {
      if (library.offset_at(at) == zone->offset_at(at)) continue;
      FAIL((std::string(name) + " at " + std::to_string(at)).c_str());
    }
  }
}

TEST(TimeZones, the_second_of_a_change_is_exact) {
  LONGS_EQUAL(3600, berlin->offset_at(kForward - 1));
  LONGS_EQUAL(7200, berlin->offset_at(kForward));
  LONGS_EQUAL(7200, berlin->offset_at(kBack - 1));
  LONGS_EQUAL(3600, berlin->offset_at(kBack));
}

TEST(TimeZones, an_hour_that_is_left_out_is_the_moment_of_the_change) {
  // 02:30 on that day does not exist; 01:59:59 and 03:00 do.
  const std::int64_t two = kForward + 3600;  // as if it were UTC
  for (const auto which : {TimeZone::Which::first, TimeZone::Which::last}) {
    LONGS_EQUAL(kForward - 1, berlin->to_utc(two - 1, which));
    LONGS_EQUAL(kForward, berlin->to_utc(two, which));
    LONGS_EQUAL(kForward, berlin->to_utc(two + 1800, which));
    LONGS_EQUAL(kForward, berlin->to_utc(two + 3600, which));
    LONGS_EQUAL(kForward + 1, berlin->to_utc(two + 3601, which));
  }
}

TEST(TimeZones, an_hour_that_comes_twice_has_a_first_and_a_last_moment) {
  const std::int64_t half_past_two = kBack + 3600 + 1800;
  LONGS_EQUAL(kBack - 1800, berlin->to_utc(half_past_two, TimeZone::Which::first));
  LONGS_EQUAL(kBack + 1800, berlin->to_utc(half_past_two, TimeZone::Which::last));
  const std::int64_t noon = kBack + 3600 + 10 * 3600;
  LONGS_EQUAL(noon - 3600, berlin->to_utc(noon, TimeZone::Which::first));
  LONGS_EQUAL(noon - 3600, berlin->to_utc(noon, TimeZone::Which::last));
}

TEST(TimeZones, every_moment_is_found_by_what_the_clock_shows) {
  for (std::int64_t at = kForward - 40 * kDay; at < kBack + 40 * kDay; at += 1777) {
    const std::int64_t shown = at + berlin->offset_at(at);
    const std::int64_t first = berlin->to_utc(shown, TimeZone::Which::first);
    const std::int64_t last = berlin->to_utc(shown, TimeZone::Which::last);
    CHECK_TRUE(first <= last && (first == at || last == at));
  }
}

TEST(TimeZones, only_names_of_the_database_are_read) {
  for (const char* name : {"", "Nowhere/Atall", "../../../etc/passwd", "/etc/localtime", "Europe",
                           "Europe/../Europe/Berlin", "tzdata.zi", "zone.tab"})
    CHECK_ERROR(Code::invalid_argument, "time_zone_unknown", TimeZone::load(name));
}

TEST(TimeZones, a_damaged_file_is_none) {
  std::string bytes = "TZif2";
  CHECK_ERROR(Code::invalid_argument, "time_zone_unknown", TimeZone::parse(bytes));
  bytes.resize(44, '\0');
  CHECK_ERROR(Code::invalid_argument, "time_zone_unknown", TimeZone::parse(bytes));
  bytes += bytes;  // without a type
  CHECK_ERROR(Code::invalid_argument, "time_zone_unknown", TimeZone::parse(bytes));
}
