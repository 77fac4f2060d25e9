// SPDX-License-Identifier: Apache-2.0
#include "services/framework/schema.h"

#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

namespace {

using base::Json;
using services::Schemas;

struct Case {
  const char* schema;
  const char* value;
  const char* pointer;  // of what is wrong; nullptr: it fits
};

constexpr Case kCases[] = {
    {R"({"type":"string"})", R"("a")", nullptr},
    {R"({"type":"string"})", "7", ""},
    {R"({"type":["string","null"]})", "null", nullptr},
    {R"({"type":"integer"})", "7", nullptr},
    {R"({"type":"integer"})", "7.0", nullptr},
    {R"({"type":"integer"})", "7.5", ""},
    {R"({"type":"integer","minimum":1,"maximum":9})", "0", ""},
    {R"({"enum":["a","b"]})", R"("c")", ""},
    {R"({"const":1})", "1", nullptr},
    {R"({"type":"string","minLength":2})", R"("ä")", ""},
    {R"({"type":"string","maxLength":1})", R"("ä")", nullptr},
    {R"({"type":"string","pattern":"^[a-z]+$"})", R"("a1")", ""},
    {R"({"format":"uuid"})", R"("6b0ef1f4-1111-4222-8333-444455556666")", nullptr},
    {R"({"format":"uuid"})", R"("6b0ef1f4")", ""},
    {R"({"format":"date-time"})", R"("2026-01-31T08:00:00.123Z")", nullptr},
    {R"({"format":"date-time"})", R"("yesterday")", ""},
    {R"({"required":["a"]})", R"({"b":1})", "/a"},
    {R"({"properties":{"a":{"type":"integer"}}})", R"({"a":"x"})", "/a"},
    {R"({"additionalProperties":false,"properties":{}})", R"({"a/b":1})", "/a~1b"},
    {R"({"additionalProperties":{"type":"integer"}})", R"({"a":"x"})", "/a"},
    {R"({"items":{"type":"integer"}})", R"([1,2,"x"])", "/2"},
    {R"({"minItems":1})", "[]", ""},
    {R"({"maxItems":1})", "[1,2]", ""},
    {R"({"maxProperties":1})", R"({"a":1,"b":2})", ""},
    {R"({"anyOf":[{"type":"integer"},{"type":"null"}]})", R"("x")", ""},
    {R"({"oneOf":[{"type":"integer"},{"minimum":3}]})", "5", ""},
    {R"({"oneOf":[{"type":"integer"},{"type":"null"}]})", "5", nullptr},
    {R"({"allOf":[{"required":["a"]},{"required":["b"]}]})", R"({"a":1})", "/b"},
    {R"({"$ref":"#/components/schemas/Tree"})", R"({"children":[{"children":[{"x":1}]}]})",
     "/children/0/children/0/x"},
};

TEST_GROUP(Schema) {
  Schemas schemas;
  void setup() override {
    CHECK_OK(schemas.add("Tree", R"({"type":"object","additionalProperties":false,"properties":{
      "children":{"type":"array","items":{"$ref":"#/components/schemas/Tree"}}}})"));
    CHECK_OK(schemas.check_references());
  }
};

TEST(Schema, values_fit_or_are_refused_at_the_right_place) {
  for (const Case& each : kCases) {
    const auto schema = Schemas::read(each.schema);
    CHECK_OK(schema);
    const auto outcome = schemas.validate(*schema, Json::parse(each.value));
    if (each.pointer == nullptr) {
      CHECK_OK(outcome);
    } else {
      CHECK_ERROR(base::Code::invalid_argument, "schema_violated", outcome);
      STRCMP_EQUAL(each.pointer, outcome.error().pointer.c_str());
    }
  }
}

TEST(Schema, words_that_would_not_work_are_refused) {
  CHECK_ERROR(base::Code::invalid_argument, "json_schema_invalid",
              Schemas::read(R"({"properties":{"a":{"patternProperties":{}}}})"));
  CHECK_ERROR(base::Code::invalid_argument, "json_schema_invalid", Schemas::read("[]"));
}

TEST(Schema, a_reference_to_nothing_is_found_at_the_start) {
  CHECK_OK(schemas.add("Bad", R"({"$ref":"#/components/schemas/Nothing"})"));
  CHECK_ERROR(base::Code::invalid_argument, "json_schema_invalid", schemas.check_references());
}

}  // namespace
