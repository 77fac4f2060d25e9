// SPDX-License-Identifier: Apache-2.0
#include "node/master/views.h"

#include "tests/unit/node/master/fake_cluster.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using base::Json;

TEST_GROUP(Views) {
  FakeCluster cluster;
  void setup() override {
    cluster.add_node("n1");
    cluster.put(R"({"id":"/shop/web","cmd":"x","instances":2})");
    cluster.run();
  }
  const AppState& web() const { return *cluster.scheduler.find_app("/shop/web"); }
};

TEST(Views, an_app_has_the_fields_that_clients_read) {
  const Json shown = app_json(cluster.scheduler, web(), {.tasks = true});
  LONGS_EQUAL(2, shown["tasksRunning"].get<int>());
  CHECK(shown["tasks"][0]["state"] == "TASK_RUNNING");
  CHECK(shown["tasks"][0]["servicePorts"][0] == 10000);
  const std::string text = tasks_text(look_at(cluster.scheduler, web(), {.tasks = true}));
  CHECK(text.starts_with("shop_web\t10000\t10.0.0.1:3000\t"));
}

TEST(Views, a_deployment_and_an_app_show_what_readiness_checks_got) {
  cluster.put(R"({"id":"/r","cmd":"x","portDefinitions":[{"port":0,"name":"http"}],
      "readinessChecks":[{"name":"up","portName":"http","preserveLastResponse":true}]})");
  cluster.sync("n1");
  const Instance& instance = *cluster.instances_of("/r").front();
  node::api::InstanceStatus status = cluster.nodes["n1"].instances.at(instance.id);
  status.state = node::api::InstanceState::running;
  status.readiness_results.push_back(
      {"up", false, node::api::CheckResponse{503, "text/plain", "warming up"}});
  status.readiness_results.push_back({"other", true, std::nullopt});
  cluster.send("n1", status);
  const AppState& app = *cluster.scheduler.find_app("/r");
  const Json shown = app_json(cluster.scheduler, app, {.readiness = true});
  const Json& results = shown["readinessCheckResults"];
  const Json expected = {
      {"name", "up"},
      {"taskId", instance.id.text()},
      {"ready", false},
      {"lastResponse", {{"status", 503}, {"contentType", "text/plain"}, {"body", "warming up"}}}};
  CHECK(results[0] == expected);
  CHECK(results[1]["ready"] == true && !results[1].contains("lastResponse"));
  const Deployment& deployment = cluster.scheduler.deployments().begin()->second;
  const auto readiness = look_at_readiness(cluster.scheduler, deployment);
  const Json action = deployment_json(deployment, readiness)["currentActions"][0];
  CHECK(action["app"] == "/r" && action["readinessCheckResults"] == results);
  CHECK(app_json(cluster.scheduler, web(), {.readiness = true})["readinessCheckResults"].empty());
}

TEST(Views, instances_of_another_version_say_nothing_of_a_deployment) {
  const std::string app = R"("portDefinitions":[{"port":0,"name":"http"}],
      "readinessChecks":[{"name":"up","portName":"http"}]})";
  cluster.put(R"({"id":"/r","cmd":"x",)" + app);
  cluster.run();
  const Instance& old = *cluster.instances_of("/r").front();
  node::api::InstanceStatus status = old.status;
  status.readiness_results.push_back({"up", true, std::nullopt});
  cluster.send("n1", status);
  LONGS_EQUAL(1, look_at_readiness(cluster.scheduler, *cluster.scheduler.find_app("/r")).size());
  cluster.put(R"({"id":"/r","cmd":"y",)" + app);
  LONGS_EQUAL(0, look_at_readiness(cluster.scheduler, *cluster.scheduler.find_app("/r")).size());
}

TEST(Views, a_task_says_which_limits_are_not_effective) {
  Instance instance = *cluster.instances_of("/shop/web").front();
  CHECK(!task_json(instance, web().current.get()).contains("degraded"));
  instance.status.degraded = {"disk_limit_not_effective"};
  CHECK(task_json(instance, web().current.get())["degraded"][0] == "disk_limit_not_effective");
}

TEST(Views, a_group_is_rendered_with_the_groups_between) {
  GroupView view{"/", "v9", {}, {}};
  view.groups["/shop/empty/deep"] = {{"/db"}, "v3"};
  view.apps.push_back(look_at(cluster.scheduler, web(), {}));
  const GroupEmbed embed = read_group_embed({"group.groups", "group.apps"});
  const Json tree = UNWRAP(base::parse_json(group_text(view, embed)));
  CHECK(tree["version"] == "v9");
  CHECK(tree["apps"].empty());
  const Json& shop = tree["groups"][0];
  CHECK(shop["id"] == "/shop");
  CHECK(shop["version"] == "v3");  // "v3" comes after "2026-…"
  CHECK(shop["apps"][0]["id"] == "/shop/web");
  CHECK(!shop["apps"][0].contains("tasksRunning"));
  const Json& deep = shop["groups"][0]["groups"][0];
  CHECK(deep["id"] == "/shop/empty/deep" && deep["dependencies"][0] == "/db");
  const Json bare = UNWRAP(base::parse_json(group_text(view, read_group_embed({"group.apps"}))));
  CHECK(bare["groups"].empty());
}

TEST(Views, mesos_state_is_what_mesos_dns_reads) {
  const MesosView view = look_at_mesos(cluster.scheduler, {"fw", "10.0.0.9", 5050});
  MesosTasks tasks;
  for (const Instance* instance : cluster.instances_of("/shop/web"))
    tasks.add(*instance, web().current.get(), view.identity);
  const Json mesos = UNWRAP(base::parse_json(mesos_state(view, tasks)));
  CHECK(mesos["leader"] == "master@10.0.0.9:5050");
  CHECK(mesos["slaves"][0]["pid"] == "slave(1)@10.0.0.1:5051");
  LONGS_EQUAL(2, mesos["frameworks"][0]["tasks"].size());
  CHECK(mesos["frameworks"][0]["unreachable_tasks"].empty());
  const Json& task = mesos["frameworks"][0]["tasks"][0];
  CHECK(task["name"] == "web.shop");
  CHECK(task["resources"]["ports"] == "[3000-3000]" || task["resources"]["ports"] == "[3001-3001]");
  CHECK(task["statuses"][0]["container_status"]["network_infos"][0]["ip_addresses"][0]
            ["ip_address"] == "10.0.0.1");
  LONGS_EQUAL(2, mesos_metrics(view)["master/tasks_running"].get<int>());
}
