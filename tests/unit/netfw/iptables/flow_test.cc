// SPDX-License-Identifier: Apache-2.0
// Packets that flow while rules change: none is lost, none leaks, and revoked flows end.
#include <CppUTest/TestHarness.h>
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "netfw/iptables/backend.h"
#include "netfw/iptables/conntrack.h"
#include "tests/support/check_result.h"
#include "tests/unit/netfw/netns.h"

using namespace netfw;
using namespace netfw_test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t kOpenPort = 5353;
constexpr std::uint16_t kClosedPort = 5354;
constexpr auto kFlood = 1500ms;

sockaddr_in to_sockaddr(const IpAddress& address, std::uint16_t port) {
  sockaddr_in out = {};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  memcpy(&out.sin_addr, address.bytes.data(), 4);
  return out;
}

sys::Fd bound(int type, const IpAddress& address, std::uint16_t port) {
  sys::Fd out(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const int size = 4 << 20;
  setsockopt(out.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  const sockaddr_in name = to_sockaddr(address, port);
  CHECK_EQUAL(0, bind(out.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name));
  return out;
}

sys::Fd sender(const TwoNodes& nodes, std::uint16_t port) {
  nodes.enter_client();
  sys::Fd out = bound(SOCK_DGRAM, client_address(Zone::outside, Family::v4), 0);
  nodes.enter_node();
  const sockaddr_in name = to_sockaddr(node_address(Zone::outside, Family::v4), port);
  CHECK_EQUAL(0, connect(out.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name));
  return out;
}

unsigned received(int fd) {
  unsigned out = 0;
  char byte = 0;
  while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1) ++out;
  return out;
}

}  // namespace

// clang-format off
TEST_GROUP(Flows) {
  TwoNodes nodes;
  std::string lock = "/tmp/netfw-test-flows." + std::to_string(getpid());
  std::unique_ptr<FwBackend> backend;
  void setup() override { backend = UNWRAP(IptablesBackend::make({NETFW_IPTC_HELPER, lock})); }
  void teardown() override {
    backend.reset();
    unlink(lock.c_str());
  }
};
// clang-format on

TEST(Flows, no_packet_is_lost_or_leaks_while_rules_and_members_change) {
  Policy policy = default_policy();
  policy.public_udp = {kOpenPort};
  FirewallIr ir = compile_policy(policy);
  CHECK_OK(backend->apply(ir, Scope::all_sets, 5s));
  const IpAddress address = node_address(Zone::outside, Family::v4);
  const sys::Fd open = bound(SOCK_DGRAM, address, kOpenPort);
  const sys::Fd closed = bound(SOCK_DGRAM, address, kClosedPort);
  const sys::Fd to_open = sender(nodes, kOpenPort);
  const sys::Fd to_closed = sender(nodes, kClosedPort);
  std::atomic<bool> ending = false;
  std::atomic<unsigned> sent = 0;
  std::thread flood([&] {
    while (!ending) {
      if (send(to_open.get(), "x", 1, 0) == 1) ++sent;
      send(to_closed.get(), "x", 1, 0);
      if (sent % 64 == 0) usleep(500);
    }
  });
  unsigned changes = 0;
  unsigned got = 0;
  const auto end = std::chrono::steady_clock::now() + kFlood;
  for (; std::chrono::steady_clock::now() < end; ++changes) {
    ir.forward = !ir.forward;  // another rule list: a whole new table
    const auto port = static_cast<std::uint16_t>(10000 + changes % 50);
    if (!ir.sets.ports[SetId::service_tcp].insert(port).second) {
      ir.sets.ports[SetId::service_tcp].erase(port);
    }
    CHECK_TRUE(UNWRAP(backend->apply(ir, Scope::all_sets, 5s)).rules_written);
    got += received(open.get());
  }
  ending = true;
  flood.join();
  usleep(20'000);
  got += received(open.get());
  CHECK_TRUE(changes > 10);
  CHECK_TRUE(sent > 500);
  CHECK_EQUAL(sent.load(), got);
  CHECK_EQUAL(0, received(closed.get()));
}

TEST(Flows, a_live_flow_ends_when_its_instance_is_revoked_and_others_go_on) {
  Policy policy = default_policy();
  policy.cluster = {zone_net(Zone::cluster, Family::v4)};
  FirewallIr ir = compile_policy(policy);
  const IpAddress address = node_address(Zone::cluster, Family::v4);
  ir.sets.instances = {{Transport::udp, address, 3001}, {Transport::udp, address, 3002}};
  CHECK_OK(backend->apply(ir, Scope::all_sets, 5s));
  const sys::Fd first = bound(SOCK_DGRAM, address, 3001);
  const sys::Fd second = bound(SOCK_DGRAM, address, 3002);
  nodes.enter_client();
  const sys::Fd client = bound(SOCK_DGRAM, client_address(Zone::cluster, Family::v4), 0);
  nodes.enter_node();
  const auto say = [&](std::uint16_t port, const sys::Fd& server) {
    const sockaddr_in to = to_sockaddr(address, port);
    sendto(client.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    pollfd wait = {server.get(), POLLIN, 0};
    poll(&wait, 1, 100);
    return received(server.get());
  };
  CHECK_EQUAL(1, say(3001, first));
  CHECK_EQUAL(1, say(3002, second));
  // An answer makes both flows established.
  const sockaddr_in back = [&] {
    sockaddr_in out = {};
    socklen_t size = sizeof out;
    getsockname(client.get(), reinterpret_cast<sockaddr*>(&out), &size);
    return out;
  }();
  for (const sys::Fd* const server : {&first, &second}) {
    sendto(server->get(), "y", 1, 0, reinterpret_cast<const sockaddr*>(&back), sizeof back);
  }
  const FirewallSets before = ir.sets;
  ir.sets.instances.clear();
  CHECK_OK(backend->change(difference(before, ir.sets)));
  CHECK_EQUAL(1, say(3001, first));  // closed for new flows only, so far
  CHECK_EQUAL(1, UNWRAP(revoke_flows({{Transport::udp, address, 3001}}, {})));
  CHECK_EQUAL(0, say(3001, first));
  CHECK_EQUAL(1, say(3002, second));
  CHECK_EQUAL(0, UNWRAP(revoke_flows({{Transport::udp, address, 3001}}, {})));
}
