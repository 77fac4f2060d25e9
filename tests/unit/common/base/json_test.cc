// SPDX-License-Identifier: Apache-2.0
#include "common/base/json.h"

#include <nlohmann/json.hpp>
#include <type_traits>

#include "tests/support/check_result.h"

using base::Code;
using base::Fields;
using base::Json;

TEST_GROUP(JsonText){};

TEST(JsonText, limits_name_what_was_exceeded) {
  CHECK_ERROR(Code::too_large, "json_too_large", base::parse_json("[1,2,3]", {.bytes_max = 3}));
  CHECK_ERROR(Code::invalid_argument, "json_too_deep",
              base::parse_json(std::string(70, '[') + std::string(70, ']')));
  CHECK_OK(base::parse_json("[\"" + std::string(100, '[') + "\"]"));
  for (const char* bad : {"", "{", "{\"a\":}", "nul", "\"\xff\"", "1e999", "{} x", "// c\n{}"}) {
    CHECK_ERROR(Code::invalid_argument, "json_invalid", base::parse_json(bad));
  }
  CHECK_OK(base::parse_json("// comment\n{}", {}, base::JsonComments::ignore));
}

static_assert(!std::is_constructible_v<Fields, Json>);  // it refers to what it is given

TEST_GROUP(JsonFields){};

TEST(JsonFields, the_first_error_carries_its_pointer) {
  const Json json = Json::parse(R"({"id": 7, "cpus": -1})");
  Fields fields(json, "/app");
  std::string id = "kept";
  double cpus = 1;
  fields.required("id", id);
  fields.optional("cpus", cpus, {.min = 0});
  const auto result = fields.finish(base::UnknownFields::refuse);
  CHECK_ERROR(Code::invalid_argument, "field_invalid", result);
  STRCMP_EQUAL("/app/id", result.error().pointer.c_str());
  STRCMP_EQUAL("kept", id.c_str());
}

TEST(JsonFields, unknown_and_missing_fields_are_named) {
  const Json json = Json::parse(R"({"a/b~": 1})");
  Fields strict(json);
  auto result = strict.finish(base::UnknownFields::refuse);
  CHECK_ERROR(Code::invalid_argument, "field_unknown", result);
  STRCMP_EQUAL("/a~1b~0", result.error().pointer.c_str());
  Fields missing(json);
  std::string id;
  missing.required("id", id);
  CHECK_ERROR(Code::invalid_argument, "field_missing", missing.finish(base::UnknownFields::ignore));
}

TEST(JsonFields, whole_numbers_may_be_written_as_reals) {
  const Json json = Json::parse(R"({"a": 2.0, "b": 2.5, "c": 18446744073709551615})");
  std::int64_t number = 0;
  Fields good(json);
  good.required("a", number);
  CHECK_OK(good.finish(base::UnknownFields::ignore));
  LONGS_EQUAL(2, number);
  for (const char* name : {"b", "c"}) {
    Fields bad(json);
    bad.required(name, number);
    CHECK_ERROR(Code::invalid_argument, "field_invalid", bad.finish(base::UnknownFields::ignore));
  }
}

TEST(JsonFields, a_wrong_entry_of_a_list_is_pointed_at) {
  const Json json = Json::parse(R"({"args": ["a", 1]})");
  Fields fields(json);
  std::vector<std::string> args;
  fields.optional("args", args);
  const auto result = fields.finish(base::UnknownFields::refuse);
  CHECK_ERROR(Code::invalid_argument, "field_invalid", result);
  STRCMP_EQUAL("/args/1", result.error().pointer.c_str());
}

TEST(JsonFields, anything_but_an_object_is_refused) {
  const Json json = Json::parse("[1]");
  Fields fields(json, "/x");
  std::string text;
  fields.required("a", text);
  CHECK_ERROR(Code::invalid_argument, "not_an_object", fields.finish(base::UnknownFields::refuse));
}
