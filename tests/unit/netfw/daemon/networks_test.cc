// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/networks.h"

#include <CppUTest/TestHarness.h>

#include "tests/support/check_result.h"
#include "tests/unit/netfw/haproxy_fixture.h"
#include "tests/unit/netfw/netns.h"

using namespace netfw;
using namespace netfw_test;

namespace {

std::vector<Attached> two_interfaces() {
  return {{"eth1", 3, *IpNet::parse("198.51.100.0/24")}, {"eth0", 2, *IpNet::parse("10.1.0.0/16")},
          {"eth0", 2, *IpNet::parse("fe80::/64")},       {"eth0", 2, *IpNet::parse("fd00:1::/64")},
          {"eth1", 3, *IpNet::parse("10.2.0.1/32")},     {"eth0", 2, *IpNet::parse("10.1.0.0/16")}};
}

std::string texts(const std::vector<IpNet>& nets) {
  std::string out;
  for (const IpNet& net : nets) out += net.text() + " ";
  return out;
}

}  // namespace

TEST_GROUP(Networks){};

TEST(Networks, the_interface_of_the_best_default_route_manages) {
  const struct {
    std::vector<DefaultRoute> routes;
    const char* configured;
    const char* expected;
  } kCases[] = {
      {{}, "", "10.1.0.0/16 fd00:1::/64 "},
      {{{"eth1", Family::v4, 100}}, "", "198.51.100.0/24 "},
      {{{"eth1", Family::v4, 100}, {"eth0", Family::v4, 50}}, "", "10.1.0.0/16 fd00:1::/64 "},
      {{{"eth0", Family::v6, 1}, {"eth1", Family::v4, 100}}, "", "198.51.100.0/24 "},
      {{{"eth1", Family::v4, 100}}, "eth0", "10.1.0.0/16 fd00:1::/64 "},
      {{{"eth1", Family::v4, 100}}, "eth7", ""},
      {{{"tun0", Family::v4, 1}}, "", ""},
  };
  for (const auto& item : kCases) {
    STRCMP_EQUAL(item.expected,
                 texts(choose_networks(two_interfaces(), item.routes, item.configured)).c_str());
  }
}

TEST(Networks, routes_are_read_as_the_kernel_writes_them) {
  const auto routes = parse_routes4(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
      "eth1\t0000000A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
      "*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n"
      "half a line\n\n");
  CHECK_EQUAL(1, routes.size());
  STRCMP_EQUAL("eth0", routes[0].interface.c_str());
  CHECK_EQUAL(100, routes[0].metric);
  const std::string zero(32, '0');
  const auto routes6 = parse_routes6(zero + " 00 " + zero +
                                     " 00 fe800000000000000000000000000001 00000400 00000001 "
                                     "00000000 00000003     eth0\n" +
                                     zero + " 00 " + zero + " 00 " + zero +
                                     " ffffffff 00000001 00000000 00200200       lo\n" + "x\n");
  CHECK_EQUAL(1, routes6.size());
  STRCMP_EQUAL("eth0", routes6[0].interface.c_str());
  CHECK_EQUAL(0x400, routes6[0].metric);
}

TEST(Networks, the_kernels_own_addresses_are_found) {
  const OwnNetwork network;
  CHECK_TRUE(find_management_networks("").empty());
  run_tool({"/sbin/ip", "link", "add", "a0", "type", "veth", "peer", "name", "a1"});
  run_tool({"/sbin/ip", "link", "add", "b0", "type", "veth", "peer", "name", "b1"});
  run_tool({"/sbin/ip", "addr", "add", "10.1.2.3/20", "dev", "a0"});
  run_tool({"/sbin/ip", "addr", "add", "10.9.2.3/24", "dev", "b0"});
  run_tool({"/sbin/ip", "addr", "add", "fd00:9::3/64", "dev", "b0", "nodad"});
  run_tool({"/sbin/ip", "link", "set", "a0", "up"});
  run_tool({"/sbin/ip", "link", "set", "b0", "up"});
  STRCMP_EQUAL("10.1.0.0/20 ", texts(find_management_networks("")).c_str());
  run_tool({"/sbin/ip", "route", "add", "default", "via", "10.9.2.1"});
  STRCMP_EQUAL("10.9.2.0/24 fd00:9::/64 ", texts(find_management_networks("")).c_str());
  STRCMP_EQUAL("10.1.0.0/20 ", texts(find_management_networks("a0")).c_str());
}
