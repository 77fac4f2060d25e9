// SPDX-License-Identifier: Apache-2.0
#include "services/event/event_json.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using namespace services::event;
using base::Code;
using base::Json;

TEST_GROUP(EventJson){};

TEST(EventJson, an_event_is_read_with_its_defaults) {
  const Chosen chosen = UNWRAP(read_event({{"event_name", "a.b"}}, "", "fresh"));
  CHECK_TRUE(chosen.event == (Event{"fresh", "a.b"}));
  CHECK_FALSE(chosen.partition.has_value());
  const Chosen full = UNWRAP(read_event({{"uuid", "u"},
                                         {"event_name", "n"},
                                         {"key", ""},
                                         {"partition", 3},
                                         {"data", {{"x", nullptr}}}},
                                        "", "fresh"));
  CHECK_TRUE(full.event == (Event{"u", "n", "", R"({"x":null})"}));
  LONGS_EQUAL(3, full.partition.value());
}

TEST(EventJson, what_is_wrong_is_named_with_its_place) {
  const auto pointer = [](const Json& json) { return read_event(json, "/4", "f").error().pointer; };
  STRCMP_EQUAL("/4/event_name", pointer(Json::object()).c_str());
  STRCMP_EQUAL("/4/uuid", pointer({{"event_name", "n"}, {"uuid", std::string(129, 'u')}}).c_str());
  STRCMP_EQUAL("/4/partition", pointer({{"event_name", "n"}, {"partition", 64}}).c_str());
  STRCMP_EQUAL("/4/extra", pointer({{"event_name", "n"}, {"extra", 1}}).c_str());
  STRCMP_EQUAL("/4/event_name", pointer({{"event_name", "a\nb"}}).c_str());
  CHECK_ERROR(Code::invalid_argument, "not_an_object", read_event(Json::array(), "", "f"));
}

TEST(EventJson, data_that_is_no_json_is_shown_as_base64) {
  StoredEvent stored;
  stored.event = {"u", "n", "k", std::string("\x00\xff", 2)};
  STRCMP_EQUAL("AP8", show_event(stored)["data_base64"].get<std::string>().c_str());
  stored.event.data = R"({"a":1})";
  LONGS_EQUAL(1, show_event(stored)["data"]["a"].get<int>());
  stored.event.data.reset();
  CHECK_FALSE(show_event(stored).contains("data"));
}
