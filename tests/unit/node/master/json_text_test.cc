// SPDX-License-Identifier: Apache-2.0
#include "node/master/json_text.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using base::Json;
using node::master::ListText;
using node::master::with_member;

TEST_GROUP(JsonText){};

TEST(JsonText, a_list_is_the_text_of_its_entries) {
  ListText none;
  STRCMP_EQUAL("[]", none.take().c_str());
  ListText list;
  list.add({{"a", 1}});
  list.add("x\"y");
  STRCMP_EQUAL(R"([{"a":1},"x\"y"])", list.take().c_str());
}

TEST(JsonText, a_member_is_added_to_an_object) {
  STRCMP_EQUAL(R"({"a":{},"b":[1]})", with_member(R"({"a":{}})", "b", "[1]").c_str());
}
