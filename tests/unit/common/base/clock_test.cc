// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.h"

#include <set>

#include "tests/support/check_result.h"

using namespace std::chrono_literals;

TEST_GROUP(Clock){};

TEST(Clock, times_are_rfc3339_in_utc_with_milliseconds) {
  STRCMP_EQUAL("1970-01-01T00:00:00.000Z", base::format_time(base::WallTime(0ms)).c_str());
  STRCMP_EQUAL("2016-06-29T12:34:56.789Z",
               base::format_time(base::WallTime(1467203696789ms)).c_str());
  STRCMP_EQUAL("1969-12-31T23:59:59.999Z", base::format_time(base::WallTime(-1ms)).c_str());
}

TEST(Clock, boot_time_goes_forward) {
  const base::Instant first = base::system_clock().now();
  CHECK_TRUE(base::system_clock().now() >= first);
}

TEST_GROUP(Random){};

TEST(Random, uuids_are_version_4_and_differ) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = base::system_rng().uuid();
    LONGS_EQUAL(36, uuid.size());
    LONGS_EQUAL('4', uuid[14]);
    CHECK_TRUE(std::string_view("89ab").find(uuid[19]) != std::string_view::npos);
    CHECK_TRUE(seen.insert(uuid).second);
  }
}

TEST(Random, uuids_of_a_time_are_version_7_and_sort_by_it) {
  std::string before;
  for (int i = 0; i < 1000; ++i) {
    const base::WallTime time{std::chrono::hours(500'000) + std::chrono::milliseconds(i * 977)};
    const std::string uuid = base::system_rng().uuid_at(time);
    LONGS_EQUAL(36, uuid.size());
    LONGS_EQUAL('7', uuid[14]);
    CHECK_TRUE(std::string_view("89ab").find(uuid[19]) != std::string_view::npos);
    CHECK_TRUE(before < uuid);
    before = uuid;
  }
  // 2000-01-01T00:00:00Z is 946,684,800,000 ms, 0xdc6acfac00.
  const base::WallTime known{std::chrono::seconds(946'684'800)};
  STRCMP_EQUAL("00dc6acf-ac00-7", base::system_rng().uuid_at(known).substr(0, 15).c_str());
}

TEST(Random, numbers_stay_below_their_bound) {
  for (int i = 0; i < 1000; ++i) CHECK_TRUE(base::system_rng().below(7) < 7);
}
