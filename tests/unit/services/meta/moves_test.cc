// SPDX-License-Identifier: Apache-2.0
// What is moved or brought back keeps to the limits and the gate of the place it goes to.
#include <thread>

#include "services/change/service.h"
#include "tests/unit/services/meta/service_rig.h"

namespace {

using base::Json;

// Two organisations: acme ▸ ws ▸ env ▸ web, and live ▸ hall ▸ prod.
struct MovesRig : MetaRig {
  services::change::ChangeService* changes = nullptr;  // owned by the host

  void add_services(std::vector<std::unique_ptr<services::Service>>& list) override {
    list.push_back(std::make_unique<services::change::ChangeService>(
        services::change::ChangeService::Systems{}));
    changes = static_cast<services::change::ChangeService*>(list.back().get());
  }
  void setup() override {
    MetaRig::setup();
    make("acme", "/root/orgs", R"({"name":"acme"})");
    make("live", "/root/orgs", R"({"name":"live"})");
    make("ws", "/acme/workspaces", R"({"name":"ws"})");
    make("env", "/acme/workspaces/$ws/environments",
         R"({"name":"env","properties":{"environment_type":"test"}})");
    make("hall", "/live/workspaces", R"({"name":"hall"})");
    make("prod", "/live/workspaces/$hall/environments",
         R"({"name":"prod","properties":{"environment_type":"production"}})");
    make_provider("near", "/root/providers");
    make_provider("far", "/live/workspaces/$hall/providers");
    make("web", "/acme/environments/$env/containers",
         R"({"name":"web","properties":{"provider":{"id":"$near"},"image":"nginx",
             "num_instances":2}})");
    enter("ann");
    for (const char* action : {"container.promote", "container.migrate", "container.create"})
      grant("/acme/environments/$env", action, Json::array({ids["ann"]}));
    grant("/acme/environments/$env", "container.update", Json::array({ids["ann"]}));
    grant("/live/environments/$prod", "container.create", Json::array({ids["ann"]}));
    grant("/root", "provider.view", Json::array({ids["ann"]}));
    grant("/live/workspaces/$hall", "provider.view", Json::array({ids["ann"]}));
  }
  void make_provider(const std::string& name, const std::string& list) {
    make(name, list,
         R"({"name":")" + name +
             R"(","resource_type":"Gestalt::Configuration::Provider::CaaS::DCOS"})");
  }
  void limit(const std::string& place, const std::string& action, const std::string& logic) {
    make("policy", place + "/policies", R"({"name":"limits"})");
    make("rule", place.substr(0, place.find('/', 1)) + "/policies/$policy/rules",
         R"({"name":"max","resource_type":"Gestalt::Resource::Rule::Limit","properties":{
             "match_actions":[")" +
             action + R"("],"eval_logic":)" + logic + "}}");
  }
  Answer change(const std::string& line, const Json& body) {
    mount = "/change";
    const Answer answer = call("admin", line, base::dump_json(body));
    mount = "/meta";
    return answer;
  }
  void gate(const std::string& org, const std::string& action) {
    must(change("POST /handlers",
                {{"name", "second look"}, {"org_id", ids[org]}, {"match_actions", {action}}}),
         201);
  }
  static bool is_held(const Answer& answer) { return answer.raw.headers.contains("Change-Id"); }
  // Another one approves it, and it goes out.
  void approve(const Answer& held) {
    must(change("POST /changes/" + held.raw.headers.at("Change-Id") + "/approve", Json::object()),
         200);
    // A sweep on a worker may be under way, and does it then.
    std::string status;
    for (int i = 0; i < 1000 && status != "completed"; ++i) {
      changes->sweep();
      mount = "/change";
      status = call("admin", "GET /changes/" + held.raw.headers.at("Change-Id")).at("/status");
      mount = "/meta";
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    STRCMP_EQUAL("completed", status.c_str());
  }
  std::size_t in_prod() {
    return call("admin", "GET /live/environments/$prod/containers").json.size();
  }
};

constexpr const char* kPromote = "POST /acme/containers/$web/promote?target=$prod";

TEST_GROUP_BASE(MetaMoves, MovesRig){};

TEST(MetaMoves, a_promotion_is_held_by_the_gate_of_the_place_it_leads_to) {
  gate("live", "container.create");
  const Answer held = call("ann", kPromote);
  must(held, 202);
  CHECK_TRUE(is_held(held));
  LONGS_EQUAL(0, in_prod());
  // Who approves in the organisation that it leads to decides.
  mount = "/change";
  const Answer shown = call("admin", "GET /changes/" + held.raw.headers.at("Change-Id"));
  mount = "/meta";
  STRCMP_EQUAL("live", shown.at("/org/fqon").c_str());
  approve(held);
  LONGS_EQUAL(1, in_prod());
}

TEST(MetaMoves, a_promotion_is_held_by_a_freeze_of_the_place_it_leads_to) {
  const Json freeze = {{"name", "holidays"},
                       {"org_id", ids["live"]},
                       {"match_actions", {"container.create"}},
                       {"from", "2020-01-01T00:00:00Z"},
                       {"until", "2999-01-01T00:00:00Z"}};
  must(change("POST /freezes", freeze), 201);
  const Answer held = call("ann", kPromote);
  CHECK_TRUE(is_held(held));
  must(change("POST /changes/" + held.raw.headers.at("Change-Id") + "/approve", Json::object()),
       409);  // there is nothing to approve
  CHECK_OK(host->drain());
  changes->sweep();
  LONGS_EQUAL(0, in_prod());
}

TEST(MetaMoves, a_gate_elsewhere_holds_nothing) {
  make("dev", "/acme/workspaces/$ws/environments",
       R"({"name":"dev","properties":{"environment_type":"test"}})");
  grant("/acme/environments/$dev", "container.create", Json::array({ids["ann"]}));
  gate("live", "container.create");
  CHECK_FALSE(is_held(call("ann", "POST /acme/containers/$web/promote?target=$dev")));
  CHECK_FALSE(is_held(call("ann", "POST /acme/containers/$web/migrate?provider=$near")));
}

TEST(MetaMoves, a_gate_for_what_is_made_holds_a_promotion_within_the_organisation) {
  make("dev", "/acme/workspaces/$ws/environments",
       R"({"name":"dev","properties":{"environment_type":"test"}})");
  grant("/acme/environments/$dev", "container.create", Json::array({ids["ann"]}));
  gate("acme", "container.create");
  CHECK_TRUE(is_held(call("ann", "POST /acme/containers/$web/promote?target=$dev")));
}

TEST(MetaMoves, a_migration_is_held_by_the_gate_of_the_provider) {
  gate("live", "container.migrate");
  CHECK_TRUE(is_held(call("ann", "POST /acme/containers/$web/migrate?provider=$far")));
  CHECK_FALSE(is_held(call("ann", "POST /acme/containers/$web/migrate?provider=$near")));
}

TEST(MetaMoves, a_restore_is_held_as_what_it_does) {
  must(call("admin", "PATCH /acme/containers/$web",
            R"([{"op":"replace","path":"/properties/num_instances","value":1}])"),
       200);
  gate("acme", "container.update");
  CHECK_TRUE(is_held(call("admin", "POST /acme/containers/$web/restore?version=1")));
  must(call("admin", "DELETE /acme/containers/$web"), 204);
  CHECK_FALSE(is_held(call("admin", "POST /acme/containers/$web/restore?version=1")));
}

TEST(MetaMoves, no_other_address_goes_round_the_gate) {
  grant("/acme", "workspace.create", Json::array({ids["ann"]}));
  gate("acme", "workspace.create");
  const std::string body = R"({"name":"two","resource_type":"Gestalt::Resource::Workspace"})";
  const Answer held = call("ann", "POST /acme/resources", body);
  CHECK_TRUE(is_held(held));
  LONGS_EQUAL(1, call("admin", "GET /acme/workspaces").json.size());
  approve(held);
  LONGS_EQUAL(2, call("admin", "GET /acme/workspaces").json.size());
  // A type that somebody has added, a verb of a provider, and configuration by its own address.
  must(call("admin", "POST /root/resourcetypes", R"({"name":"Acme::Robot","properties":{
           "extend":"Gestalt::Resource::Asset","actions":{"prefix":"robot","verbs":[]},
           "api":{"rest_name":"robots"},
           "lineage":{"parent_types":["Gestalt::Resource::Organization"]}}})"),
       201);
  gate("acme", "robot.create");
  CHECK_TRUE(is_held(call("admin", "POST /acme/robots", R"({"name":"r2"})")));
  must(call("admin", "PATCH /root/providers/$near",
            R"([{"op":"add","path":"/properties/endpoints",
                 "value":[{"url":"http://127.0.0.1:9/","actions":["container.start"]}]}])"),
       200);
  gate("acme", "container.start");
  CHECK_TRUE(is_held(call("admin", "POST /acme/containers/$web?action=start")));
  gate("acme", "workspace.update");
  CHECK_TRUE(is_held(call("admin", "PUT /acme/workspaces/$ws/config", R"({"size":{"value":1}})")));
}

TEST(MetaMoves, a_limit_at_the_target_denies_a_promotion) {
  limit("/live/environments/$prod", "container.promote",
        R"({"property":"containers.count","operator":"<","value":1})");
  must(call("ann", kPromote), 409);
  LONGS_EQUAL(0, in_prod());
}

TEST(MetaMoves, a_limit_judges_a_migration_by_the_provider_it_leads_to) {
  limit("/acme/environments/$env", "container.migrate",
        R"({"property":"container.properties.provider.name","operator":"!=","value":"far"})");
  must(call("ann", "POST /acme/containers/$web/migrate?provider=$far"), 409);
  must(call("ann", "POST /acme/containers/$web/migrate?provider=$near"), 202);
}

TEST(MetaMoves, a_limit_where_the_provider_stands_denies_a_migration) {
  limit("/live/workspaces/$hall", "container.create",
        R"({"property":"container.properties.num_instances","operator":"<=","value":1})");
  must(call("ann", "POST /acme/containers/$web/migrate?provider=$far"), 409);
  STRCMP_EQUAL("near", call("admin", "GET /acme/containers/$web").at("/properties/provider/id") ==
                               ids["near"]
                           ? "near"
                           : "far");
  must(call("ann", "POST /acme/containers/$web/migrate?provider=$near"), 202);
}

TEST(MetaMoves, an_old_version_comes_back_only_within_the_limits_of_today) {
  must(call("admin", "PATCH /acme/containers/$web",
            R"([{"op":"replace","path":"/properties/num_instances","value":1}])"),
       200);
  limit("/acme/environments/$env", "container.update",
        R"({"property":"container.properties.num_instances","operator":"<=","value":1})");
  must(call("admin", "POST /acme/containers/$web/restore?version=1"), 409);
  LONGS_EQUAL(1, call("admin", "GET /acme/containers/$web").json["properties"]["num_instances"]);
}

}  // namespace
