// SPDX-License-Identifier: Apache-2.0
#include "services/event/cursor.h"

#include "tests/support/check_result.h"

using namespace services::event;

TEST_GROUP(EventCursor){};

TEST(EventCursor, comes_back_as_it_was) {
  const Cursor cursor{{0, 12}, {7, 0}, {63, 1'000'000'000'000}};
  STRCMP_EQUAL("0:12,7:0,63:1000000000000", format_cursor(cursor).c_str());
  CHECK_TRUE(UNWRAP(parse_cursor(format_cursor(cursor))) == cursor);
  CHECK_TRUE(UNWRAP(parse_cursor("42")) == (Cursor{{0, 42}}));
}

TEST(EventCursor, what_is_none_is_refused) {
  for (const char* text : {"", ":", "0:", ":1", "a", "0:-1", "64:0", "0:1,", "0:1,0:2", "1:2:3"})
    CHECK_ERROR(base::Code::invalid_argument, "cursor_invalid", parse_cursor(text));
}
