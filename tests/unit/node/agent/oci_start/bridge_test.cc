// SPDX-License-Identifier: Apache-2.0
// Bridge networking on a real node.
#include "node/agent/oci_start/bridge.h"

#include <net/if.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "common/sys/process.h"
#include "node/agent/bridge.h"
#include "node/agent/tcp_probe.h"
#include "tests/support/check_result.h"
#include "tests/unit/node/agent/container_rig.h"

using agent_test::ContainerRig;
using agent_test::free_port;
using agent_test::run_until;
using node::api::InstanceId;
using node::api::InstanceState;

namespace {

namespace fs = std::filesystem;

std::string output_of(std::vector<std::string> argv) {
  auto ended = sys::run({.argv = std::move(argv), .environment = {}});
  return ended ? ended->out : "";
}

std::string get(const std::string& url) {
  return output_of({"/usr/bin/curl", "-s", "--max-time", "3", url});
}

// As the agent numbers them.
std::uint16_t port_in_range() {
  for (std::uint16_t port = 3100; port < 4000; ++port) {
    if (node::agent::check_port_free(port)) return port;
  }
  FAIL("no port is free");
  return 0;
}

}  // namespace

TEST_GROUP_BASE(OciStartBridge, ContainerRig) {
  const std::uint16_t host_port = port_in_range();
  const std::string local = "http://127.0.0.1:" + std::to_string(host_port) + "/";

  void setup() override {
    ContainerRig::setup();
    spec.network = node::api::kBridgeNetwork;
    spec.ports = {{"http", "tcp", 80}};
    shell("exec httpd -f -p 80 -h /www");
  }
  std::int64_t start(const char* id) {
    wish(id, host_port);
    apply();
    return wait_for(id, InstanceState::running).pid;
  }
  std::string inside(std::int64_t pid, std::vector<std::string> argv) {
    std::vector<std::string> all{"/usr/bin/nsenter", "-t", std::to_string(pid), "-n", "--"};
    all.insert(all.end(), argv.begin(), argv.end());
    return output_of(all);
  }
  std::string own_address() const {
    return UNWRAP(node::agent::bridge_addresses(config.bridge, host_port - config.port_first)).v4;
  }
  bool has_interface() const {
    return if_nametoindex(("gst" + std::to_string(host_port)).c_str()) != 0;
  }
};

TEST(OciStartBridge, the_port_of_the_node_leads_into_the_container) {
  auto http = check(node::api::CheckProtocol::http);
  auto command = check(node::api::CheckProtocol::command);
  // In the container's own network: there is no port 80 on the node.
  command.argv = {"/bin/sh", "-c", "busybox wget -q -O - http://127.0.0.1:80/ | grep -q hello"};
  spec.health_checks = {http, command};
  const auto pid = start("a");
  run_until(*loop, [&] { return peers.last("a")->healthy == std::optional(true); });
  STRCMP_EQUAL("hello\n", get(local).c_str());
  STRCMP_EQUAL("hello\n", get("http://[::1]:" + std::to_string(host_port) + "/").c_str());
  CHECK(fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/net") !=
        fs::read_symlink("/proc/self/ns/net"));
  const std::string addresses = inside(pid, {"/usr/sbin/ip", "addr", "show", "eth0"});
  CHECK_TEXT(addresses.find(own_address()) != std::string::npos, addresses.c_str());
  CHECK_TEXT(addresses.find("fd67:6573:7461::") != std::string::npos, addresses.c_str());
  const std::string routes = inside(pid, {"/usr/sbin/ip", "route"});
  CHECK_TEXT(routes.find("default via 100.127.240.1") != std::string::npos, routes.c_str());
  // Two health checks that agree are not the fault of netfwd: it is told of the node's port.
  CHECK(peers.has_netfw_call("PUT a healthy " + std::to_string(host_port)));
}

TEST(OciStartBridge, the_environment_is_as_in_host_mode) {
  shell(
      "sleep 0.2; test \"$PORT0\" = \"$PORT_80\" || exit 11; test -n \"$HOST\" || exit 12;"
      "test \"$MARATHON_APP_ID\" = /demo/web || exit 13; exit 0");
  wish("a", host_port);
  apply();
  LONGS_EQUAL(0, wait_for("a", InstanceState::finished).exit_status);
}

TEST(OciStartBridge, containers_reach_the_node_but_not_each_other) {
  const auto first = start("a");
  const auto other_port = static_cast<std::uint16_t>(host_port + 1);
  wish("b", other_port);
  apply();
  wait_for("b", InstanceState::running);
  const std::string other =
      UNWRAP(node::agent::bridge_addresses(config.bridge, other_port - config.port_first)).v4;
  const std::string url = "http://" + other.substr(0, other.find('/')) + "/";
  STRCMP_EQUAL("hello\n", get(url).c_str());  // from the node
  STRCMP_EQUAL("", inside(first, {"/usr/bin/curl", "-s", "--max-time", "1", url}).c_str());
  const std::string gateway = "http://100.127.240.1:" + std::to_string(other_port) + "/";
  STRCMP_EQUAL("hello\n",
               inside(first, {"/usr/bin/curl", "-s", "--max-time", "3", gateway}).c_str());
}

TEST(OciStartBridge, a_restarted_agent_changes_nothing_and_the_end_leaves_nothing) {
  const auto pid = start("a");
  agent.reset();
  peers.reports.clear();
  start_agent();
  LONGS_EQUAL(pid, wait_for("a", InstanceState::running).pid);
  STRCMP_EQUAL("hello\n", get(local).c_str());
  CHECK(has_interface());
  LONGS_EQUAL(0, kill(static_cast<pid_t>(pid), SIGKILL));
  wait_for("a", InstanceState::failed);
  run_until(*loop, [&] { return !has_interface(); });
  run_until(*loop, [&] { return node::agent::check_port_free(host_port).has_value(); });
}

TEST(OciStartBridge, an_instance_follows_another_at_the_same_port_at_once) {
  for (const char* id : {"a", "b", "c"}) {
    const auto pid = start(id);
    run_until(*loop, [&] { return get(local) == "hello\n"; });
    LONGS_EQUAL(0, kill(static_cast<pid_t>(pid), SIGKILL));
    wait_for(id, InstanceState::failed);
    run_until(*loop, [&] { return node::agent::check_port_free(host_port).has_value(); });
  }
}

TEST(OciStartBridge, what_cannot_be_forwarded_is_an_error_that_says_so) {
  spec.ports = {{"dns", "udp", 53}};
  wish("a", host_port);
  apply();
  const auto& status = wait_for("a", InstanceState::error);
  CHECK_TEXT(status.message.find("TCP") != std::string::npos, status.message.c_str());
}

TEST(OciStartBridge, a_port_that_is_taken_is_refused) {
  int sockets[oci_start::kForwardsMax];
  const sys::Fd taken = agent_test::listen_on(host_port);
  const std::string forward = std::to_string(host_port) + ":80";
  oci_start::BridgeOptions options;
  options.forwards[0] = forward.c_str();
  options.forward_count = 1;
  CHECK_FALSE(oci_start::listen_forwards(options, sockets));
}
