// SPDX-License-Identifier: Apache-2.0
// Commands on containers, and waiting for tasks, against a real HTTP server with canned answers.
#include "cli/container_commands.h"

#include <cstdlib>
#include <fstream>

#include "cli/task_wait.h"
#include "tests/support/check_result.h"
#include "tests/unit/cli/command_rig.h"
#include "tests/unit/cli/fake_daemon.h"

namespace {

constexpr const char* kPlace =
    R"({"id":"e","name":"test","resource_type":"Gestalt::Resource::Environment",
        "org":{"properties":{"fqon":"acme"}}})";
constexpr const char* kListed =
    R"([{"id":"w","name":"web","resource_type":"Gestalt::Resource::Container",
         "org":{"properties":{"fqon":"acme"}},"properties":{"num_instances":3,"tasks_running":2,
         "image":"nginx","status":"SCALING","status_message":"why",
         "service_addresses":{"http":{"host":"10.0.0.1","port":10000}}}}])";

std::string task(const std::string& status, const std::string& message) {
  return R"({"uuid":"t","status":")" + status +
         R"(","detail":{"action":{"verb":"scale","message":")" + message +
         R"("},"request_data":{"name":"web"},"result":{"message":")" + message + R"("}}})";
}

}  // namespace

TEST_GROUP_BASE(ContainerCommands, CommandRig) {
  FakeDaemon services{folder / "services.sock"};

  void setup() override {
    ::setenv("XDG_CONFIG_HOME", folder.path().c_str(), 1);
    ::setenv("HOME", folder.path().c_str(), 1);
    services.answer("GET /meta/path/acme/shop/test", kPlace);
  }
  void there(const char* containers) {
    services.answer("GET /meta/acme/environments/e/containers", containers);
  }
  int scale(const std::string& more = "") {
    std::vector<std::string> words = {"container", "scale",     "web",
                                      "5",         "--context", "/acme/shop/test"};
    if (!more.empty()) words.push_back(more);
    return run(words);
  }
};

TEST(ContainerCommands, a_list_says_what_became_of_them) {
  there(kListed);
  LONGS_EQUAL(0, run({"container", "list", "--context", "/acme/shop/test"}));
  for (const char* part : {"web", "SCALING", "2/3", "http 10.0.0.1:10000", "why"})
    STRCMP_CONTAINS(part, out.str().c_str());
}

TEST(ContainerCommands, scale_follows_its_task_to_the_end) {
  there(kListed);
  services.answer("POST /meta/acme/containers/w/scale", task("pending", "waits"), 202);
  services.answer("GET /task/tasks/t", task("running", "2 of 5"));
  services.stream("/task/tasks/t/stream",
                  "event: task\ndata: " + task("completed", "5 of 5") + "\n\n");
  LONGS_EQUAL(0, scale());
  STRCMP_CONTAINS("scaled to 5", out.str().c_str());
  bool asked = false;
  for (const std::string& each : services.asked())
    asked = asked || each.find("/scale?numInstances=5") != std::string::npos;
  CHECK_TRUE(asked);
}

TEST(ContainerCommands, a_task_that_fails_is_told_with_its_reason) {
  there(kListed);
  services.answer("POST /meta/acme/containers/w/scale", task("pending", "waits"), 202);
  services.answer("GET /task/tasks/t", task("halted", "no room"));
  LONGS_EQUAL(static_cast<int>(cli::Status::conflict), scale());
  STRCMP_CONTAINS("no room", err.str().c_str());
}

TEST(ContainerCommands, without_waiting_the_task_is_named) {
  there(kListed);
  services.answer("POST /meta/acme/containers/w/scale", task("pending", "waits"), 202);
  LONGS_EQUAL(0, scale("--no-wait"));
  STRCMP_CONTAINS("task t", out.str().c_str());
}

TEST(ContainerCommands, where_nobody_launches_that_is_said) {
  there(kListed);
  services.answer("POST /meta/acme/containers/w/scale", R"({"id":"w"})", 202);
  LONGS_EQUAL(0, scale());
  STRCMP_CONTAINS("no launcher", out.str().c_str());
}

TEST(ContainerCommands, what_is_not_there_is_named) {
  there("[]");
  there(kListed);
  LONGS_EQUAL(static_cast<int>(cli::Status::not_found), scale());
  services.answer("GET /meta/acme/environments/e/providers", "[]");
  LONGS_EQUAL(static_cast<int>(cli::Status::not_found),
              run({"container", "migrate", "web", "north", "--context", "/acme/shop/test"}));
  STRCMP_CONTAINS("north", err.str().c_str());
}

TEST(ContainerCommands, it_is_promoted_to_the_environment_of_a_place) {
  there(kListed);
  services.answer("GET /meta/path/acme/shop/prod",
                  R"({"id":"p","resource_type":"Gestalt::Resource::Environment",
                      "org":{"properties":{"fqon":"acme"}}})");
  services.answer("POST /meta/acme/containers/w/promote", task("completed", "done"), 202);
  services.answer("GET /task/tasks/t", task("completed", "done"));
  LONGS_EQUAL(
      0, run({"container", "promote", "web", "/acme/shop/prod", "--context", "/acme/shop/test"}));
  bool asked = false;
  for (const std::string& each : services.asked())
    asked = asked || each.find("/promote?target=p") != std::string::npos;
  CHECK_TRUE(asked);
}

TEST(ContainerCommands, apply_waits_when_it_is_asked_to) {
  std::ofstream(folder / "web.yaml") << "kind: containers\nname: web\nproperties:\n  image: i\n";
  there("[]");
  services.answer("POST /meta/acme/environments/e/containers", task("pending", "waits"), 202);
  services.answer("GET /task/tasks/t", task("completed", "done"));
  services.answer("GET /task/tasks/t", task("halted", "no image"));
  const auto apply = [&] {
    return run(
        {"apply", "-f", (folder / "web.yaml").string(), "--wait", "--context", "/acme/shop/test"});
  };
  LONGS_EQUAL(0, apply());
  STRCMP_CONTAINS("'web' created", out.str().c_str());
  CHECK(0 != apply());
  STRCMP_CONTAINS("no image", err.str().c_str());
}
