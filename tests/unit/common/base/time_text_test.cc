// SPDX-License-Identifier: Apache-2.0
#include "common/base/time_text.h"

#include "tests/support/check_result.h"

TEST_GROUP(TimeText){};

TEST(TimeText, a_time_with_a_zone_is_read) {
  for (const char* text : {"2016-06-29T12:34:56.789Z", "2016-06-29t12:34:56.789123z",
                           "2016-06-29 14:34:56.789+02:00", "2016-06-28T23:04:56.789-13:30"})
    STRCMP_EQUAL("2016-06-29T12:34:56.789Z",
                 base::format_time(UNWRAP(base::parse_time(text))).c_str());
  STRCMP_EQUAL("2024-02-29T00:00:00.500Z",
               base::format_time(UNWRAP(base::parse_time("2024-02-29T00:00:00.5Z"))).c_str());
}

TEST(TimeText, what_is_no_time_is_refused) {
  for (const char* text :
       {"", "2016-06-29", "2016-06-29T12:34:56", "2016-6-29T12:34:56Z", "2016-13-29T12:34:56Z",
        "2015-02-29T12:34:56Z", "2016-06-29T24:00:00Z", "2016-06-29T12:60:00Z",
        "2016-06-29T12:34:61Z", "2016-06-29T12:34:56.Z", "2016-06-29T12:34:56+2:00",
        "2016-06-29T12:34:56+02:60", "2016-06-29T12:34:56Z ", "-016-06-29T12:34:56Z", "tomorrow"})
    CHECK_ERROR(base::Code::invalid_argument, "time_invalid", base::parse_time(text));
}
