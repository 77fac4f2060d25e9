// SPDX-License-Identifier: Apache-2.0
#include "netfw/model/firewall.h"

#include <CppUTest/TestHarness.h>

#include <random>

#include "tests/support/check_result.h"

using namespace netfw;

namespace {

Packet tcp(std::string_view from, std::uint16_t port) {
  Packet out;
  out.source = *IpAddress::parse(from);
  out.destination = *IpAddress::parse(out.source.family == Family::v4 ? "10.0.0.9" : "fd00::9");
  out.port = port;
  return out;
}

bool lets_in(const FirewallIr& ir, const Packet& packet) {
  return verdict(ir, packet).verdict == Verdict::accept;
}

}  // namespace

TEST_GROUP(Firewall) {
  Policy policy = default_policy();
  void setup() override { policy.cluster = {*IpNet::parse("10.9.0.0/16")}; }
};

TEST(Firewall, the_default_policy_shows_the_world_two_ports) {
  const FirewallIr ir = compile_policy(policy);
  std::vector<int> open;
  for (int port = 0; port < 65536; ++port) {
    if (lets_in(ir, tcp("203.0.113.5", static_cast<std::uint16_t>(port)))) open.push_back(port);
  }
  CHECK_EQUAL(2, open.size());
  CHECK_EQUAL(80, open[0]);
  CHECK_EQUAL(443, open[1]);
}

TEST(Firewall, management_cluster_and_instances_have_their_own_ports) {
  FirewallIr ir = compile_policy(policy);
  CHECK_TRUE(lets_in(ir, tcp("192.168.3.4", 22)));
  CHECK_TRUE(lets_in(ir, tcp("fd00::1", 22)));
  CHECK_TRUE(lets_in(ir, tcp("192.168.3.4", 8080)));
  CHECK_FALSE(lets_in(ir, tcp("192.168.3.4", 7861)));
  CHECK_TRUE(lets_in(ir, tcp("10.9.1.1", 7861)));
  CHECK_FALSE(lets_in(ir, tcp("10.9.1.1", 3001)));
  ir.sets.instances.insert({Transport::tcp, *IpAddress::parse("10.0.0.9"), 3001});
  CHECK_TRUE(lets_in(ir, tcp("10.9.1.1", 3001)));
  CHECK_FALSE(lets_in(ir, tcp("192.168.3.4", 3001)));
  CHECK_FALSE(lets_in(ir, tcp("203.0.113.5", 22)));
}

TEST(Firewall, flow_state_and_loopback_come_first) {
  const FirewallIr ir = compile_policy(policy);
  Packet packet = tcp("203.0.113.5", 5000);
  packet.state = kEstablished;
  CHECK_TRUE(lets_in(ir, packet));
  packet.state = kInvalid;
  packet.port = 80;
  CHECK_FALSE(lets_in(ir, packet));
  packet.from_loopback = true;
  CHECK_TRUE(lets_in(ir, packet));
}

TEST(Firewall, a_policy_that_locks_out_is_refused) {
  CHECK_OK(check_invariants(compile_policy(policy)));
  policy.management.clear();
  CHECK_ERROR(base::Code::failed_precondition, "policy_locks_out",
              check_invariants(compile_policy(policy)));
}

TEST(Firewall, everything_as_a_network_becomes_two_halves) {
  policy.management = {*IpNet::parse("0.0.0.0/0"), *IpNet::parse("::/0")};
  const FirewallIr ir = compile_policy(policy);
  CHECK_EQUAL(4, ir.sets.nets.at(SetId::management).size());
  CHECK_TRUE(lets_in(ir, tcp("203.0.113.5", 22)));
  CHECK_TRUE(lets_in(ir, tcp("2001:db8::1", 22)));
}

TEST(Firewall, no_state_on_the_way_is_more_open_than_both_ends) {
  std::mt19937 random(815);
  const auto draw = [&] {
    FirewallIr ir;
    for (int i = 0; i < 4; ++i) {
      const std::string net = "10." + std::to_string(random() % 3) + ".0.0/16";
      ir.sets.nets[SetId::cluster].insert(*IpNet::parse(net));
      ir.sets.ports[SetId::cluster_tcp].insert(static_cast<std::uint16_t>(1 + random() % 4));
    }
    return ir;
  };
  for (int round = 0; round < 200; ++round) {
    const FirewallIr from = draw();
    const FirewallIr to = draw();
    FirewallIr now = from;
    const auto check = [&] {
      for (int net = 0; net < 3; ++net) {
        for (std::uint16_t port = 1; port < 5; ++port) {
          const Packet packet = tcp("10." + std::to_string(net) + ".0.1", port);
          if (lets_in(now, packet)) CHECK_TRUE(lets_in(from, packet) || lets_in(to, packet));
        }
      }
    };
    const auto changes = difference(from.sets, to.sets);
    for (const SetChange& change : changes) {
      for (const IpNet& net : change.nets_removed) now.sets.nets[change.id].erase(net), check();
      for (const auto port : change.ports_removed) now.sets.ports[change.id].erase(port), check();
    }
    for (const SetChange& change : changes) {
      for (const IpNet& net : change.nets_added) now.sets.nets[change.id].insert(net), check();
      for (const auto port : change.ports_added) now.sets.ports[change.id].insert(port), check();
    }
    CHECK_TRUE(difference(now.sets, to.sets).empty());
  }
}
