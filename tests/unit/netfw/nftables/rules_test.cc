// SPDX-License-Identifier: Apache-2.0
#include "netfw/nftables/rules.h"

#include <netinet/in.h>  // before the kernel's headers, which give way to it

#include <CppUTest/TestHarness.h>
#include <linux/netfilter/nf_tables.h>

#include <random>

#include "netfw/nftables/attributes.h"
#include "netfw/nftables/elements.h"
#include "netfw/nftables/socket.h"
#include "tests/support/check_result.h"

using namespace netfw;
using namespace netfw::nft;

namespace {

std::string expressions(const Rule& rule, Family family) {
  return render_rule(rule, family).expressions.bytes();
}

}  // namespace

TEST_GROUP(NftRules){};

TEST(NftRules, each_rule_is_the_same_as_itself_and_as_no_other) {
  for (const Family family : kFamilies) {
    const std::vector<Rule> rules = compile_rules(family, false);
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const RenderedRule one = render_rule(rules[i], family);
      CHECK_TRUE(one.userdata.find(rules[i].name) != std::string::npos);
      for (std::size_t j = 0; j < rules.size(); ++j) {
        // Both chains begin and end alike.
        const bool alike =
            rules[i].name == rules[j].name && rules[i].icmp_type == rules[j].icmp_type;
        CHECK_EQUAL(alike, is_same_rule(one, expressions(rules[j], family)));
      }
    }
  }
}

TEST(NftRules, what_the_kernel_lists_beyond_counts_unless_it_is_zero) {
  Rule rule{.name = "x"};
  rule.ports = SetId::public_tcp;
  const RenderedRule sent = render_rule(rule, Family::v4);
  const auto with_flags = [&](std::uint32_t flags) {
    Attributes out;
    for_each_attribute(sent.expressions.bytes(), [&](std::uint16_t type, std::string_view item) {
      auto parts = parse_attributes(item);
      Attributes data;
      for_each_attribute(parts[NFTA_EXPR_DATA],
                         [&](std::uint16_t key, std::string_view value) { data.put(key, value); });
      if (read_text(parts[NFTA_EXPR_NAME]) == "lookup") data.put_u32(NFTA_LOOKUP_FLAGS, flags);
      Attributes expression;
      expression.put_text(NFTA_EXPR_NAME, read_text(parts[NFTA_EXPR_NAME]));
      expression.nest(NFTA_EXPR_DATA, data);
      out.nest(type, expression);
    });
    return out.bytes();
  };
  CHECK_TRUE(is_same_rule(sent, with_flags(0)));
  CHECK_FALSE(is_same_rule(sent, with_flags(NFT_LOOKUP_F_INV)));
}

TEST(NftRules, cut_and_damaged_listings_are_other_rules_and_nothing_worse) {
  std::mt19937 random(7);
  const Rule rule = compile_rules(Family::v6, false).at(3);
  const RenderedRule sent = render_rule(rule, Family::v6);
  const std::string good = sent.expressions.bytes();
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(is_same_rule(sent, std::string_view(good).substr(0, size)));
  }
  for (int round = 0; round < 3000; ++round) {
    std::string bad = good;
    for (unsigned i = random() % 4; i < 4; ++i)
      bad[random() % bad.size()] = static_cast<char>(random());
    is_same_rule(sent, bad);
    ElementReader reader(SetId::management, Family::v4);
    reader.read(bad);
    FirewallSets sets;
    reader.store(sets);
  }
}

TEST(NftRules, members_come_back_from_the_messages_that_made_them) {
  SetChange change{.id = SetId::management};
  for (const char* const text : {"0.0.0.0/1", "128.0.0.0/1"}) {
    change.nets_added.push_back(UNWRAP(IpNet::parse(text)));
  }
  const auto messages = make_changes({change});
  CHECK_EQUAL(1, messages.size());
  ElementReader reader(SetId::management, Family::v4);
  reader.read(messages[0].attributes.bytes());
  FirewallSets sets;
  reader.store(sets);
  CHECK_TRUE(sets.nets[SetId::management] ==
             (std::set<IpNet>{change.nets_added[0], change.nets_added[1]}));
  CHECK_EQUAL(1, make_set(SetId::public_tcp).size());
  CHECK_EQUAL(2, make_set(SetId::instances).size());
}

TEST(NftRules, a_refused_message_is_named_and_nothing_of_its_batch_stays) {
  auto socket = UNWRAP(Socket::open());
  Message table{.type = NFT_MSG_NEWTABLE, .flags = 0x400, .family = 1};
  table.attributes.put_text(NFTA_TABLE_NAME, "gestalt-test-batch");
  Message wrong{.type = NFT_MSG_DELTABLE, .family = 1};
  wrong.attributes.put_text(NFTA_TABLE_NAME, "gestalt-test-absent");
  const auto done = socket.commit({table, wrong, table});
  CHECK_FALSE(done.has_value());
  CHECK_EQUAL(ENOENT, done.error().os_errno);
  CHECK_TRUE(done.error().detail.find("message 2") != std::string::npos);
  unsigned found = 0;
  CHECK_OK(socket.list({.type = NFT_MSG_GETTABLE, .family = 1}, [&](std::string_view attributes) {
    if (read_text(parse_attributes(attributes)[NFTA_TABLE_NAME]) == "gestalt-test-batch") ++found;
  }));
  CHECK_EQUAL(0, found);
}
