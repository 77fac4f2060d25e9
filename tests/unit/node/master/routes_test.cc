// SPDX-License-Identifier: Apache-2.0
// The whole router over a real service: what each request answers, and every reason it may fail.
#include "tests/unit/node/master/rig.h"

using base::Json;
using master_test::Master;
using rest::Method;

TEST_GROUP(Routes) {
  TempFolder folder;
  Master master{folder};

  void setup() override {
    master.add_node("n1");
    master.json(201, Method::post, "/v2/apps", R"({"id":"/a","cmd":"x","instances":2})");
    master.json(201, Method::post, "/v2/groups", R"({"id":"/g","apps":[{"id":"web","cmd":"x"}]})");
    master.settle();
  }
};

TEST(Routes, failures_have_their_status_and_reason) {
  const struct {
    Method method;
    const char* target;
    const char* body;
    int status;
    const char* reason;
  } kCases[] = {
      {Method::get, "/v2/apps/none", "", 404, "app_unknown"},
      {Method::get, "/v2/apps/No_Id", "", 404, "app_unknown"},
      {Method::get, "/v2/apps/none/tasks", "", 404, "app_unknown"},
      {Method::get, "/v2/apps/a/versions/2000", "", 404, "version_unknown"},
      {Method::post, "/v2/apps", "{", 400, "json_invalid"},
      {Method::post, "/v2/apps", R"({"id":"/x"})", 422, "definition_invalid"},
      {Method::post, "/v2/apps", R"({"id":"/x","cmd":"y","sudo":1})", 422, "definition_invalid"},
      {Method::post, "/v2/apps", R"({"id":"/a","cmd":"x"})", 409, "app_exists"},
      {Method::post, "/v2/apps/a", "", 405, "method_not_allowed"},
      {Method::post, "/v2/apps/none/restart", "", 404, "app_unknown"},
      {Method::patch, "/v2/apps/none", R"({"cmd":"y"})", 404, "app_unknown"},
      {Method::put, "/v2/apps/a", "[]", 422, "definition_invalid"},
      {Method::put, "/v2/apps/a", R"({"version":"2000"})", 404, "version_unknown"},
      {Method::put, "/v2/apps/a?force=maybe", R"({"cmd":"y"})", 400, "query_invalid"},
      {Method::put, "/v2/apps/g", R"({"cmd":"y"})", 422, "definition_invalid"},
      {Method::put, "/v2/apps/a/b", R"({"cmd":"y"})", 422, "definition_invalid"},
      {Method::put, "/v2/apps", R"({"id":"/a"})", 422, "definition_invalid"},
      {Method::put, "/v2/apps", R"([{"id":"/c","cmd":"x","dependencies":["/d"]},
          {"id":"/d","cmd":"x","dependencies":["/c"]}])",
       422, "definition_invalid"},
      {Method::del, "/v2/apps/none", "", 404, "app_unknown"},
      {Method::del, "/v2/apps/none/tasks", "", 404, "app_unknown"},
      {Method::del, "/v2/apps/a/tasks/none", "", 404, "task_unknown"},
      {Method::get, "/v2/groups/none", "", 404, "group_unknown"},
      {Method::get, "/v2/groups/none/versions", "", 404, "group_unknown"},
      {Method::get, "/v2/groups/g/versions/2000", "", 404, "version_unknown"},
      {Method::post, "/v2/groups", R"({"id":"/g"})", 409, "group_exists"},
      {Method::post, "/v2/groups/g", R"({"id":"/other"})", 422, "definition_invalid"},
      {Method::put, "/v2/groups/g", R"({"scaleBy":-1})", 422, "definition_invalid"},
      {Method::put, "/v2/groups/g", R"({"pods":[{}]})", 422, "definition_invalid"},
      {Method::put, "/v2/groups/g", R"({"version":"2000"})", 404, "version_unknown"},
      {Method::del, "/v2/groups", "", 409, "force_needed"},
      {Method::del, "/v2/groups/none", "", 404, "group_unknown"},
      {Method::post, "/v2/tasks/delete", R"({"ids":1})", 400, "field_invalid"},
      {Method::post, "/v2/tasks/delete", R"({"names":[]})", 400, "field_unknown"},
      {Method::del, "/v2/queue/a/delay", "", 404, "app_not_queued"},
      {Method::del, "/v2/queue/a", "", 404, "route_unknown"},
      {Method::del, "/v2/deployments/none", "", 404, "deployment_unknown"},
      {Method::del, "/v2/deployments/none?force=true", "", 404, "deployment_unknown"},
      {Method::del, "/v2/leader", "", 409, "no_other_leader"},
      {Method::get, "/v2/events?plan-format=x", "", 400, "query_invalid"},
      {Method::get, "/v2/eventSubscriptions", "", 501, "callbacks_unavailable"},
      {Method::post, "/v2/pods", "{}", 501, "pods_unavailable"},
      {Method::get, "/v2/pods/p", "", 404, "pod_unknown"},
      {Method::get, "/v2/pods/p::status", "", 404, "pod_unknown"},
      {Method::del, "/v2/pods/p", "", 404, "pod_unknown"},
      {Method::put, "/secret/default/db", R"({"value":"x"})", 501, "secrets_unavailable"},
      {Method::del, "/secret/default/team/db", "", 404, "secret_unknown"},
      {Method::post, "/v2/apps", R"({"id":"/x","cmd":"y","secrets":{"s":{"source":"/db"}}})", 422,
       "definition_invalid"},
      {Method::get, "/slave/none/monitor/statistics", "", 404, "node_unknown"},
      {Method::get, "/slave/n1/monitor/statistics", "", 503, "agent_unreachable"},
      {Method::put, "/internal/v1/agents/n1/status", "{}", 400, "field_missing"},
      {Method::put, "/internal/v1/agents/a%20b/status", "{}", 400, "node_invalid"},
      {Method::put, "/internal/v1/agents/n1/status",
       R"({"boot":"other","sequence":9,"full":false,"instances":[]})", 409, "resync_required"},
  };
  for (const auto& each : kCases) {
    const rest::Response response = master.ask(each.method, each.target, each.body);
    const Json body = UNWRAP(base::parse_json(response.body));
    if (response.status != each.status || body["type"] != "/problems/" + std::string(each.reason))
      FAIL((std::string(each.target) + " " + each.body + ": " + std::to_string(response.status) +
            " " + response.body)
               .c_str());
    CHECK(body["message"].is_string());  // what Marathon's clients read
    CHECK(response.headers.contains("X-Marathon-Leader"));
  }
}

TEST(Routes, lists_have_marathons_shapes) {
  CHECK(master.json(200, Method::get, "/v2/apps")["apps"].size() == 2);
  CHECK(master.json(200, Method::get, "/v2/apps/*")["apps"].size() == 2);
  CHECK(master.json(200, Method::get, "/v2/apps/g/*")["apps"].size() == 1);
  CHECK(master.json(200, Method::get, "/v2/apps?id=web")["apps"].size() == 1);
  CHECK(master.json(200, Method::get, "/v2/apps?embed=apps.tasks")["apps"][0]["tasks"].size() == 2);
  CHECK(master.json(200, Method::get, "/v2/tasks?status=running")["tasks"].size() == 3);
  CHECK(master.json(200, Method::get, "/v2/tasks?status=staging")["tasks"].empty());
  CHECK(master.json(200, Method::get, "/v2/queue")["queue"].empty());
  CHECK(master.json(200, Method::get, "/v2/deployments").is_array());
  CHECK(master.json(200, Method::get, "/v2/pods").is_array());
  CHECK(master.json(200, Method::get, "/v2/pods/::status").is_array());
  CHECK(master.json(200, Method::get, "/v2/groups")["groups"][0]["id"] == "/g");
  CHECK(master.ask(Method::get, "/v2/tasks", "", "text/plain").body.starts_with("a\t10000\t"));
  CHECK(master.json(200, Method::get, "/master/state")["frameworks"][0]["tasks"].size() == 3);
  CHECK(master.json(200, Method::get, "/state-summary")["frameworks"][0]["TASK_RUNNING"] == 3);
  CHECK(master.json(200, Method::get, "/tasks")["tasks"].size() == 3);
  CHECK(master.json(200, Method::get, "/slaves")["slaves"].size() == 1);
  CHECK(master.json(200, Method::get, "/metrics/snapshot")["master/tasks_running"] == 3);
}

// As the original's client asks.
TEST(Routes, a_group_shows_what_its_embeds_ask_for) {
  const std::string query =
      "?embed=group.apps&embed=group.apps.counts&embed=group.apps.tasks&embed=group.groups";
  const Json group = master.json(200, Method::get, "/v2/groups/g" + query);
  CHECK(group["id"] == "/g" && group["groups"].empty());
  LONGS_EQUAL(1, group["apps"].size());
  const Json& web = group["apps"][0];
  CHECK(web["id"] == "/g/web" && web["version"].is_string());
  CHECK(web["tasksRunning"] == 1 && web["tasksHealthy"] == 1);
  CHECK(web["tasksStaged"] == 0 && web["tasksUnhealthy"] == 0);
  LONGS_EQUAL(1, web["tasks"].size());
  CHECK(web["tasks"][0]["appId"] == "/g/web" && web["tasks"][0]["slaveId"] == "n1");
  CHECK(master.json(200, Method::get, "/v2/groups" + query)["groups"][0] == group);
  CHECK(master.json(200, Method::get, "/service/marathon/v2/groups/g" + query) == group);
  const Json bare = master.json(200, Method::get, "/v2/groups/g?embed=group.groups");
  CHECK(bare["apps"].empty());
  master.json(404, Method::get, "/v2/groups/none" + query);
}

TEST(Routes, the_prefix_of_a_cluster_is_understood) {
  CHECK(master.json(200, Method::get, "/service/marathon/v2/apps//a")["app"]["id"] == "/a");
  STRCMP_EQUAL("pong\n", master.ask(Method::get, "/service/marathon/ping").body.c_str());
}

TEST(Routes, a_locked_app_needs_force) {
  master.json(200, Method::put, "/v2/apps/a",
              R"({"cmd":"y"})");  // the agents have not answered yet
  const Json locked = master.json(409, Method::put, "/v2/apps/a", R"({"cmd":"z"})");
  STRCMP_EQUAL("/problems/app_locked", locked["type"].get<std::string>().c_str());
  LONGS_EQUAL(1, locked["deployments"].size());
  master.json(200, Method::put, "/v2/apps/a?force=True", R"({"cmd":"z"})");
  master.settle();
  CHECK(master.json(200, Method::get, "/v2/apps/a")["app"]["cmd"] == "z");
}

TEST(Routes, tasks_are_killed_and_the_app_scaled) {
  const Json tasks = master.json(200, Method::get, "/v2/apps/a/tasks");
  const std::string id = tasks["tasks"][0]["id"];
  master.json(200, Method::del, "/v2/apps/a/tasks/" + id + "?scale=true");
  master.settle();
  CHECK(master.json(200, Method::get, "/v2/apps/a")["app"]["instances"] == 1);
  master.json(200, Method::post, "/v2/tasks/delete", Json({{"ids", {id, "none"}}}).dump());
}

TEST(Routes, a_node_that_is_not_described_yet_is_no_news) {
  const std::string path = node::api::place(node::api::kNodesPath, "n2");
  CHECK_OK(master.tree().create({path, ""}));
  master.add_node("n3");
  CHECK(!master.service->scheduler().nodes().contains("n2"));
  node::api::Node node;
  node.name = "n2";
  node.address = "10.0.0.2";
  CHECK_OK(master.tree().set({path, node::api::encode(node)}));
  master.wait_for([](const auto& scheduler) { return scheduler.nodes().contains("n2"); });
}
