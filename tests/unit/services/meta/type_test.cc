// SPDX-License-Identifier: Apache-2.0
#include "services/meta/type.h"

#include <nlohmann/json.hpp>

#include "services/meta/properties.h"
#include "tests/support/check_result.h"

using base::Code;
using base::Json;
using namespace services::meta;

TEST_GROUP(Type){};

TEST(Type, is_read_and_written_in_the_same_shape) {
  const Json document = {
      {"name", "Acme::Robot"},
      {"extend", "Gestalt::Resource::Asset"},
      {"properties",
       {{"property_defs",
         {{{"name", "arms"}, {"data_type", "int"}, {"requirement_type", "required"}},
          {{"name", "home"},
           {"data_type", "resource::uuid::link"},
           {"refers_to", "Gestalt::Resource::Location"},
           {"on_delete", "nullify"}},
          {{"name", "pin"}, {"visibility_type", "encrypted"}, {"is_sealed", true}}}},
        {"actions", {{"prefix", "robot"}, {"verbs", {"create", "dance"}}}},
        {"api", {{"rest_name", "robots"}}},
        {"lineage", {{"parent_types", {"Gestalt::Resource::Environment"}}}}}}};
  const ResourceType type = UNWRAP(read_type(document));
  CHECK(is_uuid(type.id));
  CHECK(type.properties.at("arms").requirement == Requirement::required);
  CHECK(type.properties.at("home").on_delete == OnDelete::nullify);
  CHECK(type.properties.at("pin").encrypted);
  const Json again = {
      {"name", type.name}, {"extend", type.extends}, {"properties", type_properties(type)}};
  CHECK(type_properties(UNWRAP(read_type(again))) == type_properties(type));
}

TEST(Type, a_wrong_definition_is_refused_with_its_place) {
  const auto with = [](const Json& property) {
    return Json{{"name", "X"}, {"properties", {{"property_defs", {property}}}}};
  };
  CHECK_ERROR(Code::invalid_argument, "type_invalid",
              read_type(with({{"name", "a"}, {"data_type", "money"}})));
  CHECK_ERROR(Code::invalid_argument, "type_invalid",
              read_type(with({{"name", "a"}, {"requirement_type", "perhaps"}})));
  CHECK_ERROR(Code::invalid_argument, "type_invalid",
              read_type(with({{"name", "a"}, {"on_delete", "explode"}})));
  CHECK_ERROR(Code::invalid_argument, "field_missing", read_type({{"properties", Json::object()}}));
}

TEST(Type, derived_ids_are_uuids_that_stay_the_same) {
  CHECK(is_uuid(derived_id("Gestalt::Resource::Container")));
  STRCMP_EQUAL(derived_id("a").c_str(), derived_id("a").c_str());
  CHECK(derived_id("a") != derived_id("b"));
  CHECK(derived_id("") != derived_id("a"));
}
