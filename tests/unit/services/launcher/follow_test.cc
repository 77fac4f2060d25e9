// SPDX-License-Identifier: Apache-2.0
// What becomes of containers: through the whole pipeline of meta, with the launcher beside it.
#include "tests/unit/services/launcher/launcher_rig.h"

using base::Json;

TEST_GROUP_BASE(LauncherFollow, LauncherRig) {
  static constexpr const char* kWeb =
      R"({"provider":{},"image":"nginx","num_instances":2,
          "port_mappings":[{"name":"http","container_port":80,"expose_endpoint":true,
                            "virtual_hosts":["web.example"]}]})";
  static constexpr const char* kFar = R"({"provider":{"id":"$far"},"image":"nginx"})";
};

TEST(LauncherFollow, a_container_becomes_an_application_and_its_state_flows_back) {
  const Answer made = launch(kWeb);
  STRCMP_EQUAL("pending", task().status.c_str());
  STRCMP_EQUAL("admin", task().owner_name.c_str());
  near.run(1);
  go_on(1);
  STRCMP_EQUAL("web.example",
               near.app(app_id())["labels"]["HAPROXY_0_VHOST"].get<std::string>().c_str());
  STRCMP_EQUAL("SCALING", shown("/properties/status").c_str());
  STRCMP_EQUAL("running", task().status.c_str());
  CHECK(task().message.find("1 of 2") != std::string::npos);
  near.run(2);
  go_on(2);
  STRCMP_EQUAL("RUNNING", shown("/properties/status").c_str());
  STRCMP_EQUAL("2", shown("/properties/tasks_running").c_str());
  STRCMP_EQUAL("10.0.0.1", shown("/properties/instances/0/host").c_str());
  STRCMP_EQUAL(app_id().c_str(), shown("/properties/external_id").c_str());
  STRCMP_EQUAL("completed", task().status.c_str());
  STRCMP_EQUAL(("/meta/root/containers/" + ids["web"]).c_str(), task().link.c_str());
}

TEST(LauncherFollow, what_is_as_it_should_be_is_left_alone) {
  launch(kWeb);
  go_on();
  const std::string version = call("admin", "GET /root/containers/$web").raw.headers.at("ETag");
  const int changes = near.changes();
  go_on(60);
  CHECK_EQUAL(changes, near.changes());
  STRCMP_EQUAL(version.c_str(),
               call("admin", "GET /root/containers/$web").raw.headers.at("ETag").c_str());
}

TEST(LauncherFollow, a_container_waits_for_a_value_that_must_be_there) {
  const std::string put = "PUT /root/environments/$env/config";
  must(call("admin", put, R"({"db":{"required":"wait"}})"), 200);
  launch(kWeb);
  near.run(2);
  go_on(3);
  CHECK_EQUAL(0u, near.count());
  STRCMP_EQUAL("WAITING", shown("/properties/status").c_str());
  STRCMP_EQUAL("waits for a value in its configuration: db",
               shown("/properties/status_message").c_str());
  STRCMP_EQUAL("running", task().status.c_str());
  must(call("admin", "PUT /root/workspaces/$ws/config", R"({"db":{"value":"10.0.0.9"}})"), 200);
  go_on(3);
  CHECK_EQUAL(1u, near.count());
  STRCMP_EQUAL("completed", task().status.c_str());
  STRCMP_EQUAL("", shown("/properties/status_message").c_str());
  // What runs goes on when the value goes.
  const int changes = near.changes();
  must(call("admin", "PUT /root/workspaces/$ws/config", "{}"), 200);
  go_on(9);
  CHECK_EQUAL(changes, near.changes());
  STRCMP_EQUAL("RUNNING", shown("/properties/status").c_str());
}

TEST(LauncherFollow, a_value_that_must_be_there_at_once_fails_the_task) {
  must(call("admin", "PUT /root/config", R"({"env/TOKEN":{"required":"fail"}})"), 200);
  launch(kWeb);
  go_on(2);
  CHECK_EQUAL(0u, near.count());
  STRCMP_EQUAL("halted", task().status.c_str());
  STRCMP_EQUAL("its configuration must have a value for env/TOKEN",
               shown("/properties/status_message").c_str());
  const Answer changed = call("admin", "PATCH /root/containers/$web",
                              R"([{"op":"add","path":"/properties/env","value":{"TOKEN":"t"}}])");
  must(changed, 200);
  keep_task(changed);
  near.run(2);
  go_on();
  CHECK_EQUAL(1u, near.count());
  STRCMP_EQUAL("completed", task().status.c_str());
}

TEST(LauncherFollow, a_dry_run_launches_nothing) {
  must(call("admin", "POST /root/environments/$env/containers?dryrun=true",
            R"({"name":"dry","properties":{"provider":{},"image":"nginx"}})"),
       200);
  go_on();
  CHECK_EQUAL(0u, near.count());
  CHECK_EQUAL(0u, records());
}

TEST(LauncherFollow, it_is_scaled_and_changed) {
  launch(kWeb);
  go_on();
  const Answer scaled = call("admin", "POST /root/containers/$web/scale?numInstances=5");
  must(scaled, 202);
  keep_task(scaled);
  go_on();
  CHECK_EQUAL(5, near.app(app_id())["instances"].get<int>());
  STRCMP_EQUAL("5", shown("/properties/tasks_running").c_str());
  STRCMP_EQUAL("scale", task().verb.c_str());
  STRCMP_EQUAL("completed", task().status.c_str());
  must(call("admin", "PATCH /root/containers/$web",
            R"([{"op":"replace","path":"/properties/image","value":"nginx:2"}])"),
       200);
  go_on();
  STRCMP_EQUAL("nginx:2",
               near.app(app_id())["container"]["docker"]["image"].get<std::string>().c_str());
  must(call("admin", "POST /root/containers/$web/scale?numInstances=0"), 202);
  go_on();
  STRCMP_EQUAL("SUSPENDED", shown("/properties/status").c_str());
}

TEST(LauncherFollow, who_prefers_a_task_gets_one) {
  launch(kWeb);
  go_on();
  const Answer answer = call("admin", "POST /root/containers/$web/scale?numInstances=3", "",
                             {{"prefer", "respond-async"}});
  must(answer, 202);
  STRCMP_EQUAL("scale", answer.at("/detail/action/verb").c_str());
  STRCMP_EQUAL("pending", answer.at("/status").c_str());
}

TEST(LauncherFollow, what_is_deleted_goes) {
  launch(kWeb);
  go_on();
  const Answer gone = call("admin", "DELETE /root/containers/$web");
  must(gone, 204);
  keep_task(gone);
  go_on();
  CHECK_EQUAL(0u, near.count());
  CHECK_EQUAL(0u, records());
  STRCMP_EQUAL("completed", task().status.c_str());
}

TEST(LauncherFollow, what_goes_with_its_environment_goes_as_well) {
  launch(kWeb);
  go_on();
  must(call("admin", "DELETE /root/environments/$env?force=true"), 204);
  go_on();
  CHECK_EQUAL(0u, near.count());
}

TEST(LauncherFollow, one_that_is_gone_before_it_ran_leaves_nothing) {
  launch(kWeb);
  must(call("admin", "DELETE /root/containers/$web"), 204);
  go_on();
  CHECK_EQUAL(0u, near.count());
  CHECK_EQUAL(0u, records());
}

TEST(LauncherFollow, it_runs_elsewhere_before_it_ends_where_it_was) {
  launch(kWeb);
  go_on();
  far.run(0);
  must(call("admin", "POST /root/containers/$web/migrate?provider=$far"), 202);
  go_on();
  CHECK_EQUAL(1u, near.count());
  CHECK_EQUAL(1u, far.count());
  far.run(2);
  go_on();
  CHECK_EQUAL(0u, near.count());
  CHECK_EQUAL(1u, far.count());
  must(call("admin", "DELETE /root/containers/$web"), 204);
  go_on();
  CHECK_EQUAL(0u, far.count());
}

TEST(LauncherFollow, it_is_promoted_as_a_second_container) {
  launch(kWeb);
  make("prod", "/root/workspaces/$ws/environments",
       R"({"name":"prod","properties":{"environment_type":"production"}})");
  must(call("admin", "POST /root/containers/$web/promote?target=$prod"), 202);
  go_on();
  CHECK_EQUAL(2u, near.count());
}

TEST(LauncherFollow, while_its_provider_is_away_the_task_says_so_and_waits) {
  near.set_away(true);
  launch(kWeb);
  go_on();
  STRCMP_EQUAL("running", task().status.c_str());
  CHECK(task().message.find("trying again") != std::string::npos);
  STRCMP_EQUAL("degraded", launcher->health()["status"].get<std::string>().c_str());
  near.set_away(false);
  go_on();
  STRCMP_EQUAL("completed", task().status.c_str());
  STRCMP_EQUAL("ok", launcher->health()["status"].get<std::string>().c_str());
}

TEST(LauncherFollow, a_task_does_not_wait_for_ever) {
  near.run(0);
  launch(kWeb);
  go_on();
  clock.pass(std::chrono::minutes(16));
  go_on();
  STRCMP_EQUAL("halted", task().status.c_str());
  CHECK(task().result_message.find("15 minutes") != std::string::npos);
  CHECK(task().result_message.find("0 of 2") != std::string::npos);
  near.run(2);  // it goes on being tried
  go_on();
  STRCMP_EQUAL("RUNNING", shown("/properties/status").c_str());
}

TEST(LauncherFollow, what_cannot_be_fails_with_its_place_until_it_is_changed) {
  launch(R"({"provider":{},"image":"nginx","volumes":[{"mount_path":"/d","host_path":"/etc"}]})");
  go_on();
  STRCMP_EQUAL("FAILED", shown("/properties/status").c_str());
  STRCMP_EQUAL("Gestalt::Resource::State::Failed", shown("/resource_state").c_str());
  CHECK(shown("/properties/status_message").starts_with("/properties/volumes/0/host_path: "));
  STRCMP_EQUAL("halted", task().status.c_str());
  CHECK_EQUAL(0u, near.count());
  must(call("admin", "PATCH /root/containers/$web",
            R"([{"op":"replace","path":"/properties/volumes","value":[]}])"),
       200);
  go_on();
  STRCMP_EQUAL("RUNNING", shown("/properties/status").c_str());
  STRCMP_EQUAL("", shown("/properties/status_message").c_str());
}

TEST(LauncherFollow, what_marathon_refuses_is_told) {
  near.refuse(422);
  launch(kWeb);
  go_on(1);
  STRCMP_EQUAL("FAILED", shown("/properties/status").c_str());
  CHECK(task().result_message.find("422") != std::string::npos);
}

TEST(LauncherFollow, a_provider_that_is_not_the_operators_is_refused) {
  make("mine", "/root/workspaces/$ws/providers",
       R"({"name":"far","resource_type":"Gestalt::Configuration::Provider::CaaS::DCOS",
           "properties":{"config":{}}})");
  launch(R"({"provider":{"id":"$mine"},"image":"nginx"})");
  go_on();
  CHECK_EQUAL(0u, far.count() + near.count());
  CHECK(shown("/properties/status_message").find("root organisation") != std::string::npos);
  make("other", "/root/providers",
       R"({"name":"elsewhere","resource_type":"Gestalt::Configuration::Provider::CaaS::DCOS",
           "properties":{"config":{}}})");
  must(call("admin", "POST /root/containers/$web/migrate?provider=$other"), 202);
  go_on();
  CHECK(shown("/properties/status_message").find("settings.launcher.providers") !=
        std::string::npos);
  must(call("admin", "PATCH /root/containers/$web",
            R"([{"op":"replace","path":"/properties/provider","value":{"name":"far"}}])"),
       200);
  go_on();
  CHECK(shown("/properties/status_message").find("provider.id") != std::string::npos);
}

TEST(LauncherFollow, who_may_not_see_a_provider_cannot_use_it) {
  enter("bob");
  must(call("admin", "POST /root/environments/$env/entitlements",
            R"({"name":"c","properties":{"action":"container.create","identities":["$bob"]}})"),
       201);
  must(call("bob", "POST /root/environments/$env/containers",
            R"({"name":"near","properties":{"provider":{},"image":"nginx"}})"),
       201);
  must(call("bob", "POST /root/environments/$env/containers",
            R"({"name":"far","properties":{"provider":{"id":"$far"},"image":"nginx"}})"),
       403);
}

TEST(LauncherFollow, it_inherits_the_environment_of_where_it_stands) {
  must(call("admin", "PATCH /root/environments/$env",
            R"([{"op":"add","path":"/properties/env","value":{"REGION":"north"}}])"),
       200);
  launch(R"({"provider":{},"image":"nginx","env":{"OWN":"1"}})");
  go_on();
  STRCMP_EQUAL(R"({"OWN":"1","REGION":"north"})", near.app(app_id())["env"].dump().c_str());
}
