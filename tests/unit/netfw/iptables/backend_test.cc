// SPDX-License-Identifier: Apache-2.0
#include "netfw/iptables/backend.h"

#include <CppUTest/TestHarness.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/support/check_result.h"
#include "tests/unit/netfw/firewall_suite.h"
#include "tests/unit/netfw/haproxy_fixture.h"
#include "tests/unit/netfw/netns.h"

using namespace netfw;
using namespace netfw_test;
using namespace std::chrono_literals;

// clang-format off
TEST_GROUP(IptablesBackend) {
  TwoNodes nodes;
  std::string lock = "/tmp/netfw-test-xtables." + std::to_string(getpid());
  std::unique_ptr<FwBackend> backend;

  void setup() override {
    backend = UNWRAP(IptablesBackend::make({NETFW_IPTC_HELPER, lock}));
  }
  void teardown() override {
    backend.reset();
    unlink(lock.c_str());
  }
};
// clang-format on

FIREWALL_CONFORMANCE(IptablesBackend)

TEST(IptablesBackend, the_rules_stay_few_whatever_runs) {
  for (const Family family : kFamilies) {
    CHECK_TRUE(compile_rules(family, false).size() <= kRulesMax);
  }
}

TEST(IptablesBackend, other_programs_show_our_rules_without_unknown_revisions) {
  CHECK_OK(backend->apply(compile_policy(test_policy()), Scope::all_sets, 5s));
  for (const char* const tool : {"/usr/sbin/iptables-legacy", "/usr/sbin/ip6tables-legacy"}) {
    const std::string text = run_tool({tool, "-S"});
    CHECK_TRUE(text.find("unsupported") == std::string::npos);
    CHECK_TRUE(text.find("-A INPUT -j GESTALT-IN") != std::string::npos);
    CHECK_TRUE(text.find("--match-set gestalt-public-tcp dst") != std::string::npos);
  }
}

TEST(IptablesBackend, rules_of_others_stay_byte_for_byte) {
  const std::string tool = "/usr/sbin/iptables-legacy";
  run_tool({tool, "-N", "DOCKER-USER"});
  run_tool({tool, "-A", "DOCKER-USER", "-p", "tcp", "-m", "multiport", "--dports", "1,2:9", "-m",
            "limit", "--limit", "3/s", "-j", "REJECT", "--reject-with", "tcp-reset"});
  run_tool({tool, "-A", "FORWARD", "-j", "DOCKER-USER"});
  run_tool({tool, "-A", "INPUT", "-s", "192.0.2.0/24", "-j", "LOG", "--log-prefix", "x y"});
  run_tool({tool, "-P", "FORWARD", "DROP"});
  const std::string before = run_tool({tool, "-S"});
  CHECK_OK(backend->apply(compile_policy(test_policy()), Scope::all_sets, 5s));
  CHECK_TRUE(run_tool({tool, "-S"}) != before);
  CHECK_OK(backend->remove());
  STRCMP_EQUAL(before.c_str(), run_tool({tool, "-S"}).c_str());
}

TEST(IptablesBackend, our_jump_comes_back_to_the_first_place_when_others_moved_it) {
  const FirewallIr ir = compile_policy(test_policy());
  CHECK_OK(backend->apply(ir, Scope::all_sets, 5s));
  const std::string tool = "/usr/sbin/iptables-legacy";
  run_tool({tool, "-I", "INPUT", "1", "-p", "tcp", "--dport", "9999", "-j", "ACCEPT"});
  CHECK_TRUE(UNWRAP(backend->apply(ir, Scope::all_sets, 5s)).rules_written);
  check_kernel(nodes, ir);
  run_tool({tool, "-F", "INPUT"});
  CHECK_TRUE(UNWRAP(backend->apply(ir, Scope::all_sets, 5s)).rules_written);
  check_kernel(nodes, ir);
}

// The kernel notices only a change of the number of rules. A writer that takes no lock replaces a
// rule after ours was read and before it is written: the helper, held up there by strace, must see
// it.
TEST(IptablesBackend, a_rule_that_others_replace_between_our_read_and_our_commit_is_not_lost) {
  const std::string slow_helper = lock + ".helper";
  // Of the helper's calls the 24th asks for the table again, just before the commit.
  std::ofstream(slow_helper)
      << "#!/bin/sh\nexec /usr/bin/strace -qq -o /dev/null -e trace=getsockopt "
         "-e inject=getsockopt:delay_enter=1000000:when=24 "
      << NETFW_IPTC_HELPER << "\n";
  chmod(slow_helper.c_str(), 0700);
  const std::string tool = "/usr/sbin/iptables-legacy";
  run_tool({tool, "-A", "INPUT", "-p", "tcp", "--dport", "1", "-j", "ACCEPT"});
  auto slow = UNWRAP(IptablesBackend::make({slow_helper, lock}));
  FirewallIr ir = compile_policy(test_policy());
  base::Result<FirewallApplied> applied = FirewallApplied{};
  const int space = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  std::thread writer([&] {
    setns(space, CLONE_NEWNET);
    applied = slow->apply(ir, Scope::all_sets, 10s);
  });
  const sys::Fd watch(open(lock.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0600));
  const auto is_held = [&] {
    if (flock(watch.get(), LOCK_EX | LOCK_NB) != 0) return true;
    flock(watch.get(), LOCK_UN);
    return false;
  };
  CHECK_TRUE(eventually(is_held));
  usleep(200'000);  // the first read takes a millisecond, the pause before the second a second
  run_tool({"/usr/bin/env", "XTABLES_LOCKFILE=" + lock + ".other", tool, "-R", "INPUT", "1", "-p",
            "tcp", "--dport", "2", "-j", "ACCEPT"});
  CHECK_TRUE(is_held());
  writer.join();
  close(space);
  CHECK_OK(applied);
  const std::string rules = run_tool({tool, "-S", "INPUT"});
  CHECK_TRUE(rules.find("--dport 2 ") != std::string::npos);
  CHECK_TRUE(rules.find("-A INPUT -j GESTALT-IN") != std::string::npos);
  unlink(slow_helper.c_str());
  unlink((lock + ".other").c_str());
}

TEST(IptablesBackend, writers_that_take_the_lock_and_ours_lose_nothing_of_each_other) {
  const std::vector<std::string> tool = {"/usr/bin/env", "XTABLES_LOCKFILE=" + lock,
                                         "/usr/sbin/iptables-legacy", "-w"};
  const auto other = [&](std::vector<std::string> words) {
    words.insert(words.begin(), tool.begin(), tool.end());
    return run_tool(words);
  };
  other({"-A", "INPUT", "-p", "tcp", "--dport", "1", "-j", "ACCEPT"});
  const int space = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  std::atomic<bool> ending = false;
  unsigned failures = 0;
  unsigned writes = 0;
  FirewallIr ir = compile_policy(test_policy());
  std::thread ours([&] {
    setns(space, CLONE_NEWNET);
    while (!ending) {
      ir.forward = !ir.forward;
      ++writes;
      if (!backend->apply(ir, Scope::all_sets, 10s)) ++failures;
    }
  });
  unsigned lost = 0;
  for (int i = 2; i < 60; ++i) {
    // Our jump is put first, so the rule's number is found anew each time.
    const std::string port = std::to_string(i);
    other({"-A", "INPUT", "-p", "tcp", "--dport", port, "-j", "ACCEPT"});
    other({"-D", "INPUT", "-p", "tcp", "--dport", std::to_string(i - 1), "-j", "ACCEPT"});
    const std::string rules = other({"-S", "INPUT"});
    if (rules.find("--dport " + port + " ") == std::string::npos) ++lost;
    if (rules.find("--dport " + std::to_string(i - 1) + " ") != std::string::npos) ++lost;
  }
  ending = true;
  ours.join();
  close(space);
  CHECK_EQUAL(0, lost);
  CHECK_EQUAL(0, failures);
  CHECK_TRUE(writes > 10);
}

TEST(IptablesBackend, a_held_lock_is_waited_for_and_then_reported) {
  const sys::Fd holder(open(lock.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0600));
  CHECK_EQUAL(0, flock(holder.get(), LOCK_EX));
  const FirewallIr ir = compile_policy(test_policy());
  CHECK_ERROR(base::Code::timed_out, "firewall_lock_held",
              backend->apply(ir, Scope::all_sets, 100ms));
  CHECK_EQUAL(0, flock(holder.get(), LOCK_UN));
  CHECK_OK(backend->apply(ir, Scope::all_sets, 5s));
}
