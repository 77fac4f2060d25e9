// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/flows.h"

#include <CppUTest/TestHarness.h>

#include "netfw/model/firewall.h"
#include "tests/support/check_result.h"
#include "tests/unit/netfw/haproxy_fixture.h"
#include "tests/unit/netfw/netns.h"
#include "tests/unit/netfw/tcp_ends.h"

using namespace netfw;
using namespace netfw_test;

namespace {

Endpoint tcp_end(std::string_view text) { return UNWRAP(parse_remote(text)); }

Flows flows_of(const std::vector<std::pair<std::string, std::string>>& established) {
  Flows out;
  for (const auto& [local, remote] : established) {
    out.established.insert(Flow{tcp_end(local), tcp_end(remote)});
  }
  return out;
}

}  // namespace

TEST_GROUP(FlowList) { Policy policy = default_policy(); };

TEST(FlowList, the_kernels_lists_are_read) {
  Flows flows;
  add_flows(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
      "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
      "   1: 0900000A:0016 0500000A:C822 01 00000000:00000000 02:000A9F3D 00000000     0\n"
      "   2: 0900000A:0016 0600000A:C823 03 00000000:00000000 02:000A9F3D 00000000     0\n"
      "   3: 0900000A:0016 nonsense:C823 01\n"
      "short\n\n",
      flows);
  LONGS_EQUAL(1, flows.established.size());
  LONGS_EQUAL(1, flows.others.size());
  STRCMP_EQUAL("tcp 10.0.0.9:22", flows.established.begin()->local.text().c_str());
  STRCMP_EQUAL("tcp 10.0.0.5:51234", flows.established.begin()->remote.text().c_str());
  Flows six;
  add_flows(
      "   0: 000000FD000000000000000009000000:0016 000000FD000000000000000005000000:C822 01 0\n"
      "   1: 0000000000000000FFFF00000900000A:0016 0000000000000000FFFF00000500000A:C822 01 0\n",
      six);
  LONGS_EQUAL(2, six.established.size());
  CHECK_TRUE(six.established.contains(*flows.established.begin()));
  CHECK_TRUE(six.established.contains(Flow{tcp_end("[fd00::9]:22"), tcp_end("[fd00::5]:51234")}));
}

TEST(FlowList, the_other_end_of_a_connection_is_read_as_it_is_written_elsewhere) {
  STRCMP_EQUAL("tcp 10.0.0.5:51234", tcp_end("10.0.0.5:51234").text().c_str());
  STRCMP_EQUAL("tcp [fd00::5]:51234", tcp_end("[fd00::5]:51234").text().c_str());
  STRCMP_EQUAL("tcp [fe80::5]:51234", tcp_end("[fe80::5%eth0]:51234").text().c_str());
  STRCMP_EQUAL("tcp 10.0.0.5:51234", tcp_end("[::ffff:10.0.0.5]:51234").text().c_str());
  for (const char* const bad : {"", ":", "10.0.0.5", "10.0.0.5:", "10.0.0.5:0", "10.0.0.5:65536",
                                "host:22", "[fd00::5:22", "unix:uid=0,pid=1"}) {
    CHECK_ERROR(base::Code::invalid_argument, "field_invalid", parse_remote(bad));
  }
}

TEST(FlowList, a_new_connection_to_ssh_or_a_management_port_proves_a_policy) {
  const Endpoint client = tcp_end("10.0.0.5:51234");
  const Flows none;
  const auto check = [&](const Flows& before, const Flows& now) {
    return check_new_flow(client, before, now, policy);
  };
  const Flows ssh = flows_of({{"10.0.0.9:22", "10.0.0.5:51234"}});
  CHECK_OK(check(none, ssh));
  CHECK_OK(check(none, flows_of({{"10.0.0.9:8080", "10.0.0.5:51234"}})));
  CHECK_OK(check(flows_of({{"10.0.0.9:22", "10.0.0.5:50000"}}), ssh));
  const auto refused = [&](const char* why, const Flows& before, const Flows& now) {
    const auto done = check(before, now);
    CHECK_ERROR(base::Code::failed_precondition, "policy_unproven", done);
    STRCMP_CONTAINS(why, done.error().detail.c_str());
  };
  refused("there is no connection", none, none);
  refused("there is no connection", none, flows_of({{"10.0.0.9:443", "10.0.0.5:51234"}}));
  refused("there is no connection", none, flows_of({{"10.0.0.9:22", "10.0.0.6:51234"}}));
  refused("was there before", ssh, ssh);
  // It was let in by the policy before and only was not up yet.
  Flows on_its_way;
  on_its_way.others = ssh.established;
  refused("was there before", on_its_way, ssh);
  refused("there is no connection", none, on_its_way);
  refused("this node itself", none,
          flows_of({{"10.0.0.9:22", "10.0.0.5:51234"}, {"10.0.0.5:51234", "10.0.0.9:22"}}));
}

TEST(FlowList, a_connection_from_another_machine_is_told_from_one_of_before_and_one_from_here) {
  const TwoNodes nodes;
  for (const Family family : kFamilies) {
    const IpAddress node = node_address(Zone::management, family);
    const TcpListener ssh(node, kSshPort);
    nodes.enter_client();
    const TcpClient old(node, kSshPort);
    nodes.enter_node();
    CHECK_TRUE(old.is_open());
    const Flows before = UNWRAP(read_flows());
    nodes.enter_client();
    const TcpClient fresh(node, kSshPort);
    nodes.enter_node();
    CHECK_TRUE(fresh.is_open());
    const TcpClient own(node, kSshPort);
    CHECK_TRUE(own.is_open());
    // The last step of the handshake may still be under way on the node's side.
    Flows now;
    CHECK_TRUE(eventually([&] {
      now = UNWRAP(read_flows());
      return check_new_flow(tcp_end(fresh.name()), before, now, policy).has_value();
    }));
    CHECK_ERROR(base::Code::failed_precondition, "policy_unproven",
                check_new_flow(tcp_end(old.name()), before, now, policy));
    CHECK_ERROR(base::Code::failed_precondition, "policy_unproven",
                check_new_flow(tcp_end(own.name()), before, now, policy));
  }
}
