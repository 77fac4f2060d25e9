// SPDX-License-Identifier: Apache-2.0
// What clients of a Mesos master and of DC/OS' path proxy ask on 5050, over a real service.
#include "common/rest/server.h"
#include "tests/unit/node/master/rig.h"

using base::Json;
using base::Result;
using master_test::Master;
using rest::Method;
using rest::Request;
using rest::Response;

namespace {

// An agent's socket, and behind it the agent of "n1". Its real route is tried in
// tests/unit/node/agent/routes_test.cc.
class FakeAgent {
 public:
  FakeAgent(sys::EventLoop& loop, const TempFolder& folder)
      : tokens_({.file = folder / "tokens.json"}) {
    table_.add(rest::Row{Method::get,
                         "/slave/{id}/monitor/statistics",
                         rest::Scope("node:read"),
                         rest::Run::on_loop,
                         [this](const Request& request) { return answer(request); },
                         "",
                         {}});
    server_ = UNWRAP(rest::Server::make({loop, workers_, tokens_, metrics_}, table_,
                                        {{.unix_path = folder / "agentd.sock"}}));
  }

  const Json statistics = Json::parse(R"([{"executor_id":"g_web.1","source":"g_web.1",
      "statistics":{"cpus_limit":0.5,"cpus_system_time_secs":1.5,"cpus_user_time_secs":2.5,
      "mem_limit_bytes":1024,"mem_rss_bytes":512,"timestamp":1767225600.5}}])");
  bool is_broken = false;

 private:
  Result<Response> answer(const Request& request) const {
    if (request.parameter("id") != "n1")
      return base::Error{base::Code::not_found, "this is n1", "node_unknown"};
    return is_broken ? Response::text("no JSON") : Response::json(statistics);
  }

  sys::WorkerPool workers_{{.threads = 1}};
  rest::Metrics metrics_;
  rest::TokenFile tokens_;
  rest::RouteTable table_;
  std::unique_ptr<rest::Server> server_;
};

}  // namespace

TEST_GROUP(RoutesMesos) {
  TempFolder folder;
  Master master{folder};

  void setup() override { master.add_node("n1"); }
  std::string reason(int status, const std::string& path) {
    return master.json(status, Method::get, path)["type"];
  }
};

TEST(RoutesMesos, an_agents_statistics_are_handed_on_as_they_are) {
  const FakeAgent agent(master.loop(), folder);
  for (const char* path : {"/slave/n1/monitor/statistics", "/slave/n1/monitor/statistics.json"})
    CHECK(master.json(200, Method::get, path) == agent.statistics);
}

TEST(RoutesMesos, figures_of_one_node_are_never_shown_as_anothers) {
  const FakeAgent agent(master.loop(), folder);
  master.add_node("n2");
  STRCMP_EQUAL("/problems/agent_unreachable", reason(503, "/slave/n2/monitor/statistics").c_str());
  STRCMP_EQUAL("/problems/node_unknown", reason(404, "/slave/n3/monitor/statistics").c_str());
}

TEST(RoutesMesos, an_agent_that_is_away_or_answers_nonsense_is_unreachable) {
  STRCMP_EQUAL("/problems/agent_unreachable", reason(503, "/slave/n1/monitor/statistics").c_str());
  FakeAgent agent(master.loop(), folder);
  agent.is_broken = true;
  STRCMP_EQUAL("/problems/agent_unreachable", reason(503, "/slave/n1/monitor/statistics").c_str());
}

TEST(RoutesMesos, the_version_the_leader_and_the_plugins_are_told) {
  const Json version = master.json(200, Method::get, "/version");
  CHECK(version["version"] == "1.11.0");
  for (const char* path : {"/redirect", "/master/redirect"}) {
    Response response = master.ask(Method::get, path);
    LONGS_EQUAL(307, response.status);
    STRCMP_EQUAL("//127.0.0.1:5050", response.headers["Location"].c_str());
    CHECK(response.body.empty());
  }
  const Json plugins = master.json(200, Method::get, "/v2/plugins");
  CHECK(plugins["plugins"].is_array() && plugins["plugins"].empty());
  CHECK(master.json(200, Method::get, "/openapi.json")["paths"].contains("/v2/apps"));
}
