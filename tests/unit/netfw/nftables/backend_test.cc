// SPDX-License-Identifier: Apache-2.0
#include "netfw/nftables/backend.h"

#include <CppUTest/TestHarness.h>

#include "tests/support/check_result.h"
#include "tests/unit/netfw/firewall_suite.h"

using namespace netfw;
using namespace netfw_test;
using namespace std::chrono_literals;

namespace {

const char* const kNft = "/usr/sbin/nft";

}  // namespace

// clang-format off
TEST_GROUP(NftablesBackend) {
  TwoNodes nodes;
  std::unique_ptr<FwBackend> backend;
  void setup() override { backend = UNWRAP(NftablesBackend::make()); }
  void nft(const std::vector<std::string>& words) {
    std::vector<std::string> argv = {kNft};
    argv.insert(argv.end(), words.begin(), words.end());
    run_tool(argv);
  }
  std::string ruleset() { return run_tool({kNft, "-s", "list", "ruleset"}); }
};
// clang-format on

FIREWALL_CONFORMANCE(NftablesBackend)

TEST(NftablesBackend, nft_shows_our_rules_by_name_with_counters) {
  CHECK_OK(backend->apply(compile_policy(test_policy()), Scope::all_sets, 5s));
  check_kernel(nodes, compile_policy(test_policy()));
  const std::string text = run_tool({kNft, "list", "table", "inet", "gestalt"});
  for (const char* const part :
       {"type filter hook input priority filter; policy accept;", "iifname \"lo\"",
        "ct state invalid", "ct state established,related", "tcp dport @public-tcp",
        "ip saddr @management4", "ip6 saddr @management6", "ip daddr . meta l4proto . th dport",
        "comment \"gestalt ssh\"", "icmp type", "ip6 saddr fe80::/10", "counter packets 0"}) {
    CHECK_TRUE_TEXT(text.find(part) != std::string::npos,
                    (std::string(part) + "\n" + text).c_str());
  }
  // What was dropped was counted.
  const std::size_t last = text.rfind("drop comment \"gestalt default\"");
  CHECK_TRUE(last != std::string::npos);
  CHECK_TRUE(text.find("counter packets 0 bytes 0 drop comment \"gestalt default\"") ==
                 std::string::npos ||
             text.find("counter packets 0 bytes 0 drop") != last);
}

TEST(NftablesBackend, tables_of_others_stay_as_they_are) {
  nft({"add", "table", "inet", "other"});
  nft({"add", "chain", "inet", "other", "input", "{ type filter hook input priority 10; }"});
  nft({"add", "rule", "inet", "other", "input", "tcp", "dport", "1-9", "counter", "reject"});
  nft({"add", "table", "ip", "gestalt"});  // another family's table is another table
  const std::string before = ruleset();
  FirewallIr ir = compile_policy(test_policy());
  CHECK_EQUAL(1, UNWRAP(backend->apply(ir, Scope::all_sets, 5s)).foreign_rules);
  CHECK_FALSE(before == ruleset());
  ir.forward = true;
  CHECK_OK(backend->apply(ir, Scope::all_sets, 5s));
  CHECK_OK(backend->remove());
  STRCMP_EQUAL(before.c_str(), ruleset().c_str());
}

TEST(NftablesBackend, whatever_others_do_to_our_table_is_put_back_in_one_step) {
  const FirewallIr ir = compile_policy(test_policy());
  CHECK_OK(backend->apply(ir, Scope::all_sets, 5s));
  const std::string good = ruleset();
  const std::vector<std::vector<std::string>> meddling = {
      {"flush", "chain", "inet", "gestalt", "input"},
      {"flush", "chain", "inet", "gestalt", "input4"},
      {"flush", "table", "inet", "gestalt"},
      {"delete", "table", "inet", "gestalt"},
      {"insert", "rule", "inet", "gestalt", "input4", "tcp", "dport", "9999", "accept"},
      {"add", "rule", "inet", "gestalt", "forward6", "accept"},
      {"flush", "set", "inet", "gestalt", "public-tcp"},
      {"add", "element", "inet", "gestalt", "management4", "{ 203.0.113.7-203.0.113.9 }"},
      {"add", "element", "inet", "gestalt", "service-tcp", "{ 4444 }"},
      {"flush", "ruleset"},
  };
  for (const auto& words : meddling) {
    nft(words);
    CHECK_FALSE_TEXT(good == ruleset(), words.back().c_str());
    CHECK_OK(backend->apply(ir, Scope::all_sets, 5s));
    CHECK_TRUE(difference(UNWRAP(backend->read_sets()), ir.sets).empty());
    const FirewallApplied again = UNWRAP(backend->apply(ir, Scope::all_sets, 5s));
    CHECK_FALSE(again.rules_written);
    CHECK_EQUAL(0, again.elements_written);
  }
  check_kernel(nodes, ir);
}

TEST(NftablesBackend, a_rule_that_was_replaced_by_one_like_it_is_noticed) {
  const FirewallIr ir = compile_policy(test_policy());
  CHECK_OK(backend->apply(ir, Scope::all_sets, 5s));
  // The same rule but for one word, each.
  for (const char* const script :
       {"s/dport 22 /dport 23 /", "s/@public-tcp/@service-tcp/",
        "s/counter drop comment \"gestalt default\"/counter accept comment \"gestalt default\"/",
        "s/ct state invalid/ct state != invalid/", "s/saddr @management4/saddr != @management4/"}) {
    run_tool(
        {"/bin/sh", "-c",
         "(echo 'table inet gestalt'; echo 'delete table inet gestalt'; nft -s list table inet "
         "gestalt | sed '" +
             std::string(script) +
             "') > /tmp/rules.$$; nft -f /tmp/rules.$$; rm "
             "/tmp/rules.$$"});
    CHECK_TRUE_TEXT(UNWRAP(backend->apply(ir, Scope::all_sets, 5s)).rules_written, script);
  }
}
