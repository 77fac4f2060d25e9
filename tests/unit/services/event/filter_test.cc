// SPDX-License-Identifier: Apache-2.0
#include "services/event/filter.h"

#include "tests/support/check_result.h"

using services::event::Filter;
using services::event::StoredEvent;

namespace {

struct Case {
  const char* filter;
  bool accepts;
};

StoredEvent order_event() {
  StoredEvent stored;
  stored.event = {"e1", "task.dns.record.create.pending", "k",
                  R"({"n":5,"f":2.5,"t":"hello","b":true,"list":["a",7,{"x":"y"}],"in":1})"};
  stored.partition = 2;
  stored.offset = 40;
  return stored;
}

}  // namespace

TEST_GROUP(EventFilter){};

TEST(EventFilter, each_operator_says_what_its_name_says) {
  const Case cases[] = {
      {"", true},
      {"Exact:task.dns.record.create.pending", true},
      {"Exact:task.dns.record.create", false},
      {"StartsWith:task.dns.", true},
      {"StartsWith:dns", false},
      {R"(name == "task.dns.record.create.pending")", true},
      {R"(name startsWith "task." and name endsWith ".pending")", true},
      {R"(name contains "record")", true},
      {R"(id == "e1" and key == "k" and partition == 2 and offset >= 40)", true},
      {"data.n == 5", true},
      {"data.n == 5.0", true},
      {"data.n != 5", false},
      {"data.n < 6", true},
      {"data.n <= 5", true},
      {"data.n > 5", false},
      {"data.f > 2 and data.f < 3", true},
      {R"(data.t < "i")", true},
      {R"(data.t < 7)", false},
      {R"(data.t >= 7)", false},
      {"data.b == true", true},
      {R"(data.list contains "a")", true},
      {R"(data.list contains "b")", false},
      {"data.list[1] == 7", true},
      {R"(data.list[2].x == "y")", true},
      {"data.list[3] == null", true},
      {"data.absent == null", true},
      {"data.absent != 1", true},
      {"data.absent < 1", false},
      {"data.in == 1", true},
      {"data.n in [1, 5]", true},
      {R"(data.t in ["x"])", false},
      {"not data.n == 5", false},
      {"not not data.n == 5", true},
      {"data.n == 1 or data.n == 5", true},
      {"data.n == 1 or data.n == 5 and data.b == false", false},
      {"(data.n == 5 or data.n == 1) and data.b == true", true},
      {R"(data.t == "or" or data.b == true)", true},
  };
  for (const Case& one : cases) {
    const Filter filter = UNWRAP(Filter::parse(one.filter));
    CHECK_TEXT(filter.accepts(order_event()) == one.accepts, one.filter);
  }
}

TEST(EventFilter, data_that_is_not_json_is_a_text_and_absent_data_is_null) {
  StoredEvent stored = order_event();
  stored.event.data = "plain words";
  CHECK_TRUE(UNWRAP(Filter::parse(R"(data contains "words")")).accepts(stored));
  stored.event.data.reset();
  stored.event.key.reset();
  CHECK_TRUE(UNWRAP(Filter::parse("data == null and key == null")).accepts(stored));
}
