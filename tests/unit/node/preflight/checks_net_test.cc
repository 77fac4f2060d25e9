// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "tests/support/check_result.h"
#include "tests/unit/node/preflight/fake_machine.h"

namespace {

using node::preflight::Finding;
using node::preflight::Role;
using node::preflight::TableState;
using node::preflight::Verdict;

}  // namespace

TEST_GROUP(PreflightNet) { FakeMachine machine; };

TEST(PreflightNet, a_packet_filter_of_either_kind_will_do) {
  expect(Verdict::pass, "filter and nat are there", machine.look("fw.iptables"));
  machine.probes.tables = TableState::missing;
  expect(Verdict::pass, "nf_tables", machine.look("fw.iptables"));
  machine.probes.nft = TableState::missing;
  expect(Verdict::fail, "no legacy table filter, nat, no nf_tables",
         machine.look("fw.iptables", Role::appliance));
  machine.probes.tables = TableState::not_permitted;
  expect(Verdict::skipped, "may not ask the kernel", machine.look("fw.iptables"));
  machine.probes.tables = std::nullopt;
  expect(Verdict::skipped, "not looked at", machine.look("fw.iptables"));
}

TEST(PreflightNet, a_running_firewalld_is_a_conflict) {
  expect(Verdict::pass, "no other firewall manager", machine.look("fw.conflict"));
  machine.write("run/firewalld.pid", "700\n");
  expect(Verdict::fail, "firewalld runs", machine.look("fw.conflict"));
}

TEST(PreflightNet, loopback_alone_is_no_address) {
  expect(Verdict::pass, "10.0.0.2", machine.look("net.addr"));
  machine.write("proc/net/fib_trie", "   |-- 127.0.0.1\n      /32 host LOCAL\n");
  expect(Verdict::fail, "only loopback", machine.look("net.addr"));
}

TEST(PreflightNet, the_host_name_must_lead_to_an_address_of_this_machine) {
  expect(Verdict::pass, "n1.example is 10.0.0.2", machine.look("net.name"));
  machine.write("etc/hosts", "127.0.1.1 n1.example # by the installer\n");
  expect(Verdict::warn, "n1.example is 127.0.1.1, which peers cannot reach",
         machine.look("net.name"));
  machine.write("etc/hosts", "127.0.0.1 localhost\n");
  expect(Verdict::pass, "n1.example is 10.0.0.2", machine.look("net.name"));  // by the resolver
  machine.probes.addresses = {};
  expect(Verdict::fail, "n1.example does not resolve", machine.look("net.name"));
  machine.write("proc/sys/kernel/hostname", "localhost\n");
  expect(Verdict::fail, "localhost", machine.look("net.name"));
}

TEST(PreflightNet, an_undisciplined_clock_fails) {
  expect(Verdict::pass, "the clock is disciplined", machine.look("time.sync"));
  machine.probes.synchronised = false;
  expect(Verdict::fail, "nothing disciplines the clock", machine.look("time.sync"));
  machine.write("run/systemd/timesync/synchronized", "");
  expect(Verdict::pass, "the clock is disciplined", machine.look("time.sync"));
}

TEST(PreflightNet, free_ports_and_our_own_pass) {
  expect(Verdict::pass, "all free", machine.look("ports.local"));
  machine.listener("1F90", 812, "gestalt-masterd", "gestalt-masterd.service");
  expect(Verdict::pass, "1 held by Gestalt, others free", machine.look("ports.local"));
}

TEST(PreflightNet, a_foreign_owner_is_named_with_pid_and_unit) {
  machine.listener("1F90", 812, "java", "tomcat.service");
  expect(Verdict::fail, "8080 is held by java (pid 812, tomcat.service)",
         machine.look("ports.local", Role::appliance));
  machine.remove("proc/812");
  expect(Verdict::fail, "8080 is held by an unknown process", machine.look("ports.local"));
  machine.listener("2328", 813, "php-fpm", "php.service");
  expect(Verdict::fail, "9000 is held by php-fpm (pid 813, php.service)",
         machine.look("ports.local"));
}

TEST(PreflightNet, undocumented_ports_and_ssh_do_not_matter) {
  machine.listener("0016", 700, "sshd", "sshd.service");
  expect(Verdict::pass, "all free", machine.look("ports.local"));
  machine.listener("0FA1", 700, "java", "x.service");  // 4001, one past the container ports
  expect(Verdict::pass, "all free", machine.look("ports.local"));
  machine.listener("0FA0", 700, "java", "x.service");
  expect(Verdict::fail, "4000 is held by java (pid 700, x.service)", machine.look("ports.local"));
}

TEST(PreflightNet, a_dmz_node_does_not_need_the_master_ports) {
  machine.listener("1F90", 812, "java", "tomcat.service");
  expect(Verdict::pass, "all free", machine.look("ports.local", Role::dmz));
}

TEST(PreflightNet, exactly_one_time_service_must_run) {
  expect(Verdict::pass, "chronyd", machine.look("time.source"));
  machine.write("proc/701/comm", "systemd-timesyn\n");
  const Finding both = machine.look("time.source");
  expect(Verdict::fail, "chronyd and systemd-timesyncd both run", both);
  STRCMP_EQUAL("keep one: systemctl disable --now systemd-timesyncd", both.fix.c_str());
  machine.remove("proc/700");
  expect(Verdict::pass, "systemd-timesyncd", machine.look("time.source"));
  machine.remove("proc/701");
  expect(Verdict::fail, "no time service runs", machine.look("time.source"));
  expect(Verdict::warn, "no time service runs", machine.look("time.source", Role::appliance));
}

TEST(PreflightNet, peers_must_answer_soon_and_take_whole_packets) {
  using std::chrono::microseconds;
  const struct {
    node::preflight::PeerAnswer answer;
    Verdict verdict;
    const char* found;
    const char* fix;
  } cases[] = {
      {{"10.0.0.3", microseconds(312), 1500}, Verdict::pass, "n2 0.3 ms", ""},
      {{"10.0.0.3", microseconds(10'000), 1500}, Verdict::pass, "n2 10.0 ms", ""},
      {{"10.0.0.3", microseconds(25'400), 1500},
       Verdict::warn,
       "n2 25.4 ms",
       "place the nodes of a cluster in one data centre"},
      {{"10.0.0.3", microseconds(900), 1450},
       Verdict::warn,
       "n2 0.9 ms, MTU 1450",
       "give each interface on the way an MTU of 1500 or more"},
      {{"10.0.0.3", microseconds(900), 0},
       Verdict::warn,
       "n2 0.9 ms, loses large packets",
       "give each interface on the way an MTU of 1500 or more"},
      {{"10.0.0.3", {}, 0},
       Verdict::fail,
       "n2 does not answer",
       "check its name, cable, VLAN and firewall, which must let ICMP echo through"},
      {{"", {}, 0},
       Verdict::fail,
       "n2 does not resolve",
       "check its name, cable, VLAN and firewall, which must let ICMP echo through"},
  };
  for (const auto& each : cases) {
    machine.probes.peers["n2"] = each.answer;
    const Finding finding =
        machine.run({.only = {"net.peers"}, .peers = {"n2"}}).findings.at(0).finding;
    expect(each.verdict, each.found, finding);
    STRCMP_EQUAL(each.fix, finding.fix.c_str());
  }
}

TEST(PreflightNet, one_bad_peer_fails_and_the_others_are_told_too) {
  using std::chrono::microseconds;
  machine.probes.peers["n2"] = {"10.0.0.3", {}, 0};
  machine.probes.peers["n3"] = {"10.0.0.4", microseconds(200), 1500};
  expect(Verdict::fail, "n2 does not answer; n3 0.2 ms",
         machine.run({.only = {"net.peers"}, .peers = {"n2", "n3"}}).findings.at(0).finding);
}

TEST(PreflightNet, without_peers_or_without_rights_nobody_is_asked) {
  expect(Verdict::skipped, "no peers named (--peer HOST)", machine.look("net.peers"));
  expect(Verdict::skipped, "may not send echo requests",
         machine.run({.only = {"net.peers"}, .peers = {"n2"}}).findings.at(0).finding);
}
