// SPDX-License-Identifier: Apache-2.0
// The addresses of the original beside those of the collections: /resources, /search, an
// organisation below another, containers of a provider, and what a provider is sent.
#include "services/framework/reply_forms.h"
#include "services/framework/schema.h"
#include "services/framework/task_row.h"
#include "services/meta/schemas.h"
#include "tests/unit/services/meta/service_rig.h"

TEST_GROUP_BASE(MetaAddresses, MetaRig){};

TEST(MetaAddresses, resources_of_any_type_are_made_and_changed_by_their_own_actions) {
  plant();
  const std::string list = "/root/resources";
  make("two", list, R"({"name":"two","resource_type":"Gestalt::Resource::Workspace"})");
  must(call("admin", "GET /root/workspaces/$two"), 200);
  const base::Json all = call("admin", "GET " + list + "?type=Gestalt::Resource::Workspace").json;
  LONGS_EQUAL(2, all.size());
  enter("ann");
  const std::string body = R"({"name":"ann's","resource_type":"Gestalt::Resource::Workspace"})";
  must(call("ann", "POST " + list, body), 403);
  grant("/root", "workspace.create", base::Json::array({ids["ann"]}));
  must(call("ann", "POST " + list, body), 201);
  // The same is not said of other types, nor of what is done to them.
  must(call("ann", "POST " + list, R"({"name":"p","resource_type":"Gestalt::Resource::Policy"})"),
       403);
  must(call("ann", "GET /root/resources/$web"), 403);
  must(call("ann", "DELETE /root/resources/$web"), 403);
  grant("/root/environments/$env", "container.view", base::Json::array({ids["ann"]}));
  must(call("ann", "GET /root/resources/$web"), 200);
  must(call("admin", "PATCH /root/resources/$web",
            R"([{"op":"add","path":"/description","value":"d"}])"),
       200);
  STRCMP_EQUAL("d", call("admin", "GET /root/containers/$web").at("/description").c_str());
  must(call("admin", "DELETE /root/resources/$web"), 204);
  must(call("admin", "GET /root/containers/$web"), 404);
}

TEST(MetaAddresses, a_rule_about_containers_holds_in_resources_as_well) {
  plant();
  make("policy", "/root/policies", R"({"name":"limits"})");
  make("rule", "/root/policies/$policy/rules",
       R"({"name":"kept","resource_type":"Gestalt::Resource::Rule::Limit","properties":{
           "match_actions":["container.delete"],
           "eval_logic":{"property":"containers.count","operator":"<","value":1}}})");
  const Answer refused = call("admin", "DELETE /root/resources/$web");
  must(refused, 409);
  CHECK_TRUE(refused.raw.body.find("containers.count") != std::string::npos);
}

TEST(MetaAddresses, resources_is_not_the_place_for_people_organisations_and_types) {
  for (const char* type : {"Organization", "User", "Group", "Entitlement", "ResourceType"}) {
    must(call("admin", "POST /root/resources",
              R"({"name":"x","resource_type":"Gestalt::Resource::)" + std::string(type) + "\"}"),
         404);
  }
  must(call("admin", "DELETE /root/resources/" + FakeSecurity::id_of("admin")), 404);
  must(call("admin", "POST /root/resources", R"({"name":"x"})"), 422);
  must(call("admin", "POST /root/resources", R"({"name":"x","resource_type":"No::Such"})"), 400);
}

TEST(MetaAddresses, resources_of_a_type_are_found_by_criteria) {
  plant();
  make("db", "/root/environments/$env/containers",
       R"({"name":"db","properties":{"provider":{"id":"$caas"},"image":"postgres:15"}})");
  const std::string search =
      "GET /root/resourcetypes/Gestalt::Resource::Container/resources/search";
  LONGS_EQUAL(2, call("admin", search).json.size());
  const Answer found = call("admin", search + "?image=postgres*&num_instances=1");
  LONGS_EQUAL(1, found.json.size());
  STRCMP_EQUAL("db", found.at("/0/name").c_str());
  LONGS_EQUAL(0, call("admin", search + "?image=postgres*&name=web").json.size());
  must(call("admin", search + "?imagee=x"), 400);
  must(call("admin", "GET /users/search?shoe=44"), 400);
}

TEST(MetaAddresses, an_organisation_is_found_below_the_one_above) {
  make("acme", "/root/orgs", R"({"name":"acme"})");
  STRCMP_EQUAL("acme", call("admin", "GET /root/orgs/$acme").at("/name").c_str());
  must(call("admin", "GET /acme/orgs/$root"), 404);
  must(call("admin", "DELETE /root/orgs/$acme"), 204);
  must(call("admin", "GET /acme"), 404);
}

TEST(MetaAddresses, containers_of_a_provider_are_those_that_the_caller_may_see) {
  plant();
  make("other", "/root/workspaces/$ws/providers",
       R"({"name":"other","resource_type":"Gestalt::Configuration::Provider::CaaS::DCOS"})");
  make("far", "/root/environments/$env/containers",
       R"({"name":"far","properties":{"provider":{"id":"$other"},"image":"nginx"}})");
  const auto names = [this](const std::string& line) {
    std::string all;
    for (const base::Json& one : call("admin", line).json) all += one["name"].get<std::string>();
    return all;
  };
  STRCMP_EQUAL("web", names("GET /root/providers/$caas/containers").c_str());
  STRCMP_EQUAL("far", names("GET /root/providers/$other/containers").c_str());
  STRCMP_EQUAL("far", names("GET /root/environments/$env/providers/$other/containers").c_str());
  STRCMP_EQUAL("web", names("GET /root/workspaces/$ws/providers/$caas/containers").c_str());
  must(call("admin", "GET /root/environments/$env/providers/$web/containers"), 404);
  enter("ann");
  must(call("ann", "GET /root/providers/$caas/containers"), 403);
  grant("/root", "provider.view", base::Json::array({ids["ann"]}));
  LONGS_EQUAL(0, call("ann", "GET /root/providers/$caas/containers").json.size());
}

TEST(MetaAddresses, without_a_launcher_there_is_no_view_of_a_cluster) {
  plant();
  must(call("admin", "GET /root/environments/$env/providers/$caas/v2/apps"), 503);
}

TEST(MetaAddresses, a_provider_is_told_what_the_schema_says) {
  plant();
  must(call("admin", "PATCH /root/providers/$caas",
            R"([{"op":"add","path":"/properties/endpoints",
                 "value":[{"url":"http://127.0.0.1:9/","actions":["container.start"]}]}])"),
       200);
  const Answer accepted =
      call("admin", "POST /root/containers/$web?action=start&n=1", R"({"why":"because"})");
  must(accepted, 202);
  base::Json message;
  CHECK_OK(host->store().read([&](store::Reader& reader) -> base::Result<void> {
    const std::string& place = accepted.raw.headers.at("Location");
    const services::TaskRow row =
        TRY(services::load_task(reader, place.substr(place.rfind('/') + 1)));
    message = TRY(base::parse_json(row.input))["message"];
    return {};
  }));
  services::Schemas schemas;
  for (const services::Schema& each : services::meta::reply_schemas())
    CHECK_OK(schemas.add(each.name, each.text));
  CHECK_OK(schemas.validate(services::reference_to("MetaGenericActionInvocation"), message));
  STRCMP_EQUAL("container.start", message["action"].get<std::string>().c_str());
  for (const auto& [place, name] :
       {std::pair("org", "root"), {"workspace", "ws"}, {"environment", "env"}})
    STRCMP_EQUAL(name, message["context"][place]["name"].get<std::string>().c_str());
  STRCMP_EQUAL("because", message["actionPayload"]["why"].get<std::string>().c_str());
  STRCMP_EQUAL("1", message["queryParams"]["n"].get<std::string>().c_str());
  for (const char* wrong : {"", "a.b", "a%20b", "%2e%2e%2fx"})
    must(call("admin", "POST /root/containers/$web?action=" + std::string(wrong)), 400);
}
