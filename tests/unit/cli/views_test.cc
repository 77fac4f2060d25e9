// SPDX-License-Identifier: Apache-2.0
#include "cli/views.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

namespace {

using base::Json;

// 2026-01-31T08:00:00Z
base::WallTime noon() { return base::WallTime(std::chrono::milliseconds(1769846400000)); }

Json web_app() {
  return Json::parse(R"({"id":"/web","instances":3,"cpus":0.5,"mem":64.0,"tasksRunning":2,
    "tasksHealthy":1,"tasksUnhealthy":0,"tasksStaged":1,"labels":{"HAPROXY_0_VHOST":"web.demo"},
    "healthChecks":[{"protocol":"MESOS_HTTP"}],"deployments":[],
    "container":{"docker":{"image":"docker://web:1"}},"portDefinitions":[{"port":10001}],
    "version":"2026-01-31T07:00:00.000Z",
    "lastTaskFailure":{"state":"TASK_FAILED","message":"exit status 1","timestamp":"2026-01-31T07:30:00.000Z"},
    "tasks":[{"id":"web.instance-1._app.1","state":"TASK_RUNNING","startedAt":"2026-01-31T07:58:30.500Z",
      "host":"n1","ports":[3001,3002],"healthCheckResults":[{"alive":true}]},
     {"id":"web.instance-2._app.1","state":"TASK_STAGING","stagedAt":"2026-01-31T07:59:59.000Z",
      "host":"n2","ports":[3001]},
     {"id":"web.instance-3._app.1","state":"TASK_RUNNING","startedAt":"broken","host":"n3",
      "ports":[],"healthCheckResults":[{"alive":true},{"alive":false}]}]})");
}

}  // namespace

TEST_GROUP(Views){};

TEST(Views, applications_are_listed_with_what_is_missing) {
  Json second = {{"id", "/batch"}, {"instances", 0}, {"cmd", "true"}};
  Json third = web_app();
  third["id"] = "/ok";
  third["tasksRunning"] = 3;
  third["tasksHealthy"] = 3;
  STRCMP_EQUAL(
      "ID      RUNNING  STATE       CPUS  MEM  VHOST     IMAGE\n"
      "/web        2/3  short of 1   0.5  64M  web.demo  docker://web:1\n"
      "/batch      0/0  suspended      0   0M  -         true\n"
      "/ok         3/3  healthy      0.5  64M  web.demo  docker://web:1\n",
      cli::render_apps({{"apps", {web_app(), second, third}}}, {}).c_str());
}

TEST(Views, a_deployment_and_unhealthy_instances_show_in_the_list) {
  Json app = web_app();
  app["tasksUnhealthy"] = 2;
  STRCMP_CONTAINS("2 unhealthy", cli::render_apps({{"apps", {app}}}, {}).c_str());
  app["deployments"] = Json::array({{{"id", "d1"}}});
  STRCMP_CONTAINS("deploying", cli::render_apps({{"apps", {app}}}, {}).c_str());
}

TEST(Views, an_empty_list_says_how_to_begin) {
  STRCMP_CONTAINS("gestalt app run", cli::render_apps(Json::parse(R"({"apps":[]})"), {}).c_str());
  STRCMP_CONTAINS("no applications", cli::render_apps(Json(), {}).c_str());
}

TEST(Views, an_application_is_shown_with_its_instances_and_last_failure) {
  STRCMP_EQUAL(
      "id            /web\n"
      "state         2 of 3 running, 1 healthy, 1 starting\n"
      "image         docker://web:1\n"
      "resources     0.5 cpus, 64 MiB\n"
      "vhost         web.demo\n"
      "ports         10001\n"
      "version       2026-01-31T07:00:00.000Z\n"
      "last failure  failed: exit status 1 (2026-01-31T07:30:00.000Z)\n"
      "\n"
      "INSTANCE               STATE    HEALTH      AGE  HOST  PORTS\n"
      "web.instance-1._app.1  running  ok       1m 29s  n1    3001,3002\n"
      "web.instance-2._app.1  staging  -            1s  n2    3001\n"
      "web.instance-3._app.1  running  failing       -  n3    -\n",
      cli::render_app(web_app(), noon(), {}).c_str());
}

TEST(Views, limits_that_are_not_effective_are_told) {
  const Json tasks = Json::parse(R"([{"id":"a","degraded":["disk_limit_not_effective"]},{"id":"b"},
      {"id":"c","degraded":["cpu_limit_not_effective","disk_limit_not_effective"]}])");
  const std::string text = cli::render_tasks(tasks, noon(), {});
  STRCMP_CONTAINS(
      "degraded: cpu limit not effective (1 instance)\n"
      "degraded: disk limit not effective (2 instances)\n",
      text.c_str());
}

TEST(Views, an_answer_of_another_shape_is_shown_with_dashes_not_with_a_crash) {
  for (const char* text : {"null", "7", "[]", "{}", R"({"apps":7})", R"({"apps":[7,null]})",
                           R"({"apps":[{"id":{},"instances":"x","deployments":{}}]})"}) {
    const Json odd = Json::parse(text);
    CHECK(!cli::render_apps(odd, {}).empty());
    CHECK(!cli::render_app(odd, noon(), {}).empty());
    CHECK(!cli::render_deployments(odd, {}).empty());
    CHECK(!cli::render_deployment(odd, {}).empty());
    CHECK(!cli::progress_line(odd).empty());
  }
}

TEST(Views, deployments_show_step_and_action) {
  const Json list = Json::parse(R"([{"id":"d-1","currentStep":1,"totalSteps":2,
    "affectedApps":["/web","/db"],"version":"v",
    "currentActions":[{"action":"ScaleApplication","app":"/web"}]}])");
  STRCMP_EQUAL(
      "ID   STEP  APPS      ACTION            VERSION\n"
      "d-1   1/2  /web,/db  ScaleApplication  v\n",
      cli::render_deployments(list, {}).c_str());
  STRCMP_EQUAL(
      "id            d-1\nversion       v\nstep          1 of 2\n\n"
      "ACTION            APP\nScaleApplication  /web\n",
      cli::render_deployment(list[0], {}).c_str());
  STRCMP_EQUAL("no deployments under way\n", cli::render_deployments(Json::array(), {}).c_str());
}

TEST(Views, ages_count_from_marathons_times) {
  DOUBLES_EQUAL(90.5, cli::age_seconds("2026-01-31T07:58:29.500Z", noon()), 0.001);
  DOUBLES_EQUAL(0, cli::age_seconds("2026-01-31T09:00:00.000Z", noon()),
                0);  // a clock ahead of ours
  CHECK(cli::age_seconds("yesterday", noon()) < 0);
  CHECK(cli::age_seconds("", noon()) < 0);
}

TEST(Views, the_queue_says_why_nothing_is_placed) {
  const Json queue = Json::parse(R"({"queue":[
    {"app":{"id":"/web"},"delay":{"timeLeftSeconds":0},"processedOffersSummary":{"rejectSummaryLastOffers":[
      {"reason":"InsufficientMemory","declined":2},{"reason":"UnfulfilledRole","declined":0},
      {"reason":"InsufficientCpus","declined":1}]}},
    {"app":{"id":"/bad"},"delay":{"timeLeftSeconds":72}}]})");
  STRCMP_EQUAL("no node takes it: InsufficientMemory (2 nodes), InsufficientCpus (1 node)",
               cli::waiting_reason(queue, "/web").c_str());
  STRCMP_EQUAL("waits 1m 12s after failures", cli::waiting_reason(queue, "/bad").c_str());
  STRCMP_EQUAL("", cli::waiting_reason(queue, "/other").c_str());
  STRCMP_EQUAL("", cli::waiting_reason(Json(), "/web").c_str());
}
