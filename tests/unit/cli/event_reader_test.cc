// SPDX-License-Identifier: Apache-2.0
#include "cli/event_reader.h"

#include "tests/support/check_result.h"

namespace {

using cli::EventReader;
using cli::ServerEvent;

std::vector<ServerEvent> read_all(const std::string& bytes) {
  EventReader reader;
  return UNWRAP(reader.push(bytes));
}

}  // namespace

TEST_GROUP(EventReader){};

TEST(EventReader, an_event_ends_at_an_empty_line_whatever_the_line_ends) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const auto events = read_all("event: status" + end + "data: {}" + end + end);
    LONGS_EQUAL(1, events.size());
    STRCMP_EQUAL("status", events[0].type.c_str());
    STRCMP_EQUAL("{}", events[0].data.c_str());
  }
}

TEST(EventReader, bytes_may_come_one_by_one) {
  const std::string bytes = "id: 7\r\nevent: a\r\ndata: x\r\n\r\ndata: y\r\n\r\n";
  EventReader reader;
  std::vector<ServerEvent> events;
  for (const char byte : bytes) {
    for (ServerEvent& event : UNWRAP(reader.push(std::string_view(&byte, 1)))) {
      events.push_back(std::move(event));
    }
  }
  LONGS_EQUAL(2, events.size());
  STRCMP_EQUAL("7", events[0].id.c_str());
  STRCMP_EQUAL("a", events[0].type.c_str());
  STRCMP_EQUAL("message", events[1].type.c_str());
  STRCMP_EQUAL("y", events[1].data.c_str());
}

TEST(EventReader, several_data_lines_are_joined_by_line_feeds) {
  STRCMP_EQUAL("a\n\nb", read_all("data: a\ndata\ndata:b\n\n")[0].data.c_str());
}

TEST(EventReader, comments_unknown_fields_and_events_without_data_give_nothing) {
  LONGS_EQUAL(0, read_all(":keep-alive\n\nretry: 5\n\nevent: x\n\nwhatever\n\n").size());
}

TEST(EventReader, what_is_not_ended_is_not_given) {
  LONGS_EQUAL(0, read_all("data: half\n").size());
}

TEST(EventReader, an_endless_event_is_refused) {
  EventReader reader;
  const std::string piece(1 << 20, 'x');
  CHECK_OK(reader.push("data: " + piece));
  CHECK_OK(reader.push(piece + "\ndata: " + piece));
  CHECK_ERROR(base::Code::too_large, "event_too_large", reader.push(piece));
}
