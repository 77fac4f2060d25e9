// SPDX-License-Identifier: Apache-2.0
#include "netfw/model/access.h"

#include <CppUTest/TestHarness.h>

#include "tests/support/check_result.h"
#include "tests/unit/netfw/hostile_policies.h"

using namespace netfw;
using namespace netfw_test;

// clang-format off
TEST_GROUP(Access) {
  Policy from = default_policy();
  Policy to = default_policy();

  // "22 from 10.0.0.0/8, …"
  std::string lost() {
    std::string out;
    for (const AccessLoss& loss : access_lost(compile_policy(from), compile_policy(to))) {
      out += (out.empty() ? "" : ", ") + std::to_string(loss.port) + " from " + loss.source.text();
    }
    return out;
  }
  static std::vector<IpNet> nets(const std::vector<std::string>& texts) {
    std::vector<IpNet> out;
    for (const std::string& text : texts) out.push_back(*IpNet::parse(text));
    return out;
  }
};
// clang-format on

TEST(Access, the_same_policy_and_one_with_other_public_ports_take_nothing_away) {
  STRCMP_EQUAL("", lost().c_str());
  to.public_tcp = {8443};
  to.public_udp = {53};
  to.cluster_tcp = {};
  to.cluster = nets({"198.51.100.0/24"});
  to.forward = true;
  STRCMP_EQUAL("", lost().c_str());
}

TEST(Access, a_management_network_that_goes_is_lost_for_ssh_and_each_management_port) {
  from.management = nets({"10.0.0.0/8", "192.168.0.0/16"});
  to.management = nets({"192.168.0.0/16"});
  from.management_tcp = to.management_tcp = {8080, 5050};
  STRCMP_EQUAL("22 from 10.0.0.0/8, 5050 from 10.0.0.0/8, 8080 from 10.0.0.0/8", lost().c_str());
}

TEST(Access, the_policy_that_locked_ssh_out_by_one_call_does_so_for_all) {
  to.management = nets({"192.0.2.1/32"});
  from.management_tcp = {};
  CHECK_OK(check_invariants(compile_policy(to)));
  STRCMP_EQUAL(
      "22 from 10.0.0.0/8, 22 from 172.16.0.0/12, 22 from 192.168.0.0/16, 22 from fc00::/7, "
      "22 from fe80::/10",
      lost().c_str());
}

TEST(Access, networks_that_cover_another_together_keep_it) {
  from.management_tcp = to.management_tcp = {};
  from.management = nets({"10.0.0.0/8", "fd00::/16"});
  to.management = nets({"10.0.0.0/9", "10.128.0.0/10", "10.192.0.0/10", "fc00::/7"});
  STRCMP_EQUAL("", lost().c_str());
  to.management = nets({"10.0.0.0/9", "10.192.0.0/10", "fc00::/7"});
  STRCMP_EQUAL("22 from 10.0.0.0/8", lost().c_str());
  to.management = nets({"0.0.0.0/0"});
  STRCMP_EQUAL("22 from fd00::/16", lost().c_str());
  from.management = nets({"0.0.0.0/0", "::/0"});
  to.management = nets({"::/0", "0.0.0.0/1"});
  STRCMP_EQUAL("22 from 128.0.0.0/1", lost().c_str());
}

TEST(Access, a_management_port_that_goes_is_lost_for_all_also_when_others_get_it) {
  from.management = to.management = nets({"10.0.0.0/8"});
  from.management_tcp = {22, 5050, 8080};
  to.management_tcp = {8080};
  to.public_tcp = {80, 5050};
  STRCMP_EQUAL("5050 from 10.0.0.0/8", lost().c_str());
}

TEST(Access, ssh_of_the_cluster_and_of_everybody_counts) {
  from.management = to.management = nets({"10.0.0.0/8"});
  from.cluster = to.cluster = nets({"198.51.100.0/24"});
  from.cluster_tcp = {22, 7860};
  to.cluster_tcp = {7860};
  STRCMP_EQUAL("22 from 198.51.100.0/24", lost().c_str());
  to.public_tcp = {22};
  STRCMP_EQUAL("", lost().c_str());
  std::swap(from, to);
  STRCMP_EQUAL("22 from 0.0.0.0/0, 22 from ::/0", lost().c_str());
}

TEST(Access, a_list_of_losses_has_an_end) {
  for (std::uint16_t port = 1000; port < 1500; ++port) from.management_tcp.push_back(port);
  to.management = nets({"192.0.2.1/32"});
  LONGS_EQUAL(kLossesMax, access_lost(compile_policy(from), compile_policy(to)).size());
}

TEST(Access, it_agrees_with_the_rules_for_random_policies) {
  HostilePolicies policies(4711);
  int harmless = 0;
  for (int round = 0; round < 1000; ++round) {
    from = policies.draw();
    to = round % 2 == 0 ? policies.draw() : policies.widen(from);
    const Managers gone = missing(managers(compile_policy(from)), managers(compile_policy(to)));
    STRCMP_EQUAL_TEXT(gone.empty() ? "nothing" : "something",
                      lost().empty() ? "nothing" : "something",
                      ("round " + std::to_string(round)).c_str());
    harmless += gone.empty() ? 1 : 0;
  }
  CHECK_COMPARE(harmless, >=, 500);
  CHECK_COMPARE(harmless, <=, 950);
}

TEST(Access, no_sequence_of_harmless_changes_takes_anything_away) {
  HostilePolicies policies(815);
  Policy stored = policies.draw();
  Managers first = managers(compile_policy(stored));
  int changes = 0;
  for (int round = 0; round < 10000; ++round) {
    // What is stored only grows; after a while it gives everything, and a new node begins.
    if (round % 20 == 0) {
      stored = policies.draw();
      first = managers(compile_policy(stored));
    }
    const Policy next = policies.below(3) == 0 ? policies.widen(stored) : policies.draw();
    if (!access_lost(compile_policy(stored), compile_policy(next)).empty()) continue;
    stored = next;
    ++changes;
    CHECK_TRUE(missing(first, managers(compile_policy(stored))).empty());
  }
  CHECK_COMPARE(changes, >=, 1000);
}
