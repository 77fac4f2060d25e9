// SPDX-License-Identifier: Apache-2.0
#include "services/change/handler.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using namespace services::change;
using base::Code;
using base::Json;

namespace {

const std::vector<std::string> kLineage{"root", "acme", "eng"};

Handler handler(const std::string& id, const std::string& org, std::int64_t quorum,
                std::vector<std::string> groups = {}, std::int64_t deadline = 0) {
  Handler made;
  made.id = id;
  made.org_id = org;
  made.match_actions = {"environment.*"};
  made.quorum = quorum;
  made.approver_groups = std::move(groups);
  made.deadline_s = deadline;
  return made;
}

}  // namespace

TEST_GROUP(ChangeRules){};

TEST(ChangeRules, actions_match_by_segment) {
  struct Case {
    const char* pattern;
    const char* action;
    bool matches;
  };
  const Case cases[] = {{"environment.create", "environment.create", true},
                        {"environment.create", "environment.delete", false},
                        {"environment.*", "environment.create", true},
                        {"*.create", "environment.create", true},
                        {"*", "environment.create", false},
                        {"**", "environment.create", true},
                        {"environment.**", "environment.create", true},
                        {"environment.**", "environmentx.create", false},
                        {"environment", "environment.create", false},
                        {"environment.create.now", "environment.create", false},
                        {"change.*.create", "change.handler.create", true},
                        {"", "", true},
                        {"", "x", false}};
  for (const Case& one : cases)
    CHECK_TEXT(matches_action(one.pattern, one.action) == one.matches, one.pattern);
}

TEST(ChangeRules, the_strictest_of_all_ancestors_counts) {
  const std::vector<Handler> all{handler("c", "eng", 1, {"devs"}, 10), handler("a", "root", 2),
                                 handler("b", "acme", 3, {"board"}, 60), handler("x", "other", 9)};
  const auto rule = find_rule(all, kLineage, "environment.create");
  CHECK_TRUE(rule.has_value());
  STRCMP_EQUAL("a", rule->first->id.c_str());
  LONGS_EQUAL(3, rule->quorum);
  LONGS_EQUAL(10, rule->deadline_s);
  CHECK_TRUE(rule->approver_groups == std::vector<std::string>{"board"});
  CHECK_FALSE(find_rule(all, kLineage, "container.create").has_value());
  CHECK_FALSE(find_rule(all, std::vector<std::string>{"elsewhere"}, "environment.create"));
}

TEST(ChangeRules, the_order_of_handlers_does_not_matter) {
  std::vector<Handler> all{handler("a", "root", 2, {}, 60), handler("b", "acme", 1, {"board"}),
                           handler("c", "eng", 4, {"devs"}, 5)};
  std::sort(all.begin(), all.end(), [](const auto& x, const auto& y) { return x.id < y.id; });
  do {
    const auto rule = find_rule(all, kLineage, "environment.create");
    CHECK_TRUE(rule && rule->quorum == 4 && rule->deadline_s == 5 && rule->first->id == "a" &&
               rule->approver_groups == std::vector<std::string>{"board"});
  } while (std::next_permutation(all.begin(), all.end(),
                                 [](const auto& x, const auto& y) { return x.id < y.id; }));
}

TEST(ChangeRules, a_handler_below_never_loosens) {
  const std::vector<Handler> above{handler("a", "root", 2, {"board"}, 60)};
  for (std::int64_t quorum = 1; quorum < 5; ++quorum) {
    auto both = above;
    both.push_back(handler("z", "eng", quorum, {"everybody"}, 3600));
    const auto rule = find_rule(both, kLineage, "environment.create");
    CHECK_TRUE(rule && rule->quorum >= 2 && rule->deadline_s <= 60 &&
               rule->approver_groups == std::vector<std::string>{"board"});
  }
}

TEST(ChangeRules, freezes_that_touch_are_one) {
  const std::vector<Freeze> freezes{{"1", "n", "root", {"**"}, 100, 200},
                                    {"2", "n", "acme", {"environment.*"}, 200, 300},
                                    {"3", "n", "other", {"**"}, 300, 400},
                                    {"4", "n", "root", {"container.*"}, 0, 900}};
  const auto until = [&freezes](std::int64_t now) {
    const std::vector<Scope> scopes{{kLineage, "environment.create"}};
    return frozen_until(freezes, scopes, now);
  };
  CHECK_FALSE(until(99).has_value());
  LONGS_EQUAL(300, until(100).value());
  LONGS_EQUAL(300, until(250).value());
  CHECK_FALSE(until(300).has_value());
}

TEST(ChangeRules, a_wish_is_read_with_its_pointers) {
  const Wish wish = UNWRAP(parse_wish(Json{{"reason", "why"},
                                           {"schedule", "2026-01-31T08:00:00Z"},
                                           {"deadline", 1769846400123},
                                           {"dependencies", {"x"}}},
                                      "/change_management"));
  LONGS_EQUAL(1769846400000, wish.schedule_ms);
  LONGS_EQUAL(1769846400123, wish.deadline_ms);
  const auto pointer = [](const Json& json) {
    return parse_wish(json, "/change_management").error().pointer;
  };
  STRCMP_EQUAL("/change_management/schedule", pointer({{"schedule", "soon"}}).c_str());
  STRCMP_EQUAL("/change_management/deadline", pointer({{"deadline", -1}}).c_str());
  STRCMP_EQUAL("/change_management/reason", pointer({{"reason", 7}}).c_str());
  STRCMP_EQUAL("/change_management/extra", pointer({{"extra", 7}}).c_str());
  CHECK_ERROR(Code::invalid_argument, "not_an_object", parse_wish(Json::array(), ""));
}
