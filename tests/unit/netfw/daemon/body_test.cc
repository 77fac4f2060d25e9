// SPDX-License-Identifier: Apache-2.0
// The daemon as it is installed, with a HAProxy that it runs itself, over its socket.
#include "netfw/daemon/body.h"

#include <CppUTest/TestHarness.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/rest/client.h"
#include "netfw/daemon/child.h"
#include "netfw/daemon/routes.h"
#include "netfw/haproxy/cli.h"
#include "tests/support/check_result.h"
#include "tests/support/sanitizers.h"
#include "tests/unit/netfw/haproxy_fixture.h"
#include "tests/unit/netfw/netns.h"

using namespace netfw;
using namespace netfw_test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kRssKibMax = 32 * 1024;

std::size_t rss_kib(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

base::Json instance(std::uint16_t port, const std::string& state) {
  return {{"service", "/demo/web"},
          {"node", "n1"},
          {"address", "127.0.0.1"},
          {"ports", {port}},
          {"state", state}};
}

double median_ms(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace

// clang-format off
TEST_GROUP(Netfwd) {
  OwnNetwork network;
  TempFolder folder;
  pid_t pid = -1;
  std::unique_ptr<rest::Client> client;

  void setup() override {
    const base::Json config = {
        {"listen", {{{"unix", (folder.path() / "netfwd.sock").string()}}}},
        {"state_folder", (folder.path() / "state").string()},
        {"tokens_file", (folder.path() / "tokens.json").string()},
        {"firewall", {{"helper", NETFW_IPTC_HELPER},
                      {"lock_file", (folder.path() / "xtables.lock").string()}}},
        // The second address is on no interface.
        {"dns", {{"listen", {"127.0.0.1", "10.99.0.1"}}}},
        {"haproxy", {{"mode", "child"}, {"run_folder", (folder.path() / "run").string()},
                     {"connections_max", 500}, {"user", ""}, {"range_last", 10009}}}};
    std::ofstream(folder.path() / "netfwd.json") << config.dump();
    client = std::make_unique<rest::Client>(
        rest::Endpoint{.url = "unix:" + (folder.path() / "netfwd.sock").string()});
    start();
    CHECK_TRUE(eventually([&] { return in_step(); }));
    CHECK_OK(client->put("/v1/services", base::Json::parse(R"({"generation":1,"services":[
      {"id":"/demo/web","labels":{"HAPROXY_GROUP":"external","HAPROXY_0_VHOST":"web.demo"},
       "ports":[{"index":0,"service_port":10001,"protocol":"tcp"}]}]})")));
  }
  void teardown() override {
    int status = 0;
    if (pid > 0) {  // setup may have failed before
      kill(pid, SIGTERM);
      waitpid(pid, &status, 0);
    }
    end_haproxy();
    CHECK_EQUAL(0, status);
  }
  void start() {
    const std::string config = (folder.path() / "netfwd.json").string();
    std::vector<std::string> words = {NETFWD, "--config", config};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string log = (folder.path() / "netfwd.log").string();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    CHECK_EQUAL(0, posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ));
    posix_spawn_file_actions_destroy(&actions);
  }
  bool in_step() {
    const auto status = client->get("/v1/status");
    return status && (*status)["haproxy"]["connected"].get<bool>();
  }
  // HAProxy outlives its parent on purpose.
  void end_haproxy() {
    for (const long haproxy : haproxies()) kill(static_cast<pid_t>(haproxy), SIGKILL);
  }
  std::vector<long> haproxies() {
    std::vector<long> out;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const auto number = base::parse_int(entry.path().filename().string(), 1, INT32_MAX);
      std::ifstream file(entry.path() / "cmdline");
      const std::string line((std::istreambuf_iterator<char>(file)), {});
      const bool ours = line.find((folder.path() / "state").string()) != std::string::npos;
      if (number && ours && line.find("haproxy") != std::string::npos) out.push_back(*number);
    }
    return out;
  }
  double timed_ms(const std::function<void()>& work) {
    const auto start_time = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_time)
        .count();
  }
};
// clang-format on

TEST(Netfwd, it_serves_what_agents_and_master_tell_it_and_stays_small) {
  const EchoServer server(3001, "one");
  std::vector<double> in;
  std::vector<double> out;
  for (int round = 0; round < 20; ++round) {
    in.push_back(timed_ms([&] {
      CHECK_OK(client->put("/v1/instances/i1", instance(3001, "healthy")));
      STRCMP_EQUAL("one", http_get(10001, "x", "/").body.c_str());
    }));
    out.push_back(timed_ms([&] {
      CHECK_OK(client->del("/v1/instances/i1"));
      CHECK_EQUAL(503, http_get(80, "web.demo", "/").status);
    }));
  }
  UT_PRINT(("in rotation and served: median " + std::to_string(median_ms(in)) +
            " ms; out and refused: median " + std::to_string(median_ms(out)) + " ms")
               .c_str());
  CHECK_TRUE(rss_kib(pid) > 0);
  if (!kSanitized) CHECK_COMPARE(rss_kib(pid), <=, kRssKibMax);
}

// What dig prints for the arguments, asked of 127.0.0.1.
std::string dig_whole(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {"/usr/bin/dig", "@127.0.0.1", "+tries=1", "+time=2"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_tool(argv);
}
// The answers alone.
std::string dig(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "+short");
  return dig_whole(arguments);
}

TEST(Netfwd, names_follow_what_runs) {
  const std::string name = "web-demo.marathon.mesos";
  STRCMP_EQUAL("", dig({name, "A"}).c_str());
  CHECK(dig_whole({name, "A"}).find("NXDOMAIN") != std::string::npos);
  const EchoServer server(3001, "one");
  CHECK_OK(client->put("/v1/instances/i1", instance(3001, "healthy")));
  STRCMP_EQUAL("127.0.0.1\n", dig({name, "A"}).c_str());
  STRCMP_EQUAL("127.0.0.1\n", dig({"+tcp", "web.demo.marathon.mesos", "A"}).c_str());
  const std::string ports = dig({"_web-demo._tcp.marathon.mesos", "SRV"});
  CHECK(ports.starts_with("0 0 3001 i-") && ports.ends_with(".web-demo.marathon.mesos.\n"));
  CHECK(dig_whole({"WEB-demo.Marathon.mesos", "A"}).find("WEB-demo.Marathon.mesos.") !=
        std::string::npos);
  CHECK(dig_whole({"example.org", "A"}).find("REFUSED") != std::string::npos);
  CHECK_OK(client->put("/v1/instances/i1", instance(3001, "draining")));
  STRCMP_EQUAL("", dig({name, "A"}).c_str());
  CHECK_OK(client->put("/v1/instances/i1", instance(3001, "healthy")));
  STRCMP_EQUAL("127.0.0.1\n", dig({name, "A"}).c_str());
  CHECK_OK(client->del("/v1/instances/i1"));
  STRCMP_EQUAL("", dig({name, "A"}).c_str());
  CHECK_EQUAL(0u, UNWRAP(client->get("/health"))["problems"].size());
}

TEST(Netfwd, names_are_served_beside_an_address_that_is_taken_and_then_there) {
  kill(pid, SIGTERM);
  int status = 0;
  waitpid(pid, &status, 0);
  auto taken = std::make_unique<EchoServer>(53, "other");  // on all addresses
  start();
  CHECK_TRUE(eventually([&] {
    const auto health = client->get("/health");
    return health && (*health)["status"] == "degraded" && !(*health)["problems"].empty();
  }));
  taken.reset();
  CHECK_TRUE(eventually([&] {
    const auto health = client->get("/health");
    return health && (*health)["problems"].empty();
  }));
  CHECK(dig_whole({"mesos", "SOA"}).find("NOERROR") != std::string::npos);
}

TEST(Netfwd, a_kill_of_the_daemon_loses_no_request_and_the_next_life_goes_on) {
  const EchoServer server(3001, "one");
  CHECK_OK(client->put("/v1/instances/i1", instance(3001, "healthy")));
  Load load(10001, "web.demo", 2);
  for (int life = 0; life < 3; ++life) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    start();
    CHECK_TRUE(eventually([&] { return in_step(); }));
    CHECK_EQUAL(1, UNWRAP(client->get("/v1/status"))["instances"].get<int>());
  }
  load.stop();
  CHECK_TRUE(load.requests() > 20);
  CHECK_EQUAL(0, load.failures());
}

TEST(Netfwd, a_killed_haproxy_is_started_again_and_has_everything) {
  const EchoServer server(3001, "one");
  CHECK_OK(client->put("/v1/instances/i1", instance(3001, "healthy")));
  end_haproxy();
  CHECK_TRUE(eventually([&] { return http_get(10001, "x", "/").status == 200; }));
  CHECK_TRUE(eventually([&] { return in_step(); }));
  CHECK_OK(client->del("/v1/instances/i1"));
  CHECK_EQUAL(503, http_get(80, "web.demo", "/").status);
}

TEST(Netfwd, chains_that_an_operator_flushes_are_back_within_seconds_and_the_log_says_so) {
  const std::string tool = "/usr/sbin/iptables-legacy";
  for (const char* const chain : {"GESTALT-IN", "GESTALT-FWD", "INPUT"}) {
    const std::string before = run_tool({tool, "-S"});
    run_tool({tool, "-F", chain});
    CHECK_FALSE(before == run_tool({tool, "-S"}));
    const double ms = timed_ms([&] {
      CHECK_TRUE(eventually([&] { return run_tool({tool, "-S"}) == before; }));
    });
    CHECK_COMPARE(ms, <=, 4000);
  }
  const auto mended = [&] {
    std::ifstream log(folder.path() / "netfwd.log");
    const std::string text((std::istreambuf_iterator<char>(log)), {});
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("NETFW_FIREWALL_MENDED", at)) != std::string::npos;
         ++at) {
      ++count;
    }
    return count;
  };
  CHECK_TRUE(eventually([&] { return mended() >= 3; }));  // it is said after it is done
  CHECK_EQUAL(3, mended());
}

TEST(Netfwd, verdicts_and_policies_are_answered) {
  const auto verdict_of = [&](const char* text) {
    return UNWRAP(client->post("/v1/verdict", base::Json::parse(text)))["verdict"]
        .get<std::string>();
  };
  STRCMP_EQUAL(
      "accept",
      verdict_of(R"({"source":"203.0.113.5","destination":"10.0.0.9","port":80})").c_str());
  STRCMP_EQUAL(
      "drop", verdict_of(R"({"source":"203.0.113.5","destination":"10.0.0.9","port":22})").c_str());
  base::Json policy = UNWRAP(client->get("/v1/policy"));
  policy["public_tcp"] = {80};
  const base::Json planned = UNWRAP(client->post("/v1/plan", policy));
  STRCMP_EQUAL("[443]", planned["sets"]["public-tcp"]["removed"].dump().c_str());
  const base::Json tried = UNWRAP(client->put("/v1/policy?confirm_seconds=30", policy));
  CHECK_TRUE(tried["on_trial"].get<bool>());
  CHECK_ERROR(base::Code::invalid_argument, "field_missing",
              client->post("/v1/policy/confirm", base::Json::object()));
  CHECK_OK(client->post("/v1/policy/confirm", {{"trial", tried["trial"]["id"]}}));
  CHECK_EQUAL(1, UNWRAP(client->get("/v1/policy"))["public_tcp"].size());
  CHECK_ERROR(base::Code::failed_precondition, "", client->post("/v1/policy/rollback", {}));
}

TEST(Netfwd, wrong_bodies_are_refused_with_the_place) {
  const auto bad = client->put("/v1/instances/i1", {{"service", "/demo/web"}, {"node", "n1"}});
  CHECK_FALSE(bad.has_value());
  CHECK_FALSE(client->put("/v1/instances/a;b", instance(3001, "healthy")).has_value());
  CHECK_FALSE(client->put("/v1/policy", {{"management_sources", {"x"}}}).has_value());
  CHECK_ERROR(base::Code::invalid_argument, "field_missing",
              client->put("/v1/policy", {{"public_tcp", {80}}}));
  CHECK_OK(client->del("/v1/instances/never-seen"));
}

TEST(Netfwd, every_route_has_a_scope_of_ours) {
  rest::RouteTable table;
  describe_routes(table);
  CHECK_EQUAL(15, table.rows().size());
  for (const rest::Row& row : table.rows()) {
    CHECK_TRUE(row.scope.name().starts_with("netfw:"));
    // These two ask, with a body, and change nothing.
    CHECK_TRUE(row.method == rest::Method::get || row.scope.name() != "netfw:read" ||
               row.path == "/v1/verdict" || row.path == "/v1/plan");
  }
}
