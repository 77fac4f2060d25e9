// SPDX-License-Identifier: Apache-2.0
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/sys/files.h"
#include "node/agent/api.h"
#include "tests/support/check_result.h"
#include "tests/unit/node/agent/fake_services.h"
#include "tests/unit/node/agent/rig.h"

using agent_test::Agent;
using agent_test::run_until;
using base::Json;
using base::Result;
using node::agent::Api;
using node::agent::Wishes;
using node::api::InstanceId;
using rest::Method;
using rest::Request;
using rest::Response;

TEST_GROUP(Routes) {
  TempFolder folder;
  node::agent::Config config = agent_test::make_config(folder);
  std::unique_ptr<sys::EventLoop> loop = agent_test::make_loop();
  sys::WorkerPool workers{{.threads = 2}};
  agent_test::FakeServices services{*loop};
  agent_test::Peers peers{*loop, workers, folder};
  std::unique_ptr<Agent> agent;
  std::unique_ptr<Api> api;
  rest::RouteTable table;

  void setup() override {
    std::filesystem::create_directories(config.state_folder);
    peers.start();
    agent = std::make_unique<Agent>(*loop, workers, services, peers, config);
    api = std::make_unique<Api>(
        Api::Parts{*loop, agent->supervisor, *agent->images, agent->metrics, config, [] {
                     return Json{{"coordination", true}, {"masterd", true}, {"netfwd", false}};
                   }});
    add_routes(table, *api);
    add_mesos_routes(table, *api);
    start_instance();
  }
  void start_instance() {
    node::api::RunSpec spec;
    spec.app = "/demo/job";
    spec.version = "v1";
    spec.kind = node::api::RunKind::process;
    spec.argv = {"/bin/true"};
    spec.resources.cpus = 0.25;
    Wishes wishes;
    const std::string digest(64, 'a');
    wishes.specs[digest] = std::make_shared<const node::api::RunSpec>(spec);
    wishes.assignments.instances.push_back(
        {InstanceId("a.1"), digest, 1, {agent_test::free_port()}});
    agent->supervisor.set_wishes(std::make_shared<const Wishes>(wishes));
    run_until(*loop, [&] {
      const auto* status = peers.last("a.1");
      return status != nullptr && status->state == node::api::InstanceState::running;
    });
  }
  // Through the table, on another thread where the row says so.
  Result<Response> ask(Method method, const std::string& path, const std::string& body = "",
                       std::vector<std::pair<std::string, std::string>> query = {}) {
    auto match = table.match(method, path);
    if (!match) return match.error();
    Request request;
    request.method = method;
    request.path = path;
    request.body = body;
    request.query = std::move(query);
    for (const auto& [name, value] : match->parameters) request.path_parameters[name] = value;
    if (match->row->run == rest::Run::on_loop) return match->row->handler(request);
    auto answer = std::async(std::launch::async, [&] { return match->row->handler(request); });
    run_until(*loop, [&] {
      return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    });
    return answer.get();
  }
  Json json(Result<Response> response) {
    CHECK_OK(response);
    return UNWRAP(base::parse_json(response->body));
  }
  void write(const std::string& file, const std::string& text) {
    CHECK_OK(sys::write_file_durably(folder / ("state/instances/a.1-1/sandbox/" + file), text));
  }
};

TEST(Routes, the_node_says_what_is_assigned) {
  const Json node = json(ask(Method::get, "/v1/node"));
  STRCMP_EQUAL("n1", node["name"].get<std::string>().c_str());
  DOUBLES_EQUAL(0.25, node["assigned"]["cpus"].get<double>(), 0.001);
  LONGS_EQUAL(1, node["assigned"]["instances"].get<int>());
}

TEST(Routes, health_is_degraded_while_a_daemon_is_away) {
  STRCMP_EQUAL("degraded", api->health()["status"].get<std::string>().c_str());
}

TEST(Routes, instances_are_listed_page_by_page_and_found_by_id) {
  const Json list = json(ask(Method::get, "/v1/instances"));
  LONGS_EQUAL(1, list["instances"].size());
  STRCMP_EQUAL("/demo/job", list["instances"][0]["app"].get<std::string>().c_str());
  const Json behind = json(ask(Method::get, "/v1/instances", "", {{"cursor", "a.1"}}));
  LONGS_EQUAL(0, behind["instances"].size());
  const Json one = json(ask(Method::get, "/v1/instances/a.1"));
  STRCMP_EQUAL("gst-a.1-1.service", one["unit"].get<std::string>().c_str());
  CHECK_ERROR(base::Code::not_found, "instance_unknown", ask(Method::get, "/v1/instances/b"));
}

TEST(Routes, a_kill_stops_the_unit) {
  const auto reply = ask(Method::post, "/v1/instances/a.1/kill");
  CHECK_OK(reply);
  LONGS_EQUAL(202, reply->status);
  run_until(*loop, [&] { return services.has_call("stop gst-a.1-1.service"); });
  CHECK_ERROR(base::Code::not_found, "instance_unknown", ask(Method::post, "/v1/instances/b/kill"));
}

TEST(Routes, a_pull_is_checked_and_becomes_an_operation) {
  CHECK_ERROR(base::Code::invalid_argument, "field_missing",
              ask(Method::post, "/v1/images/pull", "{}"));
  CHECK_ERROR(base::Code::invalid_argument, "field_invalid",
              ask(Method::post, "/v1/images/pull", R"({"reference":"oci:relative"})"));
  CHECK_ERROR(base::Code::invalid_argument, "field_unknown",
              ask(Method::post, "/v1/images/pull", R"({"reference":"oci:/x","y":1})"));
  const Json begun =
      json(ask(Method::post, "/v1/images/pull", R"({"reference":"oci:/nowhere:latest"})"));
  const std::string place = "/v1/operations/" + begun["id"].get<std::string>();
  run_until(*loop, [&] { return json(ask(Method::get, place))["state"] == "failed"; });
  CHECK_ERROR(base::Code::not_found, "operation_unknown", ask(Method::get, "/v1/operations/99"));
}

TEST(Routes, images_that_are_not_there_cannot_be_removed) {
  LONGS_EQUAL(0, json(ask(Method::get, "/v1/images"))["images"].size());
  CHECK_ERROR(base::Code::not_found, "image_unknown", ask(Method::del, "/v1/images/sha256:x"));
  LONGS_EQUAL(0, json(ask(Method::post, "/v1/images/gc"))["removed"].size());
}

TEST(Routes, the_mesos_state_shows_tasks_with_their_sandbox) {
  const Json state = json(ask(Method::get, "/state"));
  const Json executor = state["frameworks"][0]["executors"][0];
  STRCMP_EQUAL("/sandboxes/a.1", executor["directory"].get<std::string>().c_str());
  STRCMP_EQUAL("TASK_RUNNING", executor["tasks"][0]["state"].get<std::string>().c_str());
  STRCMP_EQUAL("job.demo", executor["tasks"][0]["name"].get<std::string>().c_str());
  const Json usage = json(ask(Method::get, "/monitor/statistics"));
  LONGS_EQUAL(1, usage.size());
  STRCMP_EQUAL("a.1", usage[0]["executor_id"].get<std::string>().c_str());
  STRCMP_EQUAL("a.1", usage[0]["source"].get<std::string>().c_str());
  for (const char* name : {"cpus_limit", "cpus_system_time_secs", "cpus_user_time_secs",
                           "mem_limit_bytes", "mem_rss_bytes", "timestamp"}) {
    CHECK_TEXT(usage[0]["statistics"][name].is_number(), name);
  }
  LONGS_EQUAL(1, json(ask(Method::get, "/containers")).size());
  LONGS_EQUAL(1, json(ask(Method::get, "/metrics/snapshot"))["slave/tasks_running"].get<int>());
}

TEST(Routes, statistics_are_told_under_the_own_name_only) {
  LONGS_EQUAL(1, json(ask(Method::get, "/slave/n1/monitor/statistics")).size());
  CHECK_ERROR(base::Code::not_found, "node_unknown",
              ask(Method::get, "/slave/n2/monitor/statistics"));
}

TEST(Routes, files_of_a_sandbox_are_browsed_read_and_downloaded) {
  write("out", "0123456789");
  const Json list = json(ask(Method::get, "/files/browse", "", {{"path", "/sandboxes/a.1"}}));
  STRCMP_EQUAL("/sandboxes/a.1/out", list[0]["path"].get<std::string>().c_str());
  STRCMP_EQUAL("-rw-r--r--", list[0]["mode"].get<std::string>().c_str());
  const Json piece = json(ask(Method::get, "/files/read", "",
                              {{"path", "/sandboxes/a.1/out"}, {"offset", "3"}, {"length", "4"}}));
  STRCMP_EQUAL("3456", piece["data"].get<std::string>().c_str());
  const Json size =
      json(ask(Method::get, "/files/read", "", {{"path", "/sandboxes/a.1/out"}, {"offset", "-1"}}));
  LONGS_EQUAL(10, size["offset"].get<int>());
  const auto whole = ask(Method::get, "/files/download", "", {{"path", "/sandboxes/a.1/out"}});
  CHECK_OK(whole);
  STRCMP_EQUAL("0123456789", whole->body.c_str());
}

TEST(Routes, files_outside_a_sandbox_cannot_be_reached) {
  std::filesystem::create_symlink("/etc/passwd", folder / "state/instances/a.1-1/sandbox/link");
  const struct {
    const char* path;
    base::Code code;
  } cases[] = {
      {"/sandboxes/a.1/link", base::Code::permission_denied},
      {"/sandboxes/a.1/../config.json", base::Code::permission_denied},
      {"/sandboxes/../a.1", base::Code::not_found},
      {"/sandboxes/b/x", base::Code::not_found},
      {"/sandboxes/", base::Code::not_found},
      {"/etc/passwd", base::Code::not_found},
      {"", base::Code::not_found},
      {"/sandboxes/a.1/absent", base::Code::not_found},
      {"/sandboxes/a.1", base::Code::invalid_argument},
  };
  for (const auto& each : cases) {
    CHECK_ERROR(each.code, "", ask(Method::get, "/files/read", "", {{"path", each.path}}));
    CHECK_ERROR(each.code, "", ask(Method::get, "/files/download", "", {{"path", each.path}}));
  }
}
