// SPDX-License-Identifier: Apache-2.0
// Whole commands, from the command line to the bytes on a real HTTP server and back.
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/api.h"
#include "cli/app_commands.h"
#include "cli/deployment_watch.h"
#include "cli/follow_commands.h"
#include "cli/status_command.h"
#include "tests/support/check_result.h"
#include "tests/unit/cli/command_rig.h"
#include "tests/unit/cli/fake_daemon.h"

namespace {

constexpr const char* kWeb =
    R"({"app":{"id":"/web","instances":2,"tasksRunning":2,"cpus":0.1,"mem":32.0}})";
constexpr const char* kAttached = "event: event_stream_attached\r\ndata: {}\r\n\r\n";

std::string success(const std::string& id) {
  return "event: deployment_success\r\ndata: {\"eventType\":\"deployment_success\",\"id\":\"" + id +
         "\"}\r\n\r\n";
}

}  // namespace

TEST_GROUP_BASE(Commands, CommandRig) {
  FakeDaemon master{folder / "masterd.sock"};

  void expect_asked(const std::vector<std::string>& wanted) {
    const auto asked = master.asked();
    for (std::size_t i = 0; i < std::max(wanted.size(), asked.size()); ++i) {
      STRCMP_EQUAL(i < wanted.size() ? wanted[i].c_str() : "(nothing)",
                   i < asked.size() ? asked[i].c_str() : "(nothing)");
    }
  }
};

TEST(Commands, list_asks_for_counts_and_prints_a_table) {
  master.answer("GET /v2/apps", R"({"apps":[{"id":"/web","instances":1,"tasksRunning":1}]})");
  LONGS_EQUAL(0, run({"app", "list"}));
  STRCMP_CONTAINS("/web      1/1  running", out.str().c_str());
  expect_asked({"GET /v2/apps?embed=apps.counts&embed=apps.deployments"});
}

TEST(Commands, json_is_the_daemons_own_answer) {
  master.answer("GET /v2/apps", R"({"apps":[],"extra":{"a":1}})");
  LONGS_EQUAL(0, run({"app", "list", "--json"}));
  LONGS_EQUAL(1, base::Json::parse(out.str())["extra"]["a"].get<int>());
}

TEST(Commands, run_creates_the_app_and_waits_for_its_deployment) {
  master.answer("POST /v2/apps", R"({"id":"/web","deployments":[{"id":"d-1"}]})", 201);
  master.answer("GET /v2/deployments", R"([{"id":"d-1"}])");
  master.answer("GET /v2/apps/web", kWeb);
  master.stream("/v2/events", kAttached + success("d-0") + success("d-1"), FakeDaemon::AtEnd::hold);
  LONGS_EQUAL(0, run({"app", "run", "--id", "web", "--image", "docker://web:1"}));
  STRCMP_EQUAL("/web: runs\n", out.str().c_str());
  STRCMP_CONTAINS("/web: 2 of 2 running\n", err.str().c_str());
  STRCMP_EQUAL(
      "POST /v2/apps "
      R"({"container":{"docker":{"image":"docker://web:1"},"type":"DOCKER"},"id":"web"})",
      master.asked().at(0).c_str());
}

TEST(Commands, a_deployment_that_ended_before_the_stream_was_open_is_seen_in_the_list) {
  master.answer("PUT /v2/apps/web", R"({"version":"v","deploymentId":"d-1"})");
  master.answer("GET /v2/deployments", "[]");
  master.answer("GET /v2/apps/web", kWeb);
  master.stream("/v2/events", kAttached, FakeDaemon::AtEnd::hold);
  LONGS_EQUAL(0, run({"app", "scale", "/web", "2"}));
  STRCMP_EQUAL("/web: has 2 instances\n", out.str().c_str());
  STRCMP_EQUAL("PUT /v2/apps/web {\"instances\":2}", master.asked().at(0).c_str());
}

TEST(Commands, a_failed_deployment_fails_the_command_and_says_why) {
  master.answer("POST /v2/apps/web/restart", R"({"version":"v","deploymentId":"d-1"})");
  master.answer("GET /v2/deployments", R"([{"id":"d-1"}])");
  master.answer("GET /v2/apps/web", kWeb);
  master.stream("/v2/events",
                std::string(kAttached) +
                    "event: status_update_event\r\ndata: "
                    R"({"eventType":"status_update_event","appId":"/web","taskId":"t1",)"
                    R"("taskStatus":"TASK_FAILED","message":"exit status 3"})"
                    "\r\n\r\nevent: deployment_failed\r\ndata: {\"id\":\"d-1\"}\r\n\r\n");
  LONGS_EQUAL(6, run({"app", "restart", "web"}));
  STRCMP_CONTAINS("the deployment of /web failed: t1: exit status 3 [deployment_failed]",
                  err.str().c_str());
}

TEST(Commands, a_stream_that_breaks_is_opened_again) {
  master.answer("PUT /v2/apps/web", R"({"deploymentId":"d-1"})");
  master.answer("GET /v2/deployments", R"([{"id":"d-1"}])");
  master.answer("GET /v2/apps/web", kWeb);
  master.stream("/v2/events", kAttached);
  master.stream("/v2/events", kAttached + success("d-1"));
  LONGS_EQUAL(0, run({"app", "scale", "web", "2"}));
}

TEST(Commands, a_daemon_without_events_does_not_make_the_command_spin) {
  master.answer("PUT /v2/apps/web", R"({"deploymentId":"d-1"})");
  master.answer("GET /v2/deployments", R"([{"id":"d-1"}])");
  master.answer("GET /v2/apps/web", kWeb);
  master.stream("/v2/events", "");
  LONGS_EQUAL(4, run({"app", "scale", "web", "2"}));
  STRCMP_CONTAINS("event_stream_broken", err.str().c_str());
}

TEST(Commands, a_wait_has_an_end) {
  master.answer("PUT /v2/apps/web", R"({"deploymentId":"d-1"})");
  master.answer("GET /v2/deployments", R"([{"id":"d-1"}])");
  master.answer("GET /v2/apps/web", kWeb);
  master.stream("/v2/events", kAttached, FakeDaemon::AtEnd::hold);
  master.answer("GET /v2/queue", R"({"queue":[{"app":{"id":"/web"},"processedOffersSummary":
    {"rejectSummaryLastOffers":[{"reason":"InsufficientCpus","declined":1}]}}]})");
  LONGS_EQUAL(7, run({"app", "scale", "web", "2", "--timeout", "1"}));
  STRCMP_CONTAINS("has not ended after 1s; no node takes it: InsufficientCpus (1 node)",
                  err.str().c_str());
  STRCMP_CONTAINS("fix: it goes on: see gestalt deployment list", err.str().c_str());
}

TEST(Commands, without_waiting_the_deployment_is_named) {
  master.answer("DELETE /v2/apps/web", R"({"deploymentId":"d-9"})");
  LONGS_EQUAL(0, run({"app", "rm", "web", "--no-wait", "--force"}));
  STRCMP_EQUAL("/web: deployment d-9 is under way\n", out.str().c_str());
  expect_asked({"DELETE /v2/apps/web?force=true"});
}

TEST(Commands, a_removal_ends_when_the_app_is_gone) {
  master.answer("DELETE /v2/apps/demo/web", R"({"deploymentId":"d-9"})");
  master.answer("GET /v2/deployments", "[]");
  master.stream("/v2/events", kAttached);
  LONGS_EQUAL(0, run({"app", "rm", "/demo/web"}));
  STRCMP_EQUAL("/demo/web: removed\n", out.str().c_str());
}

TEST(Commands, an_app_that_exists_is_a_conflict_with_advice) {
  master.answer("POST /v2/apps", R"({"message":"An app with id [/web] already exists."})", 409);
  LONGS_EQUAL(6, run({"app", "run", "--id", "/web", "--image", "x"}));
  STRCMP_CONTAINS("gestalt app run --update", err.str().c_str());
}

TEST(Commands, update_puts_the_file_with_the_options_over_it) {
  std::ofstream(folder / "web.json")
      << "{\"id\": \"/web\", \"cmd\": \"x\", // a comment\n\"mem\": 8}";
  master.answer("PUT /v2/apps/web", R"({"deploymentId":""})");
  LONGS_EQUAL(0, run({"app", "run", (folder / "web.json").string(), "--update", "--mem", "16"}));
  expect_asked({R"(PUT /v2/apps/web {"cmd":"x","id":"/web","mem":16.0})"});
  STRCMP_EQUAL("/web: nothing to do\n", out.str().c_str());
}

TEST(Commands, a_definition_that_masterd_refuses_is_told_field_by_field) {
  master.answer(
      "POST /v2/apps",
      R"({"message":"Object is not valid","details":[{"path":"/cpus","errors":["must be >= 0"]}]})",
      422);
  LONGS_EQUAL(1, run({"app", "run", "--id", "/web", "--image", "x", "--cpus", "-1"}));
  STRCMP_CONTAINS("Object is not valid; /cpus: must be >= 0", err.str().c_str());
}

TEST(Commands, an_app_that_is_locked_names_the_deployment) {
  master.answer(
      "PUT /v2/apps/web",
      R"({"message":"App is locked by one or more deployments.","deployments":[{"id":"d-7"}]})",
      409);
  LONGS_EQUAL(6, run({"app", "scale", "web", "1"}));
  STRCMP_CONTAINS("locked by one or more deployments. (deployment d-7)", err.str().c_str());
}

TEST(Commands, an_unknown_app_is_status_3) {
  master.answer("GET /v2/apps/none", R"({"message":"App '/none' does not exist"})", 404);
  LONGS_EQUAL(3, run({"app", "show", "/none"}));
  STRCMP_CONTAINS("App '/none' does not exist", err.str().c_str());
}

TEST(Commands, kill_says_how_many_are_replaced) {
  master.answer("DELETE /v2/apps/web/tasks", R"({"tasks":[{"id":"a"},{"id":"b"}]})");
  LONGS_EQUAL(0, run({"app", "kill", "web"}));
  STRCMP_EQUAL("/web: 2 instances are being killed and replaced\n", out.str().c_str());
  master.answer("DELETE /v2/apps/web/tasks/a b", R"({"task":{"id":"a b"}})");
  LONGS_EQUAL(0, run({"app", "kill", "web", "--instance", "a b"}));
  STRCMP_EQUAL("/web: 1 instance is being killed and replaced\n", out.str().c_str());
}

TEST(Commands, deployments_are_listed_shown_and_taken_back) {
  master.answer("GET /v2/deployments",
                R"([{"id":"d-1","currentStep":1,"totalSteps":1,"affectedApps":["/web"]}])");
  LONGS_EQUAL(0, run({"deployment", "list"}));
  STRCMP_CONTAINS("d-1   1/1  /web", out.str().c_str());
  LONGS_EQUAL(0, run({"deployment", "show", "d-1"}));
  LONGS_EQUAL(3, run({"deployment", "show", "d-2"}));
  master.answer("DELETE /v2/deployments/d-1", R"({"deploymentId":"d-2"})");
  LONGS_EQUAL(0, run({"deployment", "rollback", "d-1"}));
  STRCMP_EQUAL("deployment d-2 takes d-1 back\n", out.str().c_str());
}

TEST(Commands, events_are_printed_until_the_stream_ends) {
  master.stream("/v2/events", success("d-1"));
  LONGS_EQUAL(0, run({"events", "--type", "deployment_success"}));
  STRCMP_CONTAINS("deployment_success", out.str().c_str());
  expect_asked({"GET /v2/events?plan-format=light&event_type=deployment_success"});
  LONGS_EQUAL(0, run({"--json", "events"}));
  STRCMP_EQUAL("{\"eventType\":\"deployment_success\",\"id\":\"d-1\"}\n", out.str().c_str());
}

TEST(Commands, status_tells_which_daemon_is_down_and_what_runs) {
  master.answer("GET /health", R"({"status":"ok"})");
  master.answer("GET /v2/apps", R"({"apps":[{"id":"/web","instances":2,"tasksRunning":1}]})");
  FakeDaemon agent(folder / "agentd.sock");
  agent.answer("GET /health",
               R"({"status":"degraded","connected":{"masterd":true,"netfwd":false}})");
  FakeDaemon storage(folder / "dfs-storage.sock");
  storage.answer("GET /health", R"({"status":"degraded","reasons":["the device is full"]})");
  FakeDaemon services(folder / "services.sock");
  services.answer("GET /health", R"({"status":"ok","services":{"audit":{"status":"ok"}}})");
  LONGS_EQUAL(1, run({"status"}));
  const std::string run_folder = folder.path().string();
  const std::string expected =
      "DAEMON       STATE     DETAIL\n"
      "masterd      ok        -\n"
      "agentd       degraded  not connected to netfwd\n"
      "netfwd       down      does not answer on unix:" +
      run_folder +
      "/netfwd.sock\n"
      "dfs-meta     down      does not answer on unix:" +
      run_folder +
      "/dfs-meta.sock\n"
      "dfs-storage  degraded  the device is full\n"
      "services     ok        -\n"
      "fix agentd: journalctl -u gestalt-agentd says more\n"
      "fix netfwd: systemctl restart gestalt-netfwd; why it ended: journalctl -u gestalt-netfwd\n"
      "fix dfs-meta: systemctl restart gestalt-dfs-meta; why it ended: journalctl -u "
      "gestalt-dfs-meta\n"
      "fix dfs-storage: journalctl -u gestalt-dfs-storage says more\n"
      "\n"
      "applications: 1, instances: 1 of 2 running\n";
  STRCMP_EQUAL(expected.c_str(), out.str().c_str());
}

TEST(Commands, status_tells_why_a_daemon_is_not_well) {
  master.answer("GET /health",
                R"({"status":"degraded","coordination":"writes fail",
                    "unreadable_apps":[{"app":"/web","problem":"damaged"}]})");
  FakeDaemon services(folder / "services.sock");
  services.answer("GET /health",
                  R"({"status":"degraded","services":{"audit":{"status":"ok"},
                      "event":{"status":"degraded","engine":"kafka"},
                      "task":{"status":"degraded","problems":["no worker"]}}})");
  LONGS_EQUAL(1, run({"--json", "status"}));
  const base::Json told = base::Json::parse(out.str())["daemons"];
  STRCMP_EQUAL("coordination: writes fail; /web: damaged",
               told[0]["detail"].get<std::string>().c_str());
  STRCMP_EQUAL("services", told[5]["name"].get<std::string>().c_str());
  STRCMP_EQUAL("event: degraded; task: no worker", told[5]["detail"].get<std::string>().c_str());
  STRCMP_EQUAL("down", told[1]["status"].get<std::string>().c_str());
  STRCMP_EQUAL("systemctl restart gestalt-agentd; why it ended: journalctl -u gestalt-agentd",
               told[1]["fix"].get<std::string>().c_str());
}

TEST(Commands, status_is_ok_when_all_is_well) {
  std::vector<std::unique_ptr<FakeDaemon>> daemons;
  for (const char* name : {"agentd", "netfwd", "dfs-meta", "dfs-storage", "services"}) {
    daemons.push_back(std::make_unique<FakeDaemon>(folder / (std::string(name) + ".sock")));
    daemons.back()->answer("GET /health", R"({"status":"ok"})");
  }
  master.answer("GET /health", R"({"status":"ok"})");
  master.answer("GET /v2/apps", R"({"apps":[]})");
  LONGS_EQUAL(0, run({"--json", "status"}));
  const base::Json told = base::Json::parse(out.str());
  LONGS_EQUAL(6, told["daemons"].size());
  LONGS_EQUAL(0, told["applications"]["apps"].get<int>());
  LONGS_EQUAL(0, run({"status"}));
  CHECK_TRUE(out.str().find("fix") == std::string::npos);
}

TEST(Commands, wrong_usage_is_status_2) {
  LONGS_EQUAL(2, run({}));
  LONGS_EQUAL(2, run({"app"}));
  LONGS_EQUAL(2, run({"ap", "list"}));
  LONGS_EQUAL(2, run({"app", "scale", "web", "-1"}));
  LONGS_EQUAL(2, run({"app", "run", "--id", "/web"}));
  LONGS_EQUAL(2, run({"app", "run", "--id", "/web", "--image", "x", "--port", "99999"}));
  LONGS_EQUAL(2, run({"node", "preflight", "--role", "king"}));
  LONGS_EQUAL(2, run({"node", "preflight", "--only", "cpu.coers"}));
  LONGS_EQUAL(0, master.asked().size());
}

TEST(Commands, the_help_of_every_command_has_an_example_and_the_exit_statuses) {
  const std::vector<std::vector<std::string>> commands = {{"status"},
                                                          {"events"},
                                                          {"app", "run"},
                                                          {"app", "list"},
                                                          {"app", "show"},
                                                          {"app", "scale"},
                                                          {"app", "restart"},
                                                          {"app", "kill"},
                                                          {"app", "rm"},
                                                          {"app", "logs"},
                                                          {"deployment", "list"},
                                                          {"deployment", "show"},
                                                          {"fw", "show"},
                                                          {"fw", "plan"},
                                                          {"fw", "apply"},
                                                          {"fw", "confirm"},
                                                          {"fw", "rollback"},
                                                          {"lb", "show"},
                                                          {"node", "show"},
                                                          {"node", "preflight"},
                                                          {"node", "init"},
                                                          {"deployment", "rollback"}};
  for (std::vector<std::string> words : commands) {
    std::string line = "gestalt";
    for (const std::string& word : words) line += " " + word;
    words.push_back("--help");
    out.str("");
    LONGS_EQUAL(0, run(words));
    CHECK_TEXT(out.str().find("Example:\n  " + line) != std::string::npos, line.c_str());
    CHECK_TEXT(out.str().find("Exit status: 0 done") != std::string::npos, line.c_str());
  }
  out.str("");
  LONGS_EQUAL(0, run({"--help"}));
  STRCMP_CONTAINS("Exit status: 0 done", out.str().c_str());
}

TEST(Commands, help_and_version_are_status_0) {
  LONGS_EQUAL(0, run({"--help"}));
  STRCMP_CONTAINS("Applications", out.str().c_str());
  LONGS_EQUAL(0, run({"app", "run", "--help"}));
  LONGS_EQUAL(0, run({"--version"}));
}

TEST(Commands, a_masterd_that_is_down_is_status_4) {
  const char* argv[] = {"gestalt", "--run-folder", "/nonexistent", "app", "list"};
  LONGS_EQUAL(4, cli::run_command_line(5, argv, out, err));
  STRCMP_CONTAINS("fix: systemctl status gestalt-masterd", err.str().c_str());
}

TEST(Commands, preflight_reports_a_fake_machine) {
  std::filesystem::create_directories(folder / "machine/proc/self");
  std::ofstream(folder / "machine/proc/self/status") << "Cpus_allowed_list:\t0-1\n";
  const std::string tree = (folder / "machine").string();
  LONGS_EQUAL(1, run({"node", "preflight", "--sysroot", tree, "--only", "cpu.cores"}));
  STRCMP_EQUAL(
      "FAIL     cpu.cores  2 cores; needed: 4 cores\n"
      "                    fix: give the machine at least 4 processors\n"
      "as infra: 1 failed, 0 warnings, 0 passed\n",
      out.str().c_str());
  LONGS_EQUAL(3, run({"node", "preflight", "--sysroot", tree, "--only", "cpu.cores", "--role",
                      "appliance", "--strict"}));
  LONGS_EQUAL(0, run({"node", "preflight", "--sysroot", tree, "--only", "cpu.cores", "--waive",
                      "cpu.cores=test bed"}));
  LONGS_EQUAL(4, run({"node", "preflight", "--sysroot", "/nonexistent"}));
}

TEST(Commands, logs_of_several_instances_carry_their_short_names) {
  FakeDaemon agent(folder / "agentd.sock");
  agent.answer("GET /v1/instances",
               R"({"instances":[{"id":"web.instance-aaaaaaaa-1._app.1","app":"/web"},
                  {"id":"web.instance-bbbbbbbb-2._app.1","app":"/web"},{"id":"x","app":"/db"}]})");
  agent.answer("GET /v1/instances/web.instance-aaaaaaaa-1._app.1/logs",
               "one\ntwo\x1b[31m\tthree\n");
  agent.answer("GET /v1/instances/web.instance-bbbbbbbb-2._app.1/logs", "no end of line");
  LONGS_EQUAL(0, run({"app", "logs", "web", "-n", "5"}));
  STRCMP_EQUAL("aaaaaaaa  one\naaaaaaaa  two?[31m\tthree\nbbbbbbbb  no end of line\n",
               out.str().c_str());
  STRCMP_EQUAL("GET /v1/instances/web.instance-aaaaaaaa-1._app.1/logs?last=5",
               agent.asked().at(1).c_str());
}

TEST(Commands, logs_of_other_nodes_are_asked_for_with_a_token) {
  FakeDaemon agent(folder / "agentd.sock");
  FakeDaemon other(folder / "other.sock");
  agent.answer("GET /v1/instances",
               R"({"instances":[{"id":"web.instance-aaaaaaaa-1","app":"/web"}]})");
  agent.answer("GET /v1/instances/web.instance-aaaaaaaa-1/logs", "here\n");
  master.answer("GET /v2/apps/web",
                R"({"app":{"tasks":[{"id":"web.instance-aaaaaaaa-1","host":"n1"},
                                      {"id":"web.instance-bbbbbbbb-2","host":"other"}]}})");
  other.answer("GET /v1/instances/web.instance-bbbbbbbb-2/logs", "there\n");
  LONGS_EQUAL(0, run({"app", "logs", "web"}));
  STRCMP_EQUAL("here\n", out.str().c_str());
  STRCMP_CONTAINS("1 instances on other nodes are not shown: give --token-file", err.str().c_str());
  const std::string agents = "unix:" + (folder / "{host}.sock").string();
  LONGS_EQUAL(0, run({"--token", "t", "app", "logs", "web", "--agents", agents}));
  STRCMP_CONTAINS("aaaaaaaa  here\nbbbbbbbb  there\n", out.str().c_str());
  STRCMP_EQUAL("GET /v1/instances/web.instance-bbbbbbbb-2/logs?last=100",
               other.asked().at(0).c_str());
  LONGS_EQUAL(0, run({"--token", "t", "app", "logs", "web", "--agents", agents, "--instance",
                      "web.instance-bbbbbbbb-2"}));
  LONGS_EQUAL(2, other.asked().size());
}

TEST(Commands, a_node_that_does_not_answer_does_not_hide_the_logs_of_others) {
  FakeDaemon agent(folder / "agentd.sock");
  agent.answer("GET /v1/instances", R"({"instances":[{"id":"web.instance-a","app":"/web"}]})");
  agent.answer("GET /v1/instances/web.instance-a/logs", "here\n");
  master.answer("GET /v2/apps/web", R"({"app":{"tasks":[{"id":"web.instance-b","host":"gone"}]}})");
  const std::string agents = "unix:" + (folder / "{host}.sock").string();
  LONGS_EQUAL(4, run({"--token", "t", "app", "logs", "web", "--agents", agents}));
  STRCMP_CONTAINS("here\n", out.str().c_str());
}

TEST(Commands, logs_are_followed_until_the_stream_ends) {
  FakeDaemon agent(folder / "agentd.sock");
  agent.answer(
      "GET /v1/instances",
      R"({"instances":[{"id":"a.instance-1","app":"/web"},{"id":"a.instance-2","app":"/web"}]})");
  agent.stream("/v1/instances/a.instance-1/logs", "one\n");
  agent.stream("/v1/instances/a.instance-2/logs", "two\n");
  LONGS_EQUAL(0, run({"app", "logs", "/web", "-f"}));
  STRCMP_CONTAINS("1  one\n", out.str().c_str());
  STRCMP_CONTAINS("2  two\n", out.str().c_str());
}

TEST(Commands, logs_of_an_app_without_instances_here_are_status_3) {
  FakeDaemon agent(folder / "agentd.sock");
  agent.answer("GET /v1/instances", R"({"instances":[]})");
  LONGS_EQUAL(3, run({"app", "logs", "web"}));
  STRCMP_CONTAINS("gestalt app show /web", err.str().c_str());
}

TEST(Commands, firewall_balancer_and_node_are_shown) {
  FakeDaemon netfw(folder / "netfwd.sock");
  FakeDaemon agent(folder / "agentd.sock");
  netfw.answer("GET /v1/firewall", R"({"backend":"iptables","applied":true})");
  netfw.answer("GET /v1/services", R"({"services":[]})");
  netfw.answer("GET /v1/instances", R"({"instances":[]})");
  agent.answer("GET /v1/node", R"({"name":"n1","address":"10.0.0.2"})");
  LONGS_EQUAL(0, run({"fw", "show"}));
  STRCMP_CONTAINS("backend iptables, applied", out.str().c_str());
  netfw.answer("POST /v1/plan",
               R"({"forward":true,"sets":{"public-tcp":{"added":[8443],"removed":[443,80]}}})");
  std::ofstream(folder / "policy.json") << R"({"public_tcp":[8443]})";
  LONGS_EQUAL(0, run({"fw", "plan", (folder / "policy.json").string()}));
  STRCMP_EQUAL("- public-tcp 443\n- public-tcp 80\n+ public-tcp 8443\n+ forward\n",
               out.str().c_str());
  LONGS_EQUAL(0, run({"lb", "show"}));
  STRCMP_EQUAL("no services\n", out.str().c_str());
  LONGS_EQUAL(0, run({"node", "show"}));
  STRCMP_CONTAINS("address    10.0.0.2", out.str().c_str());
}
