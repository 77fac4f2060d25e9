// SPDX-License-Identifier: Apache-2.0
#include "services/meta/service.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>

#include "services/framework/task_row.h"
#include "tests/unit/services/meta/service_rig.h"

namespace {

std::set<std::string> names_in(const base::Json& list) {
  std::set<std::string> names;
  for (const base::Json& one : list) names.insert(one["name"].get<std::string>());
  return names;
}

}  // namespace

TEST_GROUP_BASE(Meta, MetaRig){};

// With a loop that the test turns.
TEST_GROUP_BASE(MetaWatch, MetaRig) {
  void post(const std::function<void()>& work) override {
    const std::lock_guard lock(mutex);
    posted.push_back(work);
    changed.notify_one();
  }
  base::Json answer_of(rest::ByteStream & stream) {
    while (!stream.is_finished()) {
      std::unique_lock lock(mutex);
      CHECK(changed.wait_for(lock, std::chrono::seconds(20), [this] { return !posted.empty(); }));
      const std::function<void()> work = std::move(posted.front());
      posted.pop_front();
      lock.unlock();
      work();
    }
    std::string bytes(stream.waiting(), '\0');
    bytes.resize(stream.take(bytes.data(), bytes.size()));
    return UNWRAP(base::parse_json(bytes));
  }
  std::mutex mutex;  // of the two below
  std::condition_variable changed;
  std::deque<std::function<void()>> posted;
};

TEST(MetaWatch, a_watch_is_answered_when_an_ancestor_says_something_else) {
  plant();
  const std::string watch = "GET /root/containers/$web/config/watch";
  const Answer now = call("admin", watch);
  must(now, 200);
  const std::string newer = watch + "?wait=60&version=";
  CHECK(call("admin", newer + "other").raw.stream == nullptr);
  const Answer waits = call("admin", newer + now.at("/hash"));
  CHECK(waits.raw.stream != nullptr);
  must(call("admin", "PATCH /root/workspaces/$ws",
            R"([{"op":"replace","path":"/description","value":"says nothing of it"}])"),
       200);
  must(call("admin", "PUT /root/environments/$env/config", R"({"size":{"value":3}})"), 200);
  const base::Json found = answer_of(*waits.raw.stream);
  LONGS_EQUAL(3, found["values"]["size"].get<int>());
  CHECK(found["hash"] != now.at("/hash"));
}

TEST(MetaWatch, a_watch_ends_with_what_it_watches) {
  plant();
  const std::string watch = "GET /root/containers/$web/config/watch";
  const Answer now = call("admin", watch);
  const Answer waits = call("admin", watch + "?wait=60&version=" + now.at("/hash"));
  CHECK(waits.raw.stream != nullptr);
  must(call("admin", "DELETE /root/containers/$web"), 204);
  STRCMP_EQUAL("resource_unknown",
               answer_of(*waits.raw.stream)["reason"].get<std::string>().c_str());
  must(call("admin", watch), 404);
  must(call("admin", "GET /root/environments/$env/config/watch?wait=61"), 400);
}

TEST(Meta, no_two_rows_are_the_same) {
  services::ActionTable table;
  services::meta::Meta other;
  other.actions(table);
  std::set<std::pair<rest::Method, std::string>> seen;
  for (const services::ActionRow& row : table.rows()) {
    CHECK_TEXT(seen.emplace(row.method, row.path).second, row.path.c_str());
  }
}

TEST(Meta, security_is_mirrored) {
  const Answer orgs = call("admin", "GET /orgs?expand=true");
  must(orgs, 200);
  STRCMP_EQUAL("root", orgs.at("/0/properties/fqon").c_str());
  const Answer users = call("admin", "GET /root/users?expand=true");
  must(users, 200);
  CHECK(users.json.size() >= 1);
  const Answer groups = call("admin", "GET /root/groups?expand=true");
  CHECK(names_in(groups.json).contains("admins"));
  must(call("admin", "GET /users/self"), 200);
}

TEST(Meta, what_security_tells_of_is_mirrored_however_much_it_is) {
  const auto tell = [&](const std::string& name, const base::Json& payload) {
    CHECK_OK(host->transact("test", services::internal_caller("security"),
                            [&](services::Call& told) -> base::Result<void> {
                              told.emit(name, payload);
                              return {};
                            }));
    CHECK_OK(host->drain());
  };
  const auto groups = [&] { return call("admin", "GET /root/groups").json.size(); };
  const std::string root = FakeSecurity::id_of("root"), one = FakeSecurity::id_of("one");
  const std::size_t before = groups();
  security->groups[one] = {one, "one", "", root};
  tell("security.group.created", {{"id", one}});
  CHECK_EQUAL(before + 1, groups());
  security->groups.erase(one);
  tell("security.group.deleted", {{"id", one}});
  CHECK_EQUAL(before, groups());
  for (int i = 0; i < 450; ++i) {  // more than one transaction takes
    const std::string name = "many" + std::to_string(i), id = FakeSecurity::id_of(name);
    security->groups[id] = {id, name, "", root};
  }
  tell("security.directory.updated", base::Json::object());
  CHECK_EQUAL(before + 450, groups());
  std::erase_if(security->groups, [](const auto& each) { return each.second.name != "admins"; });
  security->groups.begin()->second.description = "changed";
  const Answer done = call("admin", "POST /sync");
  must(done, 200);
  CHECK_EQUAL(450, done.json["deleted"].get<int>());
  CHECK_EQUAL(1, done.json["updated"].get<int>());
  CHECK_EQUAL(0, done.json["created"].get<int>());
}

TEST(Meta, an_organisation_is_made_in_both) {
  make("acme", "/root", R"({"name":"acme","description":"A"})");
  make("eng", "/acme", R"({"name":"eng"})");
  STRCMP_EQUAL("acme.eng", call("admin", "GET /acme.eng").at("/properties/fqon").c_str());
  CHECK_EQUAL(3u, security->orgs.size());
  const Answer groups = call("admin", "GET /root/groups?expand=true");
  CHECK(names_in(groups.json).contains(FakeSecurity::id_of("acme") + "-admins"));
  must(call("admin", "DELETE /acme"), 409);  // there is one below
  must(call("admin", "DELETE /acme?force=true"), 204);
  CHECK_EQUAL(1u, security->orgs.size());
  must(call("admin", "GET /acme"), 404);
  must(call("admin", "POST /root", R"({"name":"Not Allowed"})"), 400);
}

TEST(Meta, lists_have_links_or_whole_resources) {
  plant();
  const Answer links = call("admin", "GET /root/environments/$env/containers");
  CHECK_EQUAL(1u, links.json.size());
  STRCMP_EQUAL(fill("/root/containers/$web").c_str(), links.at("/0/href").c_str());
  const Answer whole = call("admin", "GET /root/environments/$env/containers?expand=true");
  STRCMP_EQUAL("nginx", whole.at("/0/properties/image").c_str());
  STRCMP_EQUAL("env", whole.at("/0/properties/parent/name").c_str());
  CHECK_EQUAL(1u, call("admin", "GET /root/environments?expand=true").json.size());
  CHECK_EQUAL(1u, call("admin", "GET /root/containers").json.size());
  CHECK_EQUAL(1u, call("admin", "GET /root/environments/$env/providers").json.size());
  CHECK_EQUAL(1u, call("admin", "GET /root/providers?type=CaaS").json.size());
  CHECK_EQUAL(0u, call("admin", "GET /root/providers?type=Lambda").json.size());
  CHECK_EQUAL(1u, call("admin", "GET /root/workspaces?name=ws").json.size());
  CHECK_EQUAL(0u, call("admin", "GET /root/workspaces?name=other").json.size());
}

TEST(Meta, a_resource_is_found_where_it_is_only) {
  plant();
  must(call("admin", "GET /root/environments/$env/containers/$web"), 200);
  must(call("admin", "GET /root/containers/$web"), 200);
  must(call("admin", "GET /root/lambdas/$web"), 404);
  must(call("admin", "GET /root/workspaces/$ws/environments/$web"), 404);
  make("acme", "/root", R"({"name":"acme"})");
  must(call("admin", "GET /acme/containers/$web"), 404);
  must(call("admin", "POST /root/workspaces/$ws/containers", R"({"name":"x"})"), 404);
  must(call("admin", "PATCH /root/workspaces/$ws/containers/$web", "[]"), 404);
}

TEST(Meta, names_and_ids_are_unique) {
  plant();
  must(call("admin", "POST /root/workspaces", R"({"name":"ws"})"), 409);
  must(call("admin", "POST /root/workspaces", R"({"name":"b","id":"$ws"})"), 409);
}

TEST(Meta, put_and_patch_change_and_count_versions) {
  plant();
  const Answer before = call("admin", "GET /root/containers/$web");
  STRCMP_EQUAL("\"1\"", before.raw.headers.at("ETag").c_str());
  const Answer patched = call("admin", "PATCH /root/containers/$web",
                              R"([{"op":"replace","path":"/properties/cpus","value":2},
                                  {"op":"add","path":"/description","value":"front"},
                                  {"op":"remove","path":"/properties/status"},
                                  {"op":"remove","path":"/owner"}])");
  must(patched, 200);
  STRCMP_EQUAL("2", patched.at("/properties/cpus").c_str());
  STRCMP_EQUAL("\"2\"", patched.raw.headers.at("ETag").c_str());
  must(call("admin", "PATCH /root/containers/$web",
            R"([{"op":"replace","path":"/description","value":"x"}])", {{"if-match", "\"1\""}}),
       412);
  must(call("admin", "PUT /root/containers/$web",
            R"({"name":"web2","properties":{"provider":{"id":"$caas"},"image":"httpd"}})"),
       200);
  STRCMP_EQUAL("web2", call("admin", "GET /root/containers/$web").at("/name").c_str());
  must(call("admin", "PATCH /root/containers/$web",
            R"([{"op":"add","path":"/properties/x","value":1}])"),
       422);
  must(call("admin", "PATCH /root/containers/$web",
            R"([{"op":"replace","path":"/id","value":"x"}])"),
       400);
}

TEST(Meta, a_renamed_parent_is_renamed_in_its_children) {
  plant();
  must(call("admin", "PATCH /root/environments/$env",
            R"([{"op":"replace","path":"/name","value":"prod"}])"),
       200);
  STRCMP_EQUAL("prod",
               call("admin", "GET /root/containers/$web").at("/properties/parent/name").c_str());
}

TEST(Meta, a_dry_run_changes_nothing) {
  plant();
  must(call("admin", "DELETE /root/containers/$web?dryrun=true"), 200);
  must(call("admin", "GET /root/containers/$web"), 200);
}

TEST(Meta, history_time_travel_diff_and_restore) {
  plant();
  const std::string then = base::format_time(clock.wall());
  clock.pass(std::chrono::seconds(60));
  must(call("admin", "POST /root/containers/$web/scale?numInstances=4"), 202);
  clock.pass(std::chrono::seconds(60));
  const Answer history = call("admin", "GET /root/containers/$web/history");
  CHECK_EQUAL(2u, history.json.size());
  STRCMP_EQUAL("scale", history.at("/1/action").c_str());
  STRCMP_EQUAL("1", call("admin", "GET /root/containers/$web?at=" + then)
                        .at("/properties/num_instances")
                        .c_str());
  const Answer diff = call("admin", "GET /root/containers/$web/diff?from=1&to=2");
  CHECK(diff.raw.body.find("num_instances") != std::string::npos);
  must(call("admin", "POST /root/containers/$web/restore?version=1"), 200);
  STRCMP_EQUAL("1",
               call("admin", "GET /root/containers/$web").at("/properties/num_instances").c_str());
  must(call("admin", "DELETE /root/containers/$web"), 204);
  must(call("admin", "POST /root/containers/$web/restore?version=2"), 200);
  STRCMP_EQUAL("4",
               call("admin", "GET /root/containers/$web").at("/properties/num_instances").c_str());
}

TEST(Meta, deleting_asks_children_and_links) {
  plant();
  must(call("admin", "DELETE /root/environments/$env"), 409);
  must(call("admin", "DELETE /root/providers/$caas"), 409);  // the container uses it
  make("vol", "/root/environments/$env/volumes",
       R"({"name":"v","properties":{"container":{"id":"$web"}}})");
  const Answer links = call("admin", "GET /root/containers/$web/links");
  STRCMP_EQUAL("container", links.at("/in/0/property").c_str());
  STRCMP_EQUAL("provider", links.at("/out/0/property").c_str());
  must(call("admin", "DELETE /root/containers/$web"), 204);
  STRCMP_EQUAL("", call("admin", "GET /root/volumes/$vol").at("/properties/container").c_str());
  must(call("admin", "DELETE /root/workspaces/$ws?force=true"), 204);
  must(call("admin", "GET /root/environments/$env"), 404);
  must(call("admin", "DELETE /root/providers/$caas"), 204);
}

TEST(Meta, collections_come_in_pages) {
  plant();
  std::set<std::string> made = {"web"};
  for (int i = 0; i < 6; ++i) {
    const std::string name = "c" + std::to_string(i);
    make(name, "/root/environments/$env/containers",
         R"({"name":")" + name + R"(","properties":{"provider":{"id":"$caas"}}})");
    made.insert(name);
  }
  make("other", "/root/workspaces/$ws/environments",
       R"({"name":"other","properties":{"environment_type":"test"}})");
  make("elsewhere", "/root/environments/$other/containers",
       R"({"name":"elsewhere","properties":{"provider":{"id":"$caas"}}})");
  // Directly, and of the whole organisation, of which the workspace's are picked.
  for (const auto& [place, more] : {std::pair("/root/environments/$env/containers", 0),
                                    {"/root/workspaces/$ws/containers", 1}}) {
    std::set<std::string> seen;
    std::string query = "?limit=3";
    int pages = 0;
    for (; !query.empty(); ++pages) {
      const Answer page = call("admin", "GET " + std::string(place) + query);
      must(page, 200);
      CHECK(page.json.size() <= 3);
      for (const std::string& name : names_in(page.json)) CHECK(seen.insert(name).second);
      const auto link = page.raw.headers.find("Link");
      query =
          link == page.raw.headers.end() ? "" : link->second.substr(1, link->second.find('>') - 1);
    }
    CHECK(pages >= 3);
    LONGS_EQUAL(made.size() + more, seen.size());
  }
  const Answer none = call("admin", "GET /root/environments/$env/containers?limit=2&name=nobody");
  LONGS_EQUAL(0, none.json.size());
  must(call("admin", "GET /root/environments/$env/containers?limit=0"), 400);
  LONGS_EQUAL(1, call("admin", "GET /root/environments/$env/providers?limit=1").json.size());
}

TEST(Meta, paths_and_contexts_lead_by_names) {
  plant();
  STRCMP_EQUAL(ids["web"].c_str(), call("admin", "GET /path/root/ws/env/web").at("/id").c_str());
  const Answer context = call("admin", "GET /root/containers/$web/context");
  STRCMP_EQUAL("ws", context.at("/workspace/name").c_str());
  STRCMP_EQUAL("env", context.at("/environment/name").c_str());
  must(call("admin", "GET /path/root/nowhere"), 404);
}

TEST(Meta, configuration_is_inherited_and_final_is_final) {
  plant();
  must(call("admin", "PUT /root/config",
            R"({"tls":{"value":"1.3","final":true},"size":{"value":1}})"),
       200);
  must(call("admin", "PATCH /root/workspaces/$ws",
            R"([{"op":"add","path":"/properties/env","value":{"A":"w","B":"w"}}])"),
       200);
  must(call("admin", "PATCH /root/environments/$env",
            R"([{"op":"add","path":"/properties/env","value":{"B":"e"}}])"),
       200);
  STRCMP_EQUAL(R"({"A":"w","B":"e"})",
               call("admin", "GET /root/containers/$web/env").raw.body.c_str());
  const Answer refused =
      call("admin", "PUT /root/environments/$env/config", R"({"tls":{"value":"1.0"}})");
  must(refused, 409);
  CHECK(refused.raw.body.find("/root") != std::string::npos);
  const Answer view =
      call("admin", "GET /root/environments/$env/config?effective=true&explain=true");
  STRCMP_EQUAL("1.3", view.at("/values/tls").c_str());
  STRCMP_EQUAL("/root", view.at("/chain/tls/0/at").c_str());
  must(call("admin",
            "GET /root/environments/$env/config?effective=true&version=" + view.at("/hash")),
       304);
}

TEST(Meta, types_are_data) {
  must(call("admin", "POST /root/resourcetypes",
            R"({"name":"Acme::Robot","properties":{"extend":"Gestalt::Resource::Asset",
                "property_defs":[{"name":"arms","data_type":"int","requirement_type":"required"}],
                "actions":{"prefix":"robot","verbs":["dance"]},"api":{"rest_name":"robots"},
                "lineage":{"parent_types":["Gestalt::Resource::Environment"]}}})"),
       201);
  plant();
  must(call("admin", "POST /root/environments/$env/robots", R"({"name":"r"})"), 422);
  make("r", "/root/environments/$env/robots", R"({"name":"r","properties":{"arms":2}})");
  CHECK_EQUAL(1u, call("admin", "GET /root/environments/$env/robots").json.size());
  must(call("admin", "PATCH /root/robots/$r",
            R"([{"op":"replace","path":"/properties/arms","value":3}])"),
       200);
  must(call("admin", "DELETE /root/resourcetypes/Acme::Robot"), 409);
  must(call("admin", "DELETE /root/robots/$r"), 204);
  must(call("admin", "DELETE /root/resourcetypes/Acme::Robot"), 204);
  must(call("admin", "DELETE /root/resourcetypes/Gestalt::Resource::Api"), 409);
  CHECK(call("admin", "GET /root/resourcetypes").json.size() > 40);
}

TEST(Meta, entitlements_are_computed_along_the_tree) {
  plant();
  enter("ann");
  must(call("ann", "GET /root/containers/$web"), 403);
  const Answer list = call("admin", "GET /root/workspaces/$ws/entitlements?expand=true");
  must(list, 200);
  std::string id;
  for (const base::Json& one : list.json) {
    if (one["properties"]["action"] == "environment.view") id = one["id"].get<std::string>();
    CHECK(one["properties"]["identities"].is_array());
  }
  const std::string put = "PUT /root/workspaces/$ws/entitlements/" + id;
  must(call("admin", put, R"({"properties":{"action":"environment.view","identities":["$ann"]}})"),
       200);
  must(call("ann", "GET /root/environments/$env"), 200);
  must(call("ann", "DELETE /root/environments/$env"), 403);
  must(call("admin", put, R"({"properties":{"action":"environment.view","identities":[]}})"), 200);
  must(call("ann", "GET /root/environments/$env"), 403);  // nothing was copied
  must(call("ann", put, R"({"properties":{"action":"environment.view","identities":["$ann"]}})"),
       403);
}

TEST(Meta, lists_show_what_may_be_read_one_by_one) {
  plant();
  enter("ann");
  make("own", "/root/workspaces", R"({"name":"own","owner":{"id":"$ann"}})");
  make("place", "/root/workspaces/$own/environments",
       R"({"name":"place","properties":{"environment_type":"test"}})");
  make("job", "/root/environments/$place/containers",
       R"({"name":"job","properties":{"provider":{"id":"$caas"}}})");
  grant("/root", "org.view", {ids.at("ann")});
  const char* const lists[] = {"GET /root/workspaces/$own/containers",
                               "GET /root/workspaces/$own/containers?limit=5",
                               "GET /root/environments/$place/containers",
                               "GET /root/resourcetypes/Gestalt::Resource::Container/resources"};
  const auto seen = [&](const char* list) {
    const Answer answer = call("ann", list);
    return answer.status == 200 ? answer.json.size() : 0;
  };
  // As the owner of the workspace; the type's other container stands elsewhere.
  must(call("ann", "GET /root/containers/$job"), 200);
  must(call("ann", "GET /root/containers/$web"), 403);
  for (const char* list : lists) LONGS_EQUAL(1, seen(list));
  grant("/root/environments/$place", "container.view", base::Json::array());
  must(call("ann", "GET /root/containers/$job"), 403);
  for (const char* list : lists) LONGS_EQUAL(0, seen(list));
  LONGS_EQUAL(1, call("admin", lists[0]).json.size());
  LONGS_EQUAL(2, call("admin", lists[3]).json.size());
}

TEST(Meta, a_promotion_keeps_to_the_limits_of_where_it_leads) {
  plant();
  make("prod", "/root/workspaces/$ws/environments",
       R"({"name":"prod","properties":{"environment_type":"production"}})");
  make("policy", "/root/environments/$prod/policies", R"({"name":"limits"})");
  make("rule", "/root/policies/$policy/rules",
       R"({"name":"max","resource_type":"Gestalt::Resource::Rule::Limit","properties":{
           "match_actions":["container.create"],
           "eval_logic":{"property":"containers.count","operator":"<=","value":1}}})");
  const std::string promote = "POST /root/containers/$web/promote?target=$prod";
  must(call("admin", promote), 202);
  const Answer first = call("admin", "GET /root/environments/$prod/containers");
  LONGS_EQUAL(1, first.json.size());
  ids["copy"] = first.json[0]["id"].get<std::string>();
  must(call("admin", "DELETE /root/containers/$copy"), 204);
  make("other", "/root/environments/$prod/containers",
       R"({"name":"other","properties":{"provider":{"id":"$caas"}}})");
  must(call("admin", promote), 409);
  // Nor does one come back from the dead past them.
  must(call("admin", "POST /root/containers/$copy/restore?version=1"), 409);
}

TEST(Meta, limit_rules_of_ancestors_deny_with_the_predicate) {
  plant();
  make("policy", "/root/policies", R"({"name":"limits"})");
  make("rule", "/root/policies/$policy/rules",
       R"({"name":"max","resource_type":"Gestalt::Resource::Rule::Limit","properties":{
           "match_actions":["container.create"],
           "eval_logic":{"property":"containers.count","operator":"<=","value":2}}})");
  const std::string post = "POST /root/environments/$env/containers";
  const auto body = [](const std::string& name) {
    return R"({"name":")" + name + R"(","properties":{"provider":{"id":"$caas"}}})";
  };
  must(call("admin", post, body("b")), 201);
  const Answer denied = call("admin", post, body("c"));
  must(denied, 409);
  STRCMP_EQUAL("containers.count <= 2", denied.at("/message").c_str());
  must(call("admin", "POST /root/policies/$policy/rules", R"({"name":"bad",
       "resource_type":"Gestalt::Resource::Rule::Limit","properties":{"match_actions":["x"]}})"),
       400);
  must(call("admin", "DELETE /root/policies/$policy/rules/$rule"), 204);
  must(call("admin", post, body("c")), 201);
}

TEST(Meta, config_rules_of_ancestors_constrain_what_is_said_below) {
  plant();
  make("policy", "/root/policies", R"({"name":"settings"})");
  const auto rule = [this](const std::string& name, const std::string& logic) {
    make(name, "/root/policies/$policy/rules",
         R"({"name":")" + name +
             R"(","resource_type":"Gestalt::Resource::Rule::Config","properties":{"strict":true,
                "eval_logic":)" +
             logic + "}}");
  };
  rule("tls", R"({"property":"tls","operator":"inList","value":["1.2","1.3"]})");
  rule("debug", R"({"property":"env/DEBUG","operator":"!=","value":"1"})");
  rule("hosts", R"({"property":"hosts","operator":"inList","value":["a","b"]})");
  const std::string put = "PUT /root/environments/$env/config";
  must(call("admin", put, R"({"tls":{"value":"1.3"},"free":{"value":"x"}})"), 200);
  const Answer denied = call("admin", put, R"({"tls":{"value":"1.0"}})");
  must(denied, 409);
  STRCMP_EQUAL(R"(tls inList ["1.2","1.3"])", denied.at("/message").c_str());
  // For whom it is said does not matter.
  must(call("admin", put, R"({"tls":[{"value":"1.3"},{"value":"1.0","when":{"env_type":"qa"}}]})"),
       409);
  must(call("admin", put, R"({"tls":{"mode":"unset"}})"), 409);
  must(call("admin", "PUT /root/config", R"({"hosts":{"value":["a"]}})"), 200);
  must(call("admin", put, R"({"hosts":{"value":["b"],"mode":"append"}})"), 200);
  must(call("admin", put, R"({"hosts":{"value":["c"],"mode":"append"}})"), 409);
  must(call("admin", "POST /root/environments/$env/containers",
            R"({"name":"d","properties":{"provider":{"id":"$caas"},"env":{"DEBUG":"1"}}})"),
       409);
  must(call("admin", "POST /root/policies/$policy/rules",
            R"({"name":"bad","resource_type":"Gestalt::Resource::Rule::Config","properties":{}})"),
       400);
  must(call("admin", "DELETE /root/policies/$policy/rules/$tls"), 204);
  must(call("admin", put, R"({"tls":{"value":"1.0"}})"), 200);
}

TEST(Meta, event_rules_may_refuse_and_change_what_is_sent) {
  plant();
  make("policy", "/root/workspaces/$ws/policies", R"({"name":"events"})");
  make("rule", "/root/policies/$policy/rules",
       R"({"name":"no-latest","resource_type":"Gestalt::Resource::Rule::Event","properties":{
           "match_actions":[{"action":"container.create.pre"}],
           "eval_logic":{"property":"container.properties.image","operator":"endsWith","value":":latest"},
           "filter":{"deny":"name a version"}}})");
  make("label", "/root/policies/$policy/rules",
       R"({"name":"label","resource_type":"Gestalt::Resource::Rule::Event","properties":{
           "match_actions":[{"action":"container.create.pre"}],
           "filter":{"patch":[{"op":"add","path":"/properties/labels","value":{"team":"a"}}]}}})");
  const std::string post = "POST /root/environments/$env/containers";
  const Answer denied = call(
      "admin", post, R"({"name":"l","properties":{"provider":{"id":"$caas"},"image":"a:latest"}})");
  must(denied, 409);
  STRCMP_EQUAL("name a version", denied.at("/message").c_str());
  const Answer made =
      call("admin", post, R"({"name":"l","properties":{"provider":{"id":"$caas"},"image":"a:1"}})");
  must(made, 201);
  STRCMP_EQUAL("a", made.at("/properties/labels/team").c_str());
}

TEST(Meta, a_rule_may_keep_a_call_from_being_carried_out) {
  plant();
  make("policy", "/root/workspaces/$ws/policies", R"({"name":"events"})");
  make("rule", "/root/policies/$policy/rules",
       R"({"name":"later","resource_type":"Gestalt::Resource::Rule::Event","properties":{
           "match_actions":[{"action":"container.create.pre","meta_function":"suppress"}]}})");
  const std::string post = "POST /root/environments/$env/containers";
  const std::string body =
      R"({"name":"l","properties":{"provider":{"id":"$caas"},"env":{"PASSWORD":"tell-nobody"}}})";
  const auto tasks = [this] {
    std::size_t count = 0;
    CHECK_OK(db->read([&](store::Reader& reader) -> base::Result<void> {
      count = TRY(reader.list(services::kTasks, {})).size();
      return {};
    }));
    return count;
  };
  const std::size_t before = tasks();
  const Answer would = call("admin", post + "?dryrun=true", body);
  must(would, 200);
  STRCMP_EQUAL("202", would.at("/would/status").c_str());
  LONGS_EQUAL(before, tasks());
  const Answer task = call("admin", post, body);
  must(task, 202);
  CHECK(task.raw.body.find("tell-nobody") == std::string::npos);
  LONGS_EQUAL(1, call("admin", "GET /root/environments/$env/containers").json.size());
}

TEST(Meta, the_launchers_report_becomes_the_resource) {
  plant();
  services::meta::ContainerReport report;
  report.status = "RUNNING";
  report.running = 1;
  const auto tell = [&] {
    CHECK_OK(host->transact(
        "launcher.report", services::internal_caller("launcher"),
        [&](services::Call& own) { return meta->report_container(own, ids["web"], report); }));
  };
  tell();
  const Answer shown = call("admin", "GET /root/containers/$web");
  STRCMP_EQUAL("RUNNING", shown.at("/properties/status").c_str());
  tell();  // says nothing new, writes nothing
  STRCMP_EQUAL(shown.raw.headers.at("ETag").c_str(),
               call("admin", "GET /root/containers/$web").raw.headers.at("ETag").c_str());
}

TEST(Meta, people_and_groups_are_made_in_security) {
  make("zoe", "/root/users", R"({"name":"zoe","properties":{"firstName":"Zoe","lastName":"Z",
       "email":"zoe@example.com","password":"not-shown"}})");
  make("team", "/root/groups", R"({"name":"team"})");
  STRCMP_EQUAL("hash of 9", security->hashes[ids["zoe"]].c_str());
  const Answer shown = call("admin", "GET /root/users/$zoe");
  CHECK(shown.raw.body.find("not-shown") == std::string::npos);
  must(call("admin", "PATCH /root/groups/$team/users?id=$zoe"), 200);
  CHECK_EQUAL(1u, call("admin", "GET /root/groups/$team/users").json.size());
  CHECK_EQUAL(1u, call("admin", "GET /root/users/$zoe/groups").json.size());
  must(call("admin", "DELETE /root/groups/$team/users?id=$zoe"), 200);
  must(call("admin", "DELETE /root/users/$zoe"), 204);
  CHECK_FALSE(security->users.contains(ids["zoe"]));
}

TEST(Meta, nobody_gets_anything_without_credentials) {
  for (const char* line : {"GET /root", "GET /orgs", "GET /root/workspaces", "POST /sync",
                           "GET /users/self", "GET /root/resourcetypes"}) {
    CHECK_EQUAL_TEXT(401, call("", line).status, line);
  }
  CHECK_EQUAL(200, call("", "GET /about").status);
}
