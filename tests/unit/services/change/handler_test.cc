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
    const auto held = frozen(freezes, scopes, now);
    return held ? std::optional(held->until_ms) : std::nullopt;
  };
  CHECK_FALSE(until(99).has_value());
  LONGS_EQUAL(300, until(100).value());
  LONGS_EQUAL(300, until(250).value());
  CHECK_FALSE(until(300).has_value());
}

TEST(ChangeRules, a_call_that_does_several_things_is_held_by_a_freeze_of_any) {
  const std::vector<Freeze> freezes{{"1", "n", "other", {"container.create"}, 100, 200}};
  const std::vector<Scope> scopes{{kLineage, "container.promote"},
                                  {{"root", "other"}, "container.create"}};
  const auto held = frozen(freezes, scopes, 150);
  CHECK_TRUE(held.has_value());
  STRCMP_EQUAL("1", held->freeze->id.c_str());
  CHECK_FALSE(frozen(freezes, std::span(scopes).first(1), 150).has_value());
}

TEST(ChangeRules, what_a_call_leads_to_decides_and_nothing_gets_looser) {
  const Handler source = handler("a", "root", 3, {"board"}, 10);
  const Handler target = handler("b", "root", 1, {"guards"}, 60);
  const Rule first{&source, 3, {"board"}, true, 10};
  const Rule second{&target, 1, {"guards"}, false, 60};
  const Rule both = strictest(first, second);
  LONGS_EQUAL(3, both.quorum);
  LONGS_EQUAL(10, both.deadline_s);
  CHECK_TRUE(both.needs_reason);
  STRCMP_EQUAL("b", both.first->id.c_str());
  CHECK_TRUE(both.approver_groups == std::vector<std::string>{"guards"});
  const Rule without{&target, 1, {}, false, 0};
  CHECK_TRUE(strictest(first, without).approver_groups == std::vector<std::string>{"board"});
  LONGS_EQUAL(10, strictest(first, without).deadline_s);
}

TEST(ChangeRules, a_weekly_freeze_holds_within_its_ends_only) {
  Freeze freeze{"1", "nights", "root", {"**"}, 0, 0};
  freeze.weekly = {{0x7f, 22 * 3600, 6 * 3600}};
  freeze.zone = UNWRAP(TimeZone::load("UTC"));
  const std::vector<Scope> scopes{{kLineage, "environment.create"}};
  const std::int64_t day = 86400000;
  const std::int64_t midnight = 20000 * day;
  const auto until = [&](std::int64_t now) {
    const auto held = frozen(std::span(&freeze, 1), scopes, now);
    return held ? held->until_ms : 0;
  };
  LONGS_EQUAL(midnight + day / 4, until(midnight));
  LONGS_EQUAL(0, until(midnight + day / 4));
  freeze.until_ms = midnight + 1000;
  LONGS_EQUAL(midnight + 1000, until(midnight));
  LONGS_EQUAL(0, until(midnight + 1000));
  freeze.until_ms = 0;
  freeze.from_ms = midnight + 1000;
  LONGS_EQUAL(0, until(midnight));
  // All the week: somebody has to look again some day.
  freeze.weekly = {{0x7f, 0, 86400}};
  CHECK_TRUE(until(midnight + 1000) > midnight + 50 * day);
  // A zone that is gone: better held too long than let go.
  freeze.zone = nullptr;
  CHECK_TRUE(until(midnight + 1000) > midnight + 1000);
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
