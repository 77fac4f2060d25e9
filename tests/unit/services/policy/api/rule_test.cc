// SPDX-License-Identifier: Apache-2.0
#include "services/policy/api/rule.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using base::Code;
using base::Json;
using namespace services::policy;

namespace {

Json rule_with(const char* properties, const char* type = "Gestalt::Resource::Rule::Limit") {
  return {{"id", "r"},
          {"name", "rule"},
          {"resource_type", type},
          {"properties", UNWRAP(base::parse_json(properties))}};
}

struct Case {
  const char* value;
  const char* op;
  const char* limit;
  const char* outcome;  // true, false, error
};

// Every pair of kinds of services.md 6.4.
constexpr Case kCases[] = {
    {R"("abc")", "equals", R"("abc")", "true"},
    {R"("abc")", "==", R"("abd")", "false"},
    {R"("abc")", "!=", R"("abd")", "true"},
    {R"("abc")", "startsWith", R"("ab")", "true"},
    {R"("abc")", "endsWith", R"("ab")", "false"},
    {R"("abc")", "contains", R"("b")", "true"},
    {R"("abc")", "<", R"("abd")", "error"},
    {R"("abc")", ">=", R"("abd")", "error"},
    {R"("abc")", "inList", R"("abc")", "error"},
    {"true", "equals", "true", "true"},
    {"true", "!=", "true", "false"},
    {"true", ">", "false", "error"},
    {"2", "==", "2", "true"},
    {"2", "==", "2.0", "true"},
    {"2", "!=", "3", "true"},
    {"2", "<", "3", "true"},
    {"3", "<=", "3", "true"},
    {"3", ">", "3", "false"},
    {"3", ">=", "3.5", "false"},
    {"3", "contains", "3", "error"},
    {"3", "startsWith", "3", "error"},
    {R"("a")", "inList", R"(["a","b"])", "true"},
    {R"("a")", "oneOf", R"(["b"])", "false"},
    {R"("a")", "contains", R"(["a"])", "true"},
    {R"("a")", "except", R"(["a"])", "false"},
    {R"("c")", "except", R"(["a"])", "true"},
    {"1", "inList", "[1,2]", "true"},
    {R"("1")", "inList", "[1,2]", "false"},
    {R"("a")", "==", R"(["a"])", "error"},
    {R"(["a"])", "inList", R"(["a","b"])", "true"},
    {R"(["a","c"])", "inList", R"(["a","b"])", "false"},
    {"[]", "inList", R"(["a"])", "true"},
    {R"(["a"])", "except", R"(["a"])", "error"},
    {R"(["a","b"])", "contains", R"("a")", "true"},
    {R"(["a","b"])", "==", R"("a")", "error"},
    {R"("2")", "==", "2", "error"},
    {"2", "<", R"("3")", "error"},
    {R"({"a":1})", "==", R"({"a":1})", "error"},
    {R"({"a":1})", "inList", R"([{"a":1}])", "error"},
    {"null", "==", "1", "error"},
    {R"("a,b")", "==", R"("a,b")", "true"},  // the original made lists of such texts
};

}  // namespace

TEST_GROUP(Rule){};

TEST(Rule, comparisons_are_typed) {
  for (const Case& one : kCases) {
    const auto op = read_operator(one.op);
    CHECK(op.has_value());
    const auto outcome =
        compare(UNWRAP(base::parse_json(one.value)), *op, UNWRAP(base::parse_json(one.limit)));
    const std::string text = !outcome ? "error" : *outcome ? "true" : "false";
    const std::string name = std::string(one.value) + " " + one.op + " " + one.limit;
    STRCMP_EQUAL_TEXT(one.outcome, text.c_str(), name.c_str());
    if (!outcome) CHECK_ERROR(Code::invalid_argument, "comparison_untyped", outcome);
  }
}

TEST(Rule, a_limit_rule_is_read) {
  const Rule rule =
      UNWRAP(read_rule(rule_with(R"({"match_actions":["container.create"],"strict":true,
      "eval_logic":{"property":"container.properties.num_instances","operator":"<=","value":4}})")));
  CHECK(rule.kind == Kind::limit);
  CHECK(rule.strict);
  STRCMP_EQUAL("container.properties.num_instances <= 4", rule.predicate->text().c_str());
  CHECK(rule.match("container.create") != nullptr);
  CHECK(rule.match("container.delete") == nullptr);
}

TEST(Rule, event_rules_of_2016_and_2019_are_read) {
  const char* event = "Gestalt::Resource::Rule::Event";
  const Rule old =
      UNWRAP(read_rule(rule_with(R"({"actions":["container.migrate.pre"],"lambda":"l"})", event)));
  CHECK(old.match("container.migrate.pre") != nullptr);
  const Rule later = UNWRAP(read_rule(rule_with(
      R"({"match_actions":[{"action":"lambda.create.pre","meta_function":"suppress"}],
          "lambda":{"id":"l"}})",
      event)));
  CHECK(later.match("lambda.create.pre")->suppress);
  STRCMP_EQUAL("l", later.lambda_id.c_str());
}

TEST(Rule, a_star_stands_for_any_verb) {
  const Rule rule = UNWRAP(read_rule(rule_with(
      R"({"match_actions":["container.*"],
          "eval_logic":{"property":"container.name","operator":"startsWith","value":"a"}})")));
  CHECK(rule.match("container.scale") != nullptr);
  CHECK(rule.match("containers.scale") == nullptr);
}

TEST(Rule, what_cannot_be_read_is_refused) {
  for (
      const char* properties :
      {R"({})", R"({"match_actions":["container.create"]})",
       R"({"match_actions":["container.create"],"eval_logic":{"property":"a","operator":"~","value":1}})",
       R"({"match_actions":["container.create"],"eval_logic":{"property":"a","operator":"<"}})",
       R"({"match_actions":["create"],"eval_logic":{"property":"a","operator":"<","value":1}})",
       R"({"match_actions":[{"action":"a.b","meta_function":"eat"}],
            "eval_logic":{"property":"a","operator":"<","value":1}})",
       R"({"match_actions":["a.b"],"mode":"maybe",
            "eval_logic":{"property":"a","operator":"<","value":1}})",
       R"({"match_actions":["a.b"],"fail":"half",
            "eval_logic":{"property":"a","operator":"<","value":1}})"}) {
    CHECK_FALSE(read_rule(rule_with(properties)).has_value());
  }
}
