// SPDX-License-Identifier: Apache-2.0
// The daemon as it is installed, over its socket, and SSH to its node from another machine while a
// policy is on trial.
#include <CppUTest/TestHarness.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/rest/client.h"
#include "tests/support/check_result.h"
#include "tests/unit/netfw/haproxy_fixture.h"
#include "tests/unit/netfw/netns.h"
#include "tests/unit/netfw/tcp_ends.h"

using namespace netfw;
using namespace netfw_test;

// clang-format off
TEST_GROUP(Confirm) {
  TwoNodes nodes;
  TempFolder folder;
  pid_t pid = -1;
  std::unique_ptr<TcpListener> ssh;

  void setup() override {
    const base::Json config = {
        {"listen", {{{"unix", (folder.path() / "netfwd.sock").string()}}}},
        {"state_folder", (folder.path() / "state").string()},
        {"tokens_file", (folder.path() / "tokens.json").string()},
        // It has no lock that a daemon could hold while it is stopped.
        {"firewall", {{"backend", "nftables"}}},
        {"haproxy", {{"mode", "off"}, {"run_folder", (folder.path() / "run").string()}}},
        {"policy", policy({Zone::management, Zone::outside})}};
    std::ofstream(folder.path() / "netfwd.json") << config.dump();
    ssh = std::make_unique<TcpListener>(IpAddress{}, kSshPort);
    start();
    CHECK_TRUE(ssh_opens(Zone::management));
    CHECK_TRUE(ssh_opens(Zone::outside));
    CHECK_FALSE(ssh_opens(Zone::cluster));
  }
  void teardown() override {
    const int status = end_daemon(SIGTERM);
    CHECK_EQUAL(0, status);
  }
  void start() {
    std::vector<std::string> words = {NETFWD, "--config", (folder.path() / "netfwd.json").string()};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string log = (folder.path() / "netfwd.log").string();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    CHECK_EQUAL(0, posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ));
    posix_spawn_file_actions_destroy(&actions);
    CHECK_TRUE(eventually([&] {
      const auto status = client().get("/v1/status");
      return status && (*status)["firewall"]["applied"].get<bool>();
    }));
  }
  int end_daemon(int signal) {
    int status = 0;
    if (pid <= 0) return status;
    kill(pid, signal);
    waitpid(std::exchange(pid, -1), &status, 0);
    return status;
  }
  rest::Client client() const {
    return rest::Client(
        rest::Endpoint{.url = "unix:" + (folder.path() / "netfwd.sock").string()});
  }
  static base::Json policy(const std::vector<Zone>& zones) {
    base::Json sources = base::Json::array();
    for (const Zone zone : zones) sources.push_back(zone_net(zone, Family::v4).text());
    return {{"management_sources", std::move(sources)}};
  }
  bool is_on_trial() { return UNWRAP(client().get("/v1/policy"))["on_trial"].get<bool>(); }
  std::unique_ptr<TcpClient> open_ssh(Zone zone) {
    nodes.enter_client();
    auto out = std::make_unique<TcpClient>(client_address(zone, Family::v4),
                                           node_address(zone, Family::v4), kSshPort);
    nodes.enter_node();
    return out;
  }
  bool ssh_opens(Zone zone) { return open_ssh(zone)->is_open(); }
  base::Result<base::Json> confirm(const base::Json& tried, const std::string& connection) {
    base::Json body = {{"trial", tried["trial"]["id"]}};
    if (!connection.empty()) body["connection"] = connection;
    return client().post("/v1/policy/confirm", body);
  }
};
// clang-format on

TEST(Confirm, ssh_that_one_call_takes_away_is_back_when_the_daemon_is_killed) {
  const base::Json tried = UNWRAP(client().put("/v1/policy", policy({Zone::cluster})));
  CHECK_TRUE(tried["on_trial"].get<bool>());
  CHECK_FALSE(ssh_opens(Zone::management));
  CHECK_FALSE(ssh_opens(Zone::outside));
  end_daemon(SIGKILL);
  CHECK_TRUE(eventually([&] { return ssh_opens(Zone::management); }));
  CHECK_TRUE(ssh_opens(Zone::outside));
  start();
  CHECK_FALSE(is_on_trial());
  CHECK_TRUE(ssh_opens(Zone::management));
  CHECK_FALSE(ssh_opens(Zone::cluster));
}

TEST(Confirm, ssh_is_back_in_time_also_while_the_daemon_is_stopped) {
  CHECK_OK(client().put("/v1/policy?confirm_seconds=1", policy({Zone::cluster})));
  kill(pid, SIGSTOP);
  const bool is_back = eventually([&] { return ssh_opens(Zone::management); });
  kill(pid, SIGCONT);
  CHECK_TRUE(is_back);
  CHECK_TRUE(eventually([&] { return !is_on_trial(); }));
  CHECK_TRUE(ssh_opens(Zone::management));
  CHECK_FALSE(ssh_opens(Zone::cluster));
}

TEST(Confirm, only_a_new_connection_from_another_machine_keeps_what_takes_access_away) {
  const auto before = open_ssh(Zone::management);
  const base::Json tried = UNWRAP(client().put("/v1/policy", policy({Zone::management})));
  STRCMP_EQUAL(R"({"port":22,"source":"10.3.0.0/24"})",
               tried["trial"]["takes_away"][0].dump().c_str());
  CHECK_FALSE(ssh_opens(Zone::outside));
  const TcpClient own(node_address(Zone::management, Family::v4), kSshPort);
  CHECK_TRUE(own.is_open());
  for (const std::string& proof :
       {std::string(), before->name(), own.name(), std::string("10.1.0.2:1")}) {
    CHECK_ERROR(base::Code::failed_precondition, "policy_unproven", confirm(tried, proof));
  }
  CHECK_ERROR(base::Code::invalid_argument, "field_invalid", confirm(tried, "here"));
  CHECK_TRUE(is_on_trial());
  const auto after = open_ssh(Zone::management);
  CHECK_TRUE(after->is_open());
  // The last step of the handshake may still be under way on the node's side.
  CHECK_TRUE(eventually([&] { return confirm(tried, after->name()).has_value(); }));
  end_daemon(SIGKILL);
  start();
  CHECK_FALSE(is_on_trial());
  CHECK_TRUE(ssh_opens(Zone::management));
  CHECK_FALSE(ssh_opens(Zone::outside));
}
