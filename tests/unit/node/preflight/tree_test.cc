// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/tree.h"

#include "node/preflight/probes.h"
#include "tests/support/check_result.h"
#include "tests/unit/node/preflight/fake_machine.h"

using node::preflight::Tree;

TEST_GROUP(Tree) {
  FakeMachine machine;
  Tree tree{machine.at("")};
};

TEST(Tree, what_is_absent_is_nothing_and_no_error) {
  CHECK_FALSE(tree.exists("/none"));
  CHECK_FALSE(tree.text("/none").has_value());
  CHECK_FALSE(tree.number("/none").has_value());
  CHECK_FALSE(tree.link("/none").has_value());
  CHECK_FALSE(tree.head("/none", 10).has_value());
  LONGS_EQUAL(0, tree.names("/none").size());
}

TEST(Tree, text_is_trimmed_and_a_number_is_a_whole_number) {
  machine.write("a", " 42 \n");
  STRCMP_EQUAL("42", tree.text("/a")->c_str());
  CHECK_EQUAL(42ULL, *tree.number("a"));
  for (const char* wrong : {"", "max", "-1", "4 2", "99999999999999999999"}) {
    machine.write("a", wrong);
    CHECK_FALSE(tree.number("/a").has_value());
  }
}

TEST(Tree, the_head_of_a_file_is_cut_and_a_short_file_is_short) {
  machine.write("a", "0123456789");
  STRCMP_EQUAL("0123", tree.head("/a", 4)->c_str());
  LONGS_EQUAL(10, tree.head("/a", 100)->size());
}

TEST(Tree, names_are_sorted) {
  machine.write("d/b", "");
  machine.write("d/a", "");
  const auto names = tree.names("/d");
  STRCMP_EQUAL("a", names.at(0).c_str());
  STRCMP_EQUAL("b", names.at(1).c_str());
}

TEST(Tree, only_the_root_is_real_and_without_it_no_probe_answers) {
  CHECK(Tree().is_real());
  CHECK_FALSE(tree.is_real());
  const auto probes = node::preflight::no_probes();
  CHECK_FALSE(probes->clock_synchronised().has_value());
  CHECK_FALSE(probes->iptables_table("filter").has_value());
  CHECK_FALSE(probes->resolve("localhost").has_value());
}

TEST(Tree, live_probes_answer_on_this_machine) {
  const auto probes = node::preflight::live_probes();
  CHECK(probes->clock_synchronised().has_value());
  CHECK(*probes->filesystem_bytes("/") > 0);
  CHECK_FALSE(probes->filesystem_bytes("/nonexistent").has_value());
  STRCMP_EQUAL("127.0.0.1", probes->resolve("localhost")->at(0).c_str());
  LONGS_EQUAL(0, probes->resolve("no-such-host.invalid")->size());
}
