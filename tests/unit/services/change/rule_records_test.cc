// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "services/change/records.h"
#include "tests/support/check_result.h"

using namespace services::change;
using base::Code;
using base::Json;

TEST_GROUP(ChangeRuleRecords){};

TEST(ChangeRuleRecords, handlers_and_freezes_are_checked) {
  const Handler handler = UNWRAP(
      read_handler({{"name", "n"}, {"match_actions", {"**"}}, {"quorum", 2}, {"adapter", "snow"}}));
  STRCMP_EQUAL(format_handler(handler).c_str(),
               format_handler(UNWRAP(parse_handler(format_handler(handler)))).c_str());
  const auto pointer = [](const Json& body) { return read_handler(body).error().pointer; };
  STRCMP_EQUAL("/match_actions", pointer({{"name", "n"}}).c_str());
  STRCMP_EQUAL("/quorum",
               pointer({{"name", "n"}, {"match_actions", {"**"}}, {"quorum", 0}}).c_str());
  STRCMP_EQUAL("/name", pointer({{"match_actions", {"**"}}}).c_str());
  const Json freeze = {{"name", "n"}, {"match_actions", {"**"}}, {"from", 5}, {"until", 9}};
  const Freeze read = UNWRAP(read_freeze(freeze));
  LONGS_EQUAL(9, UNWRAP(parse_freeze(format_freeze(read))).until_ms);
  Json wrong = freeze;
  wrong["until"] = 5;
  STRCMP_EQUAL("/until", read_freeze(wrong).error().pointer.c_str());
  wrong.erase("until");
  CHECK_ERROR(Code::invalid_argument, "field_missing", read_freeze(wrong));
}
