// SPDX-License-Identifier: Apache-2.0
#include "services/change/schemas.h"

#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>

#include "services/framework/reply_forms.h"
#include "services/framework/schema.h"
#include "tests/support/check_result.h"

namespace {

using base::Json;

TEST_GROUP(ChangeSchemas) {
  services::Schemas schemas;
  void add(const std::vector<services::Schema>& all, const char* prefix) {
    for (const services::Schema& each : all) {
      CHECK_TRUE(each.name.starts_with(prefix));
      CHECK_OK(schemas.add(each.name, each.text));
    }
  }
  void setup() override {
    add(services::change::reply_schemas(), "Change");
    CHECK_OK(schemas.check_references());
  }
  bool fits(const char* name, const Json& value) {
    return schemas.validate(services::reference_to(name), value).has_value();
  }
};

TEST(ChangeSchemas, an_amendment_is_an_operation_of_a_patch) {
  const Json operation = {{"op", "replace"}, {"path", "/body/name"}, {"value", "b"}};
  Json diff = {{"payloadHash", "00ff"}, {"amendedBy", {"ann"}}, {"amendments", {operation}}};
  CHECK_TRUE(fits("ChangeDiff", diff));
  diff["amendments"][0]["op"] = "merge";
  CHECK_FALSE(fits("ChangeDiff", diff));
}

TEST(ChangeSchemas, a_freeze_has_times) {
  Json freeze = {{"id", "00000000-0000-4000-8000-000000000001"},
                 {"name", "holidays"},
                 {"org_id", ""},
                 {"match_actions", {"**"}},
                 {"from", "2026-12-20T00:00:00.000Z"},
                 {"until", "2027-01-03T00:00:00.000Z"}};
  CHECK_TRUE(fits("ChangeFreeze", freeze));
  freeze["until"] = 1;
  CHECK_FALSE(fits("ChangeFreeze", freeze));
}

}  // namespace
