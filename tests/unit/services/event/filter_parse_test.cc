// SPDX-License-Identifier: Apache-2.0
#include "services/event/filter.h"
#include "tests/support/check_result.h"

using services::event::Filter;

TEST_GROUP(EventFilterGrammar){};

TEST(EventFilterGrammar, what_is_no_filter_is_refused_with_its_place) {
  for (const char* text : {"nme == 1",
                           "name",
                           "name ==",
                           "name == x",
                           "name = 1",
                           "(name == 1",
                           "name == 1)",
                           "name == 1 and",
                           "and",
                           "data. == 1",
                           "data[ == 1",
                           "data[x] == 1",
                           "data[-1] == 1",
                           "name == \"a",
                           "data.n in 5",
                           "data == {}",
                           "data == {\"a\":1}",
                           "name == 1 name == 2",
                           "data[99999999] == 1",
                           "name == [1, 2",
                           "name=="}) {
    const auto parsed = Filter::parse(text);
    CHECK_TEXT(!parsed, text);
    STRCMP_EQUAL("filter_invalid", std::string(parsed.error().reason).c_str());
    CHECK_TRUE(parsed.error().detail.find("byte ") != std::string::npos);
  }
}

TEST(EventFilterGrammar, what_is_too_large_is_refused) {
  CHECK_ERROR(base::Code::invalid_argument, "filter_invalid",
              Filter::parse(std::string(4097, ' ')));
  CHECK_ERROR(base::Code::invalid_argument, "filter_invalid",
              Filter::parse(std::string(40, '(') + "id == 1" + std::string(40, ')')));
  std::string nots;
  for (int i = 0; i < 40; ++i) nots += "not ";
  CHECK_ERROR(base::Code::invalid_argument, "filter_invalid", Filter::parse(nots + "id == 1"));
  std::string wide = "id == 1";
  for (int i = 0; i < 300; ++i) wide += " or id == 1";
  CHECK_ERROR(base::Code::invalid_argument, "filter_invalid", Filter::parse(wide));
}
