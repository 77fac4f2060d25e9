// SPDX-License-Identifier: Apache-2.0
#include "services/meta/schemas.h"

#include "tests/support/services/schema_rig.h"

namespace {

using base::Json;

constexpr const char* kLink = R"({"href":"/root/users/00000000-0000-4000-8000-000000000001",
  "id":"00000000-0000-4000-8000-000000000001","name":"ann",
  "typeId":"58b6775d-37a5-44bc-9115-7331fc4964b7"})";
constexpr const char* kResource = R"({"created":{"timestamp":"2026-01-31T08:00:00.000Z"},
  "id":"00000000-0000-4000-8000-000000000002","modified":{"timestamp":"2026-01-31T08:00:00.000Z"},
  "name":"ws","org":{"href":"/root","id":"00000000-0000-4000-8000-000000000003",
  "properties":{"fqon":"root"},"typeId":"23ba3299-b04e-4c5c-9b3d-64939b22944e"},"properties":{},
  "resource_state":"Gestalt::Resource::State::Active",
  "resource_type":"Gestalt::Resource::Workspace"})";

struct MetaSchemaRig : public services::test::SchemaRig {
  Json link = Json::parse(kLink);
  Json resource = Json::parse(kResource);

  void setup() override { add(services::meta::reply_schemas(), "Meta"); }
  Json altered(Json value, const char* pointer, const Json& to) {
    value[Json::json_pointer(pointer)] = to;
    return value;
  }
};

TEST_GROUP_BASE(MetaSchemas, MetaSchemaRig){};

TEST(MetaSchemas, a_resource_has_the_fields_that_meta_renders_and_no_others) {
  CHECK_TRUE(fits("MetaResource", resource));
  CHECK_FALSE(fits("MetaResource", altered(resource, "/version", 1)));
  CHECK_FALSE(fits("MetaResource", altered(resource, "/owner", nullptr)));
  CHECK_TRUE(fits("MetaResource", altered(resource, "/owner", link)));
  CHECK_FALSE(fits("MetaResource", altered(resource, "/resource_state", "Active")));
  Json without = resource;
  without.erase("org");
  CHECK_FALSE(fits("MetaResource", without));
}

TEST(MetaSchemas, a_stamp_names_a_whole_account_or_none) {
  Json stamp = {{"timestamp", "2026-01-31T08:00:00Z"}};
  CHECK_TRUE(fits("MetaStamp", stamp));
  stamp["id"] = link["id"];
  CHECK_FALSE(fits("MetaStamp", stamp));
  stamp["name"] = "ann";
  stamp["typeId"] = link["typeId"];
  CHECK_TRUE(fits("MetaStamp", stamp));
}

TEST(MetaSchemas, a_list_has_links_or_resources_but_not_both) {
  for (const Json& list : {Json::array(), Json::array({link}), Json::array({resource})})
    CHECK_TRUE(fits("MetaResourceList", list));
  CHECK_FALSE(fits("MetaResourceList", Json::array({link, resource})));
}

TEST(MetaSchemas, an_entitlement_is_a_resource_that_says_who_may_do_what) {
  Json entitlement = altered(resource, "/resource_type", "Gestalt::Resource::Entitlement");
  CHECK_FALSE(fits("MetaEntitlement", entitlement));
  entitlement["properties"] = {
      {"action", "org.view"}, {"identities", Json::array({link})}, {"parent", link}};
  CHECK_TRUE(fits("MetaEntitlement", entitlement));
  CHECK_FALSE(fits("MetaEntitlement", altered(entitlement, "/properties/value", "x")));
  CHECK_FALSE(fits("MetaEntitlement", altered(entitlement, "/resource_type", "x")));
}

TEST(MetaSchemas, what_is_removed_has_no_value_in_a_patch) {
  Json operation = {{"op", "remove"}, {"path", "/name"}};
  CHECK_TRUE(fits("MetaPatchOperation", operation));
  operation["value"] = nullptr;
  CHECK_FALSE(fits("MetaPatchOperation", operation));
  operation["op"] = "add";
  CHECK_TRUE(fits("MetaPatchOperation", operation));
}

TEST(MetaSchemas, configuration_is_entries_by_key_and_what_is_in_force_has_a_hash) {
  const Json entry = {{"value", 3}, {"when", {{"env_type", "prod"}}}};
  CHECK_TRUE(fits("MetaConfig", {{"size", entry}, {"depth", Json::array({entry, entry})}}));
  CHECK_FALSE(fits("MetaConfig", {{"size", 3}}));
  CHECK_FALSE(fits("MetaConfig", {{"size", {{"mode", "add"}}}}));
  const Json view = {{"hash", "0123456789abcdef"}, {"values", {{"size", 3}}}};
  CHECK_TRUE(fits("MetaConfigView", view));
  CHECK_FALSE(fits("MetaConfigView", altered(view, "/hash", "0123")));
  CHECK_FALSE(fits("MetaConfigView", altered(view, "/missing", Json::array())));
}

}  // namespace
