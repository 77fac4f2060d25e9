// SPDX-License-Identifier: Apache-2.0
#include "tests/support/check_result.h"
#include "tests/unit/node/preflight/fake_machine.h"

namespace {

using node::preflight::Finding;
using node::preflight::Role;
using node::preflight::TableState;
using node::preflight::Verdict;

void expect(Verdict verdict, const std::string& found, const Finding& finding) {
  STRCMP_EQUAL(found.c_str(), finding.found.c_str());
  STRCMP_EQUAL(std::string(node::preflight::verdict_name(verdict)).c_str(),
               std::string(node::preflight::verdict_name(finding.verdict)).c_str());
}

}  // namespace

TEST_GROUP(PreflightNet) { FakeMachine machine; };

TEST(PreflightNet, iptables_needs_both_tables) {
  expect(Verdict::pass, "filter and nat are there", machine.look("fw.iptables"));
  machine.probes.tables = TableState::missing;
  expect(Verdict::fail, "no legacy table filter, nat (nf_tables is there)",
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
