// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/netfw/firewall_suite.h"

#include <CppUTest/TestHarness.h>
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "netfw/iptables/conntrack.h"
#include "tests/support/check_result.h"
#include "tests/unit/netfw/tcp_ends.h"

namespace netfw_test {

using namespace netfw;
using namespace std::chrono_literals;

Policy test_policy() {
  Policy out = default_policy();
  out.management.clear();
  for (const Family family : kFamilies) {
    out.management.push_back(zone_net(Zone::management, family));
    out.cluster.push_back(zone_net(Zone::cluster, family));
  }
  return out;
}

namespace {

// Ports around which the random IRs and the probes are drawn, so that most are hit.
constexpr std::uint16_t kPorts[] = {22, 80, 443, 2181, 3001, 3002, 5051, 8080, 9999, 10001};

FirewallIr random_ir(std::mt19937& random) {
  const auto coin = [&] { return random() % 2 == 0; };
  Policy policy = test_policy();
  if (coin()) policy.cluster.clear();
  FirewallIr out = compile_policy(policy);
  for (const SetId id : kSetIds) {
    if (set_kind(id) != SetKind::ports) continue;
    out.sets.ports[id].clear();
    for (const std::uint16_t port : kPorts) {
      if (coin()) out.sets.ports[id].insert(port);
    }
  }
  for (const Family family : kFamilies) {
    for (const std::uint16_t port : kPorts) {
      const Transport transport = coin() ? Transport::tcp : Transport::udp;
      const Zone zone = coin() ? Zone::cluster : Zone::outside;
      if (coin()) out.sets.instances.insert({transport, node_address(zone, family), port});
    }
  }
  return out;
}

std::vector<Probe> all_probes() {
  std::vector<Probe> out;
  for (const Family family : kFamilies) {
    for (const Zone zone : {Zone::management, Zone::cluster, Zone::outside}) {
      for (const std::uint16_t port : kPorts) {
        for (const Transport transport : {Transport::tcp, Transport::udp}) {
          out.push_back(
              {transport, client_address(zone, family), node_address(zone, family), port});
        }
      }
    }
  }
  return out;
}

Packet to_packet(const Probe& probe) {
  Packet out;
  out.protocol = probe.transport == Transport::tcp ? Protocol::tcp : Protocol::udp;
  out.source = probe.source;
  out.destination = probe.destination;
  out.port = probe.port;
  return out;
}

std::string describe(const Probe& probe) {
  return probe.source.text() + " -> " +
         Endpoint{probe.transport, probe.destination, probe.port}.text();
}

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

void check_kernel(const TwoNodes& nodes, const FirewallIr& ir) {
  const std::vector<Probe> probes = all_probes();
  const std::vector<bool> let_in = send_probes(nodes, probes);
  unsigned accepted = 0;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const Judgement model = verdict(ir, to_packet(probes[i]));
    accepted += let_in[i] ? 1 : 0;
    if (let_in[i] != (model.verdict == Verdict::accept)) {
      FAIL((describe(probes[i]) + ": the model says otherwise, by rule " + std::string(model.rule))
               .c_str());
    }
  }
  CHECK_TRUE(accepted > 0 && accepted < probes.size());
}

void the_kernel_decides_as_the_model_for_random_rules([[maybe_unused]] const TwoNodes& nodes,
                                                      FwBackend& backend) {
  std::mt19937 random(4711);
  for (int round = 0; round < 8; ++round) {
    const FirewallIr ir = random_ir(random);
    CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
    CHECK_TRUE(UNWRAP(backend.read_sets()).instances == ir.sets.instances);
    CHECK_TRUE(difference(UNWRAP(backend.read_sets()), ir.sets).empty());
    check_kernel(nodes, ir);
  }
}

void sets_that_are_not_there_yet_are_told_and_then_made([[maybe_unused]] const TwoNodes& nodes,
                                                        FwBackend& backend) {
  CHECK_ERROR(base::Code::not_found, "set_absent", backend.read_sets());
  CHECK_OK(backend.apply(compile_policy(test_policy()), Scope::all_sets, 5s));
  CHECK_OK(backend.read_sets());
}

void a_second_apply_writes_nothing([[maybe_unused]] const TwoNodes& nodes, FwBackend& backend) {
  const FirewallIr ir = compile_policy(test_policy());
  const FirewallApplied first = UNWRAP(backend.apply(ir, Scope::all_sets, 5s));
  CHECK_TRUE(first.rules_written);
  CHECK_TRUE(first.elements_written > 10);
  const FirewallApplied second = UNWRAP(backend.apply(ir, Scope::all_sets, 5s));
  CHECK_FALSE(second.rules_written);
  CHECK_EQUAL(0, second.elements_written);
}

void a_change_of_members_is_seen_by_the_next_packet([[maybe_unused]] const TwoNodes& nodes,
                                                    FwBackend& backend) {
  FirewallIr ir = compile_policy(test_policy());
  CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
  const FirewallSets before = ir.sets;
  ir.sets.ports[SetId::service_tcp].insert(10001);
  for (const Family family : kFamilies) {
    ir.sets.instances.insert({Transport::tcp, node_address(Zone::cluster, family), 3001});
  }
  CHECK_OK(backend.change(difference(before, ir.sets)));
  check_kernel(nodes, ir);
  CHECK_OK(backend.change(difference(ir.sets, before)));
  ir.sets = before;
  check_kernel(nodes, ir);
}

void the_sets_of_instances_survive_an_apply_of_the_policy([[maybe_unused]] const TwoNodes& nodes,
                                                          FwBackend& backend) {
  FirewallIr ir = compile_policy(test_policy());
  ir.sets.ports[SetId::service_tcp].insert(10001);
  CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
  CHECK_OK(backend.apply(compile_policy(test_policy()), Scope::policy_sets, 5s));
  CHECK_TRUE(UNWRAP(backend.read_sets()).ports[SetId::service_tcp].contains(10001));
}

void no_packet_is_lost_or_leaks_while_rules_and_members_change(
    [[maybe_unused]] const TwoNodes& nodes, FwBackend& backend) {
  Policy policy = default_policy();
  policy.public_udp = {kOpenPort};
  FirewallIr ir = compile_policy(policy);
  CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
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
    CHECK_TRUE(UNWRAP(backend.apply(ir, Scope::all_sets, 5s)).rules_written);
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

void a_live_flow_ends_when_its_instance_is_revoked_and_others_go_on(
    [[maybe_unused]] const TwoNodes& nodes, FwBackend& backend) {
  Policy policy = default_policy();
  policy.cluster = {zone_net(Zone::cluster, Family::v4)};
  FirewallIr ir = compile_policy(policy);
  const IpAddress address = node_address(Zone::cluster, Family::v4);
  ir.sets.instances = {{Transport::udp, address, 3001}, {Transport::udp, address, 3002}};
  CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
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
  CHECK_OK(backend.change(difference(before, ir.sets)));
  CHECK_EQUAL(1, say(3001, first));  // closed for new flows only, so far
  CHECK_EQUAL(1, UNWRAP(revoke_flows({{Transport::udp, address, 3001}}, {})));
  CHECK_EQUAL(0, say(3001, first));
  CHECK_EQUAL(1, say(3002, second));
  CHECK_EQUAL(0, UNWRAP(revoke_flows({{Transport::udp, address, 3001}}, {})));
}

void tcp_flows_of_either_family_end_when_they_are_revoked([[maybe_unused]] const TwoNodes& nodes,
                                                          FwBackend& backend) {
  for (const Family family : kFamilies) {
    Policy policy = default_policy();
    policy.cluster = {zone_net(Zone::cluster, family)};
    FirewallIr ir = compile_policy(policy);
    const IpAddress address = node_address(Zone::cluster, family);
    ir.sets.instances = {{Transport::tcp, address, 3001}, {Transport::tcp, address, 3002}};
    ir.sets.ports[SetId::service_tcp] = {10001};
    CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
    const TcpListener first(address, 3001);
    const TcpListener second(address, 3002);
    const TcpListener service(address, 10001);
    nodes.enter_client();
    TcpClient to_first(address, 3001);
    TcpClient to_second(address, 3002);
    TcpClient to_service(address, 10001);
    nodes.enter_node();
    for (TcpClient* const client : {&to_first, &to_second, &to_service}) {
      CHECK_TRUE(client->is_open() && client->is_heard());
    }
    const FirewallSets before = ir.sets;
    ir.sets.instances.clear();
    ir.sets.ports[SetId::service_tcp].clear();
    CHECK_OK(backend.change(difference(before, ir.sets)));
    CHECK_TRUE(to_first.is_heard());  // closed for new flows only, so far
    CHECK_EQUAL(2, UNWRAP(revoke_flows({{Transport::tcp, address, 3001}}, {10001})));
    CHECK_FALSE(to_first.is_heard());
    CHECK_FALSE(to_service.is_heard());
    CHECK_TRUE(to_second.is_heard());
  }
}

void members_that_overlap_or_touch_are_kept_apart([[maybe_unused]] const TwoNodes& nodes,
                                                  FwBackend& backend) {
  Policy policy = test_policy();
  for (const char* const text :
       {"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "192.0.2.0/25", "192.0.2.128/25", "255.0.0.0/8",
        "fd00::/8", "fd00:1::/64", "ff00::/8"}) {
    policy.cluster.push_back(UNWRAP(IpNet::parse(text)));
  }
  FirewallIr ir = compile_policy(policy);
  CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
  CHECK_TRUE(difference(UNWRAP(backend.read_sets()), ir.sets).empty());
  CHECK_EQUAL(0, UNWRAP(backend.apply(ir, Scope::all_sets, 5s)).elements_written);
  policy.cluster = {*IpNet::parse("0.0.0.0/0"), *IpNet::parse("::/0")};
  ir = compile_policy(policy);
  CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
  CHECK_TRUE(difference(UNWRAP(backend.read_sets()), ir.sets).empty());
  check_kernel(nodes, ir);
  policy.cluster.clear();
  ir = compile_policy(policy);
  CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
  CHECK_TRUE(difference(UNWRAP(backend.read_sets()), ir.sets).empty());
}

void changes_that_are_there_already_are_no_error([[maybe_unused]] const TwoNodes& nodes,
                                                 FwBackend& backend) {
  FirewallIr ir = compile_policy(test_policy());
  CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
  const Endpoint gone{Transport::tcp, node_address(Zone::cluster, Family::v4), 3001};
  const Endpoint stays{Transport::udp, node_address(Zone::cluster, Family::v6), 3002};
  const std::vector<SetChange> add = {{.id = SetId::instances, .endpoints_added = {gone, stays}}};
  const std::vector<SetChange> drop = {{.id = SetId::instances, .endpoints_removed = {gone}}};
  for (int i = 0; i < 2; ++i) CHECK_OK(backend.change(add));
  for (int i = 0; i < 2; ++i) CHECK_OK(backend.change(drop));
  CHECK_OK(backend.change({}));
  CHECK_TRUE(UNWRAP(backend.read_sets()).instances == std::set<Endpoint>{stays});
}

void many_members_fit([[maybe_unused]] const TwoNodes& nodes, FwBackend& backend) {
  FirewallIr ir = compile_policy(test_policy());
  IpAddress address = node_address(Zone::outside, Family::v6);
  for (unsigned i = 0; i < 10'000; ++i) {
    address.bytes[12] = static_cast<std::uint8_t>(i >> 8);
    address.bytes[13] = static_cast<std::uint8_t>(i);
    ir.sets.instances.insert(
        {Transport::tcp, address, static_cast<std::uint16_t>(3000 + i % 1000)});
  }
  CHECK_OK(backend.apply(ir, Scope::all_sets, 5s));
  CHECK_TRUE(UNWRAP(backend.read_sets()).instances == ir.sets.instances);
  CHECK_EQUAL(0, UNWRAP(backend.apply(ir, Scope::all_sets, 5s)).elements_written);
}

void after_removal_everything_passes([[maybe_unused]] const TwoNodes& nodes, FwBackend& backend) {
  CHECK_OK(backend.apply(compile_policy(test_policy()), Scope::all_sets, 5s));
  CHECK_OK(backend.remove());
  CHECK_OK(backend.remove());
  // The kernel limits how many ICMP errors it sends, so TCP it is.
  std::vector<Probe> probes = all_probes();
  std::erase_if(probes, [](const Probe& probe) { return probe.transport == Transport::udp; });
  const std::vector<bool> let_in = send_probes(nodes, probes);
  CHECK_TRUE(std::all_of(let_in.begin(), let_in.end(), [](bool in) { return in; }));
  CHECK_ERROR(base::Code::not_found, "set_absent", backend.read_sets());
}

}  // namespace netfw_test
