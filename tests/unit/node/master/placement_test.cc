// SPDX-License-Identifier: Apache-2.0
#include "node/master/placement.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using namespace node::master;  // NOLINT: a test of this one namespace

TEST_GROUP(Placement) {
  std::map<std::string, NodeState> nodes;
  Refusals refusals;

  NodeState& add(const std::string& name, const std::string& rack) {
    NodeState& node = nodes[name];
    node.info.name = name;
    node.info.address = name;
    node.info.attributes["rack"] = rack;
    node.info.resources = {4, std::int64_t{8} << 30, 0};
    node.ports = PortPool(3000, 3004);
    node.known = node.live = true;
    return node;
  }
  App app(const std::string& constraints, const std::string& more = "") {
    Problems problems;
    auto made = make_app(base::Json::parse(R"({"id":"/a","cmd":"x","cpus":0.1,"constraints":)" +
                                           constraints + more + "}"),
                         "/", "", problems);
    if (!made) FAIL(problems.text().c_str());
    return std::move(*made);
  }
  // Places as many as it can, at most 12; returns how many stand on each node.
  std::map<std::string, int> fill(const App& wanted) {
    Spread spread(wanted, nodes, {});
    std::map<std::string, int> counts;
    for (int i = 0; i < 12; ++i) {
      NodeState* node = choose_node(wanted, nodes, spread, refusals);
      if (node == nullptr) break;
      occupy(wanted, *node);
      spread.add(*node);
      ++counts[node->info.name];
    }
    return counts;
  }
  void setup() override {
    add("n1", "r1");
    add("n2", "r1");
    add("n3", "r2");
  }
};

TEST(Placement, constraints_mean_what_marathon_says) {
  using Counts = std::map<std::string, int>;
  const struct {
    const char* constraints;
    Counts expected;
  } kCases[] = {
      {R"([["hostname","UNIQUE"]])", {{"n1", 1}, {"n2", 1}, {"n3", 1}}},
      {R"([["rack","UNIQUE"]])", {{"n1", 1}, {"n3", 1}}},
      {R"([["hostname","CLUSTER","n2"]])", {{"n2", 5}}},
      {R"([["rack","LIKE","r[2-9]"]])", {{"n3", 5}}},
      {R"([["rack","UNLIKE","r2"]])", {{"n1", 5}, {"n2", 5}}},
      {R"([["rack","MAX_PER","2"]])", {{"n1", 1}, {"n2", 1}, {"n3", 2}}},
      {R"([["rack","IS","r2"],["hostname","MAX_PER","3"]])", {{"n3", 3}}},
      {R"([["none","LIKE",".*"]])", {}},
      {R"([["none","UNLIKE",".*"],["hostname","UNIQUE"]])", {{"n1", 1}, {"n2", 1}, {"n3", 1}}},
  };
  for (const auto& c : kCases) {
    nodes.clear();
    setup();
    if (fill(app(c.constraints)) != c.expected) FAIL(c.constraints);
  }
}

TEST(Placement, group_by_keeps_the_racks_even) {
  const auto counts = fill(app(R"([["rack","GROUP_BY"]])"));
  LONGS_EQUAL(5, counts.at("n3"));
  CHECK(counts.at("n1") + counts.at("n2") <= 6);
  CHECK(counts.at("n1") + counts.at("n2") >= 5);
}

TEST(Placement, a_cluster_without_a_value_stays_where_it_began) {
  LONGS_EQUAL(1, fill(app(R"([["hostname","CLUSTER"]])")).size());
}

TEST(Placement, apps_stay_out_of_the_dmz_unless_they_ask_for_it) {
  nodes["n1"].info.zone = node::api::Zone::dmz;
  CHECK(!fill(app("[]")).contains("n1"));
  nodes.clear();
  setup();
  nodes["n1"].info.zone = node::api::Zone::dmz;
  const auto counts = fill(app(R"([["zone","IS","dmz"]])"));
  LONGS_EQUAL(1, counts.size());
  CHECK(counts.contains("n1"));
}

TEST(Placement, what_is_missing_is_counted_per_node) {
  CHECK(fill(app("[]", R"(,"mem":100000)")).empty());
  LONGS_EQUAL(3, refusals.reasons.at("InsufficientMemory"));
  LONGS_EQUAL(3, refusals.nodes);
}

TEST(Placement, a_port_that_was_freed_last_is_taken_last) {
  PortPool pool(3000, 3002);
  const auto first = pool.take(1);
  LONGS_EQUAL(3000, first->at(0));
  pool.give_back(3000);
  LONGS_EQUAL(3001, pool.take(1)->at(0));
  LONGS_EQUAL(3002, pool.take(1)->at(0));
  LONGS_EQUAL(3000, pool.take(1)->at(0));
  CHECK(!pool.take(1));
  LONGS_EQUAL(0, pool.free_count());
}

TEST(Placement, a_port_taken_by_name_is_not_given_to_others) {
  PortPool pool(3000, 3002);
  pool.take_exactly(3001);
  const auto rest = pool.take(2);
  LONGS_EQUAL(3000, rest->at(0));
  LONGS_EQUAL(3002, rest->at(1));
  pool.give_back(3001);
  pool.give_back(3001);
  pool.give_back(9999);
  LONGS_EQUAL(1, pool.free_count());
  LONGS_EQUAL(3001, pool.take(1)->at(0));
}

TEST(Placement, pinned_ports_decide_the_node) {
  nodes["n1"].ports.take_exactly(3003);
  const App pinned = app("[]", R"(,"requirePorts":true,"portDefinitions":[{"port":3003}])");
  const auto counts = fill(pinned);
  CHECK(!counts.contains("n1"));
  LONGS_EQUAL(1, counts.at("n2"));
  LONGS_EQUAL(1, counts.at("n3"));
}
