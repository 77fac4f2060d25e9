// SPDX-License-Identifier: Apache-2.0
#include "services/change/schemas.h"

#include "tests/support/services/schema_rig.h"

namespace {

using base::Json;

struct ChangeSchemaRig : public services::test::SchemaRig {
  void setup() override { add(services::change::reply_schemas(), "Change"); }
};

TEST_GROUP_BASE(ChangeSchemas, ChangeSchemaRig){};

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
