// SPDX-License-Identifier: Apache-2.0
#include "services/policy/api/evaluate.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/check_result.h"

using base::Json;
using namespace services::policy;

namespace {

Rule limit(std::string name, const char* property, const char* op, Json value, int depth = 0) {
  Rule rule;
  rule.id = rule.name = std::move(name);
  rule.matches = {{"container.create", false}};
  rule.predicate = Predicate{property, *read_operator(op), std::move(value)};
  rule.depth = depth;
  return rule;
}

Rule event(std::string name, std::int64_t priority, int depth) {
  Rule rule;
  rule.id = rule.name = std::move(name);
  rule.kind = Kind::event;
  rule.matches = {{"container.create.pre", false}};
  rule.priority = priority;
  rule.depth = depth;
  return rule;
}

Lookup values(Json of) {
  return [of = std::move(of)](const Rule&,
                              std::string_view name) -> base::Result<std::optional<Json>> {
    const auto found = of.find(name);
    if (found == of.end()) return std::optional<Json>();
    return std::optional<Json>(*found);
  };
}

constexpr std::uint32_t kSets = 3000;

std::vector<Rule> by_chance(std::mt19937& random, int depth_from, std::uint32_t count) {
  constexpr const char* kProperties[] = {"a", "b", "c"};
  constexpr const char* kOperators[] = {"<", "<=", ">", ">=", "==", "!="};
  std::vector<Rule> rules;
  for (std::uint32_t i = 0; i < count; ++i) {
    Rule rule = limit("r" + std::to_string(random() % 1000) + "." + std::to_string(i),
                      kProperties[random() % 3], kOperators[random() % 6], random() % 5,
                      depth_from + static_cast<int>(random() % 3));
    rule.strict = random() % 4 == 0;
    rule.fails_open = random() % 4 == 0;
    rule.priority = random() % 3;
    if (random() % 5 == 0) rule.mode = random() % 2 == 0 ? Mode::audit : Mode::dryrun;
    rules.push_back(std::move(rule));
  }
  return rules;
}

Json facts_by_chance(std::mt19937& random) {
  Json facts = {{"a", random() % 5}};
  if (random() % 2 == 0) facts["b"] = random() % 5;
  if (random() % 4 == 0) facts["c"] = "text";
  return facts;
}

}  // namespace

TEST_GROUP(Evaluate){};

TEST(Evaluate, the_text_of_a_denial_is_the_predicate) {
  const Verdict verdict = judge({limit("max", "containers.count", "<=", 3)}, "container.create",
                                values({{"containers.count", 4}}));
  CHECK(verdict.denied);
  STRCMP_EQUAL("containers.count <= 3", verdict.text.c_str());
}

TEST(Evaluate, a_childs_looser_rule_loosens_nothing) {
  const std::vector<Rule> rules = {limit("root", "n", "<=", 3, 0), limit("env", "n", "<=", 9, 2)};
  CHECK(judge(rules, "container.create", values({{"n", 5}})).denied);
  CHECK_FALSE(judge(rules, "container.create", values({{"n", 3}})).denied);
}

TEST(Evaluate, a_childs_tighter_rule_tightens) {
  const std::vector<Rule> rules = {limit("root", "n", "<=", 9, 0), limit("env", "n", "<=", 3, 2)};
  CHECK(judge(rules, "container.create", values({{"n", 5}})).denied);
}

TEST(Evaluate, an_overridable_rule_gives_way_to_a_deeper_one) {
  std::vector<Rule> rules = {limit("root", "n", "<=", 3, 0), limit("env", "n", "<=", 9, 2)};
  rules[0].overridable = true;
  CHECK_FALSE(judge(rules, "container.create", values({{"n", 5}})).denied);
  rules[1].mode = Mode::audit;  // a rule that does not count replaces none
  CHECK(judge(rules, "container.create", values({{"n", 5}})).denied);
}

TEST(Evaluate, a_missing_property_passes_unless_the_rule_is_strict) {
  Rule rule = limit("r", "n", "<", 3);
  CHECK_FALSE(judge({rule}, "container.create", values(Json::object())).denied);
  rule.strict = true;
  CHECK(judge({rule}, "container.create", values(Json::object())).denied);
}

TEST(Evaluate, what_cannot_be_compared_denies_unless_it_fails_open) {
  Rule rule = limit("r", "n", "<", 3);
  CHECK(judge({rule}, "container.create", values({{"n", "many"}})).denied);
  rule.fails_open = true;
  CHECK_FALSE(judge({rule}, "container.create", values({{"n", "many"}})).denied);
}

TEST(Evaluate, audit_and_dryrun_rules_only_say_what_they_would_do) {
  for (const Mode mode : {Mode::audit, Mode::dryrun}) {
    Rule rule = limit("r", "n", "<", 3);
    rule.mode = mode;
    const Verdict verdict = judge({rule}, "container.create", values({{"n", 7}}));
    CHECK_FALSE(verdict.denied);
    STRCMP_EQUAL("would deny", verdict.lines.at(0).outcome.c_str());
  }
}

TEST(Evaluate, config_rules_speak_of_their_key_only) {
  Rule above = limit("above", "tls", ">=", 2);
  above.kind = Kind::config;
  above.matches.clear();
  const Lookup one = values({{"tls", 1}, {"other", 1}});
  CHECK(judge_config({above}, "tls", one).denied);
  CHECK_FALSE(judge_config({above}, "other", one).denied);
  CHECK_FALSE(judge({above}, "container.create", one).denied);
  Rule below = above;
  below.name = below.id = "below";
  below.depth = 1;
  below.predicate->limit = 1;
  CHECK(judge_config({above, below}, "tls", one).denied);
  above.overridable = true;
  CHECK_FALSE(judge_config({above, below}, "tls", one).denied);
}

TEST(Evaluate, all_event_rules_fire_in_order) {
  const Firing firing = fire({event("c", 0, 2), event("b", 0, 0), event("a", -1, 2)},
                             "container.create.pre", values(Json::object()));
  CHECK_EQUAL(3u, firing.rules.size());
  STRCMP_EQUAL("a", firing.rules[0].name.c_str());
  STRCMP_EQUAL("b", firing.rules[1].name.c_str());
  STRCMP_EQUAL("c", firing.rules[2].name.c_str());
}

TEST(Evaluate, an_event_rule_fires_when_its_predicate_holds) {
  Rule rule = event("r", 0, 0);
  rule.predicate = Predicate{"n", Operator::greater, 3};
  CHECK(fire({rule}, "container.create.pre", values({{"n", 3}})).rules.empty());
  CHECK_EQUAL(1u, fire({rule}, "container.create.pre", values({{"n", 4}})).rules.size());
  CHECK(fire({rule}, "container.create.pre", values({{"n", "x"}})).failed.has_value());
  rule.fails_open = true;
  CHECK_FALSE(fire({rule}, "container.create.pre", values({{"n", "x"}})).failed.has_value());
}

TEST(Evaluate, suppress_is_told) {
  Rule rule = event("r", 0, 0);
  rule.matches[0].suppress = true;
  CHECK(fire({rule}, "container.create.pre", values(Json::object())).suppressed);
  rule.mode = Mode::audit;
  CHECK_FALSE(fire({rule}, "container.create.pre", values(Json::object())).suppressed);
}

TEST_GROUP(EvaluateProperties){// What `./dev show services-properties` counts.
                               void teardown()
                                   override{std::printf("%u ways of the lattice\n", kSets);
}
}
;

TEST(EvaluateProperties, the_order_of_rules_never_matters) {
  for (std::uint32_t seed = 0; seed < kSets; ++seed) {
    std::mt19937 random(seed);
    auto rules = by_chance(random, 0, 1 + random() % 8);
    for (Rule& rule : rules) rule.overridable = random() % 3 == 0;
    const Json facts = facts_by_chance(random);
    const Verdict before = judge(rules, "container.create", values(facts));
    std::shuffle(rules.begin(), rules.end(), random);
    const Verdict after = judge(rules, "container.create", values(facts));
    CHECK_TEXT(before.denied == after.denied && before.text == after.text &&
                   lines_json(before.lines) == lines_json(after.lines),
               std::to_string(seed).c_str());
  }
}

TEST(EvaluateProperties, a_child_never_loosens) {
  for (std::uint32_t seed = 0; seed < kSets; ++seed) {
    std::mt19937 random(seed);
    auto rules = by_chance(random, 0, 1 + random() % 6);
    const Json facts = facts_by_chance(random);
    const bool before = judge(rules, "container.create", values(facts)).denied;
    for (Rule& rule : by_chance(random, 3, 1 + random() % 6)) rules.push_back(std::move(rule));
    const bool after = judge(rules, "container.create", values(facts)).denied;
    CHECK_TEXT(after || !before, std::to_string(seed).c_str());
  }
}

TEST(EvaluateProperties, rules_that_are_not_enforced_change_nothing) {
  for (std::uint32_t seed = 0; seed < kSets; ++seed) {
    std::mt19937 random(seed);
    auto rules = by_chance(random, 0, 1 + random() % 6);
    const Json facts = facts_by_chance(random);
    const bool with = judge(rules, "container.create", values(facts)).denied;
    std::erase_if(rules, [](const Rule& rule) { return rule.mode != Mode::enforce; });
    CHECK_TEXT(with == judge(rules, "container.create", values(facts)).denied,
               std::to_string(seed).c_str());
  }
}
