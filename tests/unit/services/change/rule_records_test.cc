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

TEST(ChangeRuleRecords, weekly_freezes_are_checked) {
  const Json window = {{"days", {"sat", "sun"}}, {"from", "18:30"}, {"until", "24:00"}};
  const Json freeze = {{"name", "n"},
                       {"match_actions", {"**"}},
                       {"time_zone", "Europe/Berlin"},
                       {"weekly", Json::array({window})}};
  const Freeze read = UNWRAP(read_freeze(freeze));
  LONGS_EQUAL(0x60, read.weekly.front().days);
  LONGS_EQUAL(18 * 3600 + 1800, read.weekly.front().from_s);
  CHECK_TRUE(read.zone != nullptr);
  const Freeze again = UNWRAP(parse_freeze(format_freeze(read)));
  CHECK_TRUE(show_freeze(again) == show_freeze(read));
  CHECK_TRUE(again.zone != nullptr);
  const auto pointer = [&freeze](const char* at, const Json& value) {
    Json wrong = freeze;
    wrong[Json::json_pointer(at)] = value;
    const auto refused = read_freeze(wrong);
    return refused ? std::string("none") : refused.error().pointer;
  };
  STRCMP_EQUAL("/time_zone", pointer("/time_zone", "Mars/Olympus").c_str());
  STRCMP_EQUAL("/weekly", pointer("/weekly", Json::array()).c_str());
  STRCMP_EQUAL("/weekly/0/days", pointer("/weekly/0/days", Json::array({"cat"})).c_str());
  STRCMP_EQUAL("/weekly/0/days", pointer("/weekly/0/days", Json::array()).c_str());
  for (const char* clock : {"", "7:00", "24:01", "12:60", "-1:00", "12-00", "12:000"})
    STRCMP_EQUAL("/weekly/0/until", pointer("/weekly/0/until", clock).c_str());
  STRCMP_EQUAL("/weekly/0/from", pointer("/weekly/0/from", "24:00").c_str());
  STRCMP_EQUAL("/weekly/0/often", pointer("/weekly/0/often", 2).c_str());
  const Json once = {
      {"name", "n"}, {"match_actions", {"**"}}, {"from", 5}, {"until", 9}, {"time_zone", "UTC"}};
  STRCMP_EQUAL("/time_zone", read_freeze(once).error().pointer.c_str());
  // The zone may be gone when the record is read again: it is kept.
  Json gone = Json::parse(format_freeze(read));
  gone["time_zone"] = "Mars/Olympus";
  CHECK_TRUE(UNWRAP(parse_freeze(gone.dump())).zone == nullptr);
}
