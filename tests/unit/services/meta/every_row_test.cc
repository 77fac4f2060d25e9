// SPDX-License-Identifier: Apache-2.0
// Each row of meta answers well somewhere: every collection in every place where it may stand, with
// what is done to it there; what surrounds resources; types. The rig looks whether the answers are
// what the interface promises, and tries each change first.
#include <CppUTest/TestHarness.h>

#include "common/base/text.h"
#include "services/meta/catalogue.h"
#include "tests/unit/services/meta/service_rig.h"

namespace {

using base::Json;
using services::ActionRow;

// What a resource of a collection is made with, beside its name.
constexpr std::pair<std::string_view, std::string_view> kBodies[] = {
    {"environments", R"({"properties":{"environment_type":"test"}})"},
    {"containers", R"({"properties":{"provider":{"id":"$caas"},"image":"nginx"}})"},
    {"logfiles", R"({"properties":{"path":"/var/log/x"}})"},
    {"licenses", R"({"properties":{"data":"signed"}})"},
    {"providers", R"({"resource_type":"Gestalt::Configuration::Provider::CaaS::DCOS",
        "properties":{"config":{"url":"http://127.0.0.1:8080"}}})"},
    {"rules", R"({"resource_type":"Gestalt::Resource::Rule::Limit","properties":{
        "match_actions":["container.create"],
        "eval_logic":{"property":"containers.count","operator":"<=","value":100}}})"},
};
constexpr const char* kDescribed = R"([{"op":"add","path":"/description","value":"d"}])";
constexpr const char* kRobot = R"({"name":"Acme::Robot","properties":{
    "extend":"Gestalt::Resource::Asset","property_defs":[{"name":"arms","data_type":"int"}],
    "actions":{"prefix":"robot","verbs":["dance"]},"api":{"rest_name":"robots"},
    "lineage":{"parent_types":["Gestalt::Resource::Organization",
    "Gestalt::Resource::Environment"]}}})";

// A launcher that runs nothing: every container is one application, which is being deployed.
struct StillRunner final : services::meta::ContainerRunner {
  base::Result<std::string> take_change(services::Call&, std::string_view, const Json&) override {
    return std::string();
  }
  base::Result<std::map<std::string, Json>> observe_containers(
      const std::string&, const std::vector<std::string>& of) override {
    std::map<std::string, Json> apps;
    for (const std::string& id : of) {
      apps[id] = {{"id", "/gestalt/" + id},
                  {"instances", 1},
                  {"tasks", Json::array()},
                  {"deployments", Json::array({{{"id", "d"}}})}};
    }
    return apps;
  }
  base::Result<Json> probe_provider(const std::string&) override {
    return Json{{"product", "marathon"}, {"version", "1.11.0"}};
  }
};

struct EveryRowRig : MetaRig {
  StillRunner runner;
  std::map<std::string, std::string> made;   // one resource of each collection
  std::map<std::string, std::string> lists;  // where that was
  std::set<const ActionRow*> answered;
  int names = 0;

  void setup() override {
    MetaRig::setup();
    plant();
    made = {{"workspaces", ids["ws"]},
            {"environments", ids["env"]},
            {"providers", ids["caas"]},
            {"containers", ids["web"]}};
  }

  const ActionRow* find_row(const std::string& method, const std::string& path) {
    const std::string whole = "/meta" + fill(path.substr(0, path.find('?')));
    for (const rest::Method each : {rest::Method::get, rest::Method::post, rest::Method::put,
                                    rest::Method::patch, rest::Method::del}) {
      if (rest::method_name(each) == method) return host->find_action(each, whole);
    }
    return nullptr;
  }
  // Must be answered well; a change is tried before.
  Answer ask(const std::string& method, const std::string& path, const Json& body = Json()) {
    const Answer answer =
        call("admin", method + " " + path, body.is_null() ? "" : base::dump_json(body));
    if (answer.status >= 400) FAIL((method + " " + path + ": " + answer.raw.body).c_str());
    answered.insert(find_row(method, path));
    return answer;
  }
  std::string new_name() { return "n" + std::to_string(++names); }  // an organisation may have it
  Json body_of(const std::string& rest) {
    Json body = Json::object();
    for (const auto& [of, text] : kBodies) {
      if (of == rest) body = Json::parse(fill(std::string(text)));
    }
    body["name"] = new_name();
    return body;
  }
  bool has_own(const std::string& method, const std::string& path) {
    const ActionRow* const row = find_row(method, path);
    return row != nullptr && row->path.find("{kind}") == std::string::npos;
  }

  // A collection in one place: listed, added to, and with one of it everything that is done to one.
  void use(const std::string& place, const std::string& rest) {
    const std::string list = place + "/" + rest;
    const Json body = body_of(rest);
    const std::string id = ask("POST", list, body).at("/id");
    made.emplace(rest, id);
    lists.emplace(rest, list);
    for (const char* query : {"", "?expand=true", "?limit=1", "?explain=true"})
      ask("GET", list + query);
    for (const std::string& in : {list, "/root/" + rest}) {
      if (!has_own("GET", in + "/" + id)) continue;
      for (const char* query : {"", "?explain=true"}) ask("GET", in + "/" + id + query);
      ask("PUT", in + "/" + id, body);
      ask("PATCH", in + "/" + id, Json::parse(kDescribed));
      const std::string gone = ask("POST", list, body_of(rest)).at("/id");
      ask("DELETE", in + "/" + gone);
    }
  }
  // Where the row "/orgs/{org}/P/{parent}/X" adds to, empty while there is no P.
  std::string place_of(const std::vector<std::string_view>& parts) {
    if (parts.size() == 4) return "/root";
    const auto parent = made.find(std::string(parts[3]));
    return parent == made.end() ? "" : "/root/" + std::string(parts[3]) + "/" + parent->second;
  }
  static bool adds_to_collection(const ActionRow& row, const std::vector<std::string_view>& parts) {
    if (row.mount != "/meta" || row.method != rest::Method::post) return false;
    const bool is_place = parts.size() == 4 || (parts.size() == 6 && parts[4] == "{parent}");
    return is_place && parts[1] == "orgs" && row.name.ends_with(".create") &&
           !row.name.starts_with("resource") && !parts.back().starts_with("{") &&
           parts.back() != "entitlements";
  }
  void use_all_collections() {
    std::set<std::string> done;
    for (bool goes_on = true; goes_on;) {
      goes_on = false;
      for (const ActionRow& row : host->actions()) {
        const auto parts = base::split(row.path, '/');
        const std::string place = adds_to_collection(row, parts) ? place_of(parts) : "";
        if (place.empty() || !done.insert(row.path).second) continue;
        // Organisations are their own address.
        if (parts.back() != "orgs") use(place, std::string(parts.back()));
        goes_on = true;
      }
    }
  }

  // A path that the row answers, of what has been made.
  std::string example_of(const ActionRow& row) {
    const auto parts = base::split(row.path, '/');
    std::string path;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      std::string part(parts[i]);
      if (i == 1 && part == "orgs" && parts.size() > 2) continue;
      if (part == "{org}") part = "root";
      if (part == "{kind}") part = "workspaces";
      if (part == "{child}") part = "environments";
      if (part == "{type}") part = "Gestalt::Resource::Container";
      if (part == "{property}") part = "image";
      if (part == "{path...}") part = "root/ws/env/web";
      if (part == "{provider}") part = ids["caas"];
      if (part == "{app...}") part = "web";
      if (part == "{parent}" || part == "{id}") {
        const auto found = made.find(std::string(parts[i - 1]));
        part = found == made.end() ? ids["ws"] : found->second;
        if (parts[i - 1] == "{child}") part = ids["env"];
      }
      path += "/" + part;
    }
    return path;
  }
  // Whatever is only read and has not been asked for yet.
  void read_the_rest() {
    for (const ActionRow& row : host->actions()) {
      const bool is_read = row.mount == "/meta" && row.method == rest::Method::get;
      if (!is_read || answered.contains(&row)) continue;
      const std::string path = example_of(row);
      // What names no particular one of the entitlements is asked for below.
      if (path.find('{') == std::string::npos && !path.ends_with("/diff")) ask("GET", path);
    }
  }

  void use_an_added_type() {
    ask("POST", "/root/resourcetypes", Json::parse(kRobot));
    ask("PATCH", "/root/resourcetypes/Acme::Robot", Json::parse(kDescribed));
    for (const char* place : {"/root", "/root/environments/$env"}) {
      const std::string list = std::string(place) + "/robots";
      const std::string id = ask("POST", list, body_of("robots")).at("/id");
      ask("GET", list);
      ask("GET", list + "/" + id);
      ask("PUT", list + "/" + id, body_of("robots"));
      ask("PATCH", list + "/" + id, Json::parse(kDescribed));
      act("/root/robots/" + id, "robot");
      ask("DELETE", list + "/" + id);
    }
    ask("DELETE", "/root/resourcetypes/Acme::Robot");
  }

  // Through /resources, and what has an address of its own besides.
  void use_other_addresses() {
    Json body = body_of("workspaces");
    body["resource_type"] = "Gestalt::Resource::Workspace";
    const std::string one = "/root/resources/" + ask("POST", "/root/resources", body).at("/id");
    ask("GET", one);
    ask("PUT", one, body);
    ask("PATCH", one, Json::parse(kDescribed));
    ask("DELETE", one);
    const std::string org = ask("POST", "/root/orgs", Json{{"name", new_name()}}).at("/id");
    ask("GET", "/root/orgs/" + org);
    ask("DELETE", "/root/orgs/" + org);
    for (const char* alone : {"users", "rules"}) {
      const std::string id = ask("POST", lists[alone], body_of(alone)).at("/id");
      ask("GET", "/" + std::string(alone) + "/" + id);
      ask("DELETE", "/" + std::string(alone) + "/" + id);
    }
  }
  void view_as_marathon() {
    meta->set_runner(&runner);
    const std::string view = "/root/environments/$env/providers/$caas/v2";
    for (const char* last : {"/apps", "/apps/web", "/info", "/deployments"})
      ask("GET", view + last);
    meta->set_runner(nullptr);
  }

  static bool has_provider(const services::meta::ResourceType& type) {
    return type.open || type.properties.contains("provider");
  }
  // What the provider of a resource is asked to do.
  void act(const std::string& item, const std::string& prefix) {
    const Json endpoint = {{"url", "http://127.0.0.1:9/"}, {"actions", {prefix + ".view"}}};
    ask("PATCH", "/root/providers/$caas",
        Json::array({{{"op", "add"},
                      {"path", "/properties/endpoints"},
                      {"value", Json::array({endpoint})}}}));
    ask("PATCH", item,
        Json::array(
            {{{"op", "add"}, {"path", "/properties/provider"}, {"value", {{"id", ids["caas"]}}}}}));
    CHECK_EQUAL(202, ask("POST", item + "?action=view").status);
  }
  // One of a collection that may have a provider: of a type that somebody has added, where the
  // built-in one has none.
  std::string backed(const std::string& rest) {
    const services::meta::ResourceType& type = *meta->builtin().find_rest(rest);
    if (has_provider(type)) return made[rest];
    const std::string name = "Acme::" + type.prefix;
    const Json provider = {{"name", "provider"}, {"data_type", "json"}};
    ask("POST", "/root/resourcetypes",
        {{"name", name},
         {"properties", {{"extend", type.name}, {"property_defs", Json::array({provider})}}}});
    Json body = body_of(rest);
    body["resource_type"] = name;
    return ask("POST", lists[rest], body).at("/id");
  }
  void act_on_all() {
    for (const ActionRow& row : host->actions()) {
      const bool acts = row.mount == "/meta" && row.name.ends_with(".act");
      if (!acts || row.name.starts_with("resource")) continue;
      const std::string rest(base::split(row.path, '/')[3]);
      act("/root/" + rest + "/" + backed(rest), row.name.substr(0, row.name.find('.')));
    }
  }

  // Said here, in force and with what it comes from; nothing says a value of `token`.
  void use_config(const std::string& place) {
    const Json said = {{"size", {{"value", 3}, {"final", true}}},
                       {"token", {{"required", "wait"}}},
                       {"depth", Json::array({{{"value", 1}, {"when", {{"env_type", "prod"}}}},
                                              {{"value", {1}}, {"mode", "append"}}})}};
    ask("PUT", place + "/config", said);
    ask("GET", place + "/config");
    const Json view = ask("GET", place + "/config?effective=true&explain=true").json;
    CHECK_TRUE(view.contains("missing") && view.contains("chain"));
    ask("GET", place + "/config?effective=true");
    ask("GET", place + "/config/watch");
  }
  // What surrounds a resource that has been changed, and leads to others.
  void look_around(const std::string& item) {
    ask("GET", item + "/history");
    ask("GET", item + "/diff?from=1&to=2");
    ask("GET", item + "/context");
    ask("GET", item + "/links?depth=10");
  }

  void use_entitlements(const std::string& place) {
    ask("GET", place + "/entitlements");
    const Json grants = ask("GET", place + "/entitlements?expand=true").json;
    const std::string one = place + "/entitlements/" + grants.at(0).at("id").get<std::string>();
    const Json body = {{"properties",
                        {{"action", grants.at(0).at("properties").at("action")},
                         {"identities", Json::array({FakeSecurity::id_of("admin")})}}}};
    ask("GET", one);
    ask("PUT", one, body);
    ask("DELETE", one);
    ask("POST", place + "/entitlements", body);
  }
};

TEST_GROUP_BASE(MetaEveryRow, EveryRowRig){};

TEST(MetaEveryRow, config_is_put_as_an_object_and_read_as_a_provider_has_it) {
  for (const char* body : {"null", "[]", "\"x\""})
    CHECK_EQUAL(422, call("admin", "PUT /root/workspaces/$ws/config", body).status);
  Json provider = body_of("providers");
  provider["properties"]["config"] = "a text";
  const std::string id = ask("POST", "/root/providers", provider).at("/id");
  STRCMP_EQUAL("\"a text\"", ask("GET", "/root/providers/" + id + "/config").raw.body.c_str());
}

TEST(MetaEveryRow, nothing_is_carried_out_on_people_and_groups) {
  for (const char* who : {"users/", "groups/"}) {
    const std::string id = FakeSecurity::id_of(who[0] == 'u' ? "admin" : "admins");
    CHECK_EQUAL(200, call("admin", std::string("GET /root/") + who + id).status);
    CHECK_EQUAL(404, call("admin", std::string("POST /root/") + who + id + "?action=view").status);
  }
}

TEST(MetaEveryRow, answers_well_and_can_be_tried) {
  for (const char* line : {"/sync", "/bootstrap"}) ask("POST", line);
  for (const char* list : {"/orgs", "/root", "/root/orgs"}) {
    ask("POST", list, Json{{"name", new_name()}});
  }
  ask("PUT", "/n1", Json{{"name", "n1"}});
  ask("PATCH", "/n1", Json::parse(kDescribed));
  ask("DELETE", "/n1");
  use_all_collections();
  for (const char* place : {"/root", "/root/workspaces/$ws"}) {
    use_config(place);
    look_around(place);
    use_entitlements(place);
    ask("PUT", std::string(place) + "/config", Json::object());
  }
  use_an_added_type();
  act_on_all();
  use_other_addresses();
  view_as_marathon();

  for (const char* web : {"/root/containers/$web", "/root/environments/$env/containers/$web"}) {
    const std::string prod =
        ask("POST", "/root/workspaces/$ws/environments", body_of("environments")).at("/id");
    ask("POST", std::string(web) + "/scale?numInstances=2");
    ask("POST", std::string(web) + "/migrate?provider=$caas");
    ask("POST", std::string(web) + "/promote?target=" + prod);
  }
  look_around("/root/containers/$web");
  look_around("/root/providers/$caas");
  ask("POST", "/root/containers/$web/restore?version=1");
  const std::string members = "/root/groups/" + made["groups"] + "/users";
  ask("PATCH", members + "?id=" + made["users"]);
  ask("DELETE", members + "?id=" + made["users"]);
  read_the_rest();
  STRCMP_EQUAL("", replies->unanswered("meta").c_str());
}

}  // namespace
