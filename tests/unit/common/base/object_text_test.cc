// SPDX-License-Identifier: Apache-2.0
#include "common/base/object_text.h"

#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/check_result.h"

using base::Json;
using base::ObjectText;

TEST_GROUP(ObjectText){};

TEST(ObjectText, gives_what_the_library_gives) {
  STRCMP_EQUAL("{}", ObjectText().take().c_str());
  const Json inner = {{"b", {1, 2}}, {"a", nullptr}};
  const std::string text = ObjectText()
                               .flag("a", true)
                               .number("b", -7)
                               .text("c", "plain")
                               .value("d", inner)
                               .raw("e", "[1]")
                               .text("f", "")
                               .take();
  const Json same = {{"a", true}, {"b", -7}, {"c", "plain"}, {"d", inner}, {"e", {1}}, {"f", ""}};
  STRCMP_EQUAL(base::dump_json(same).c_str(), text.c_str());
}

TEST(ObjectText, any_bytes_are_a_text) {
  std::mt19937 random{7};
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random() % 12, '\0');
    for (char& byte : bytes) {
      // Often one of those that matter.
      constexpr std::string_view kSpecial = "\"\\/\n\t\x7f\x01\xc3\xa4\xe2\x82\xac";
      byte = random() % 2 == 0 ? kSpecial[random() % kSpecial.size()] : static_cast<char>(random());
    }
    STRCMP_EQUAL(base::dump_json({{"x", bytes}}).c_str(),
                 ObjectText().text("x", bytes).take().c_str());
  }
}
