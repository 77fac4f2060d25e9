// SPDX-License-Identifier: Apache-2.0
#include "services/security/api/grant.h"

#include <strings.h>

#include <array>
#include <cstdio>

#include "tests/support/check_result.h"

using base::Code;
using security::Grant;

TEST_GROUP(Grant){};

struct Pair {
  const char *grant, *test;
};

enum class Verdict { match, no_match, error };

struct OriginalCase {
  const char *grant, *test;
  Verdict verdict;
};

// What the original's matcher is known to say, in both directions. `./dev show
// services-conformance` counts these rows.
constexpr std::array kOriginal = {
    OriginalCase{"abc", "abc", Verdict::match},
    OriginalCase{"a:b", "a:b", Verdict::match},
    OriginalCase{"*", "abc", Verdict::match},
    OriginalCase{"*:def", "abc:def", Verdict::match},
    OriginalCase{"abc:*:ghi", "abc:def:ghi", Verdict::match},
    OriginalCase{"*:def:*", "abc:*:ghi", Verdict::match},
    OriginalCase{"**", "a:b:c", Verdict::match},
    OriginalCase{"a:**", "a:b:c", Verdict::match},
    OriginalCase{"a:b:c:**", "a:b:c", Verdict::match},
    OriginalCase{"abc", "abC", Verdict::no_match},
    OriginalCase{"*", "a:b", Verdict::no_match},
    OriginalCase{"a:b", "a:b:c", Verdict::no_match},
    OriginalCase{"**:b", "a:b", Verdict::error},
    OriginalCase{"", "a:b", Verdict::error},
};

Verdict verdict_of(const char* grant, const char* test) {
  const auto outcome = security::matches_grant(grant, test);
  if (!outcome) return Verdict::error;
  return *outcome ? Verdict::match : Verdict::no_match;
}

TEST(Grant, every_case_of_the_original_is_judged_as_there) {
  for (const OriginalCase& each : kOriginal) {
    CHECK_TEXT(verdict_of(each.grant, each.test) == each.verdict, each.grant);
    CHECK_TEXT(verdict_of(each.test, each.grant) == each.verdict, each.test);
  }
  std::printf("%zu cases of grants of the original\n", 2 * kOriginal.size());
}

TEST(Grant, names_match_segment_by_segment_with_wildcards_on_either_side) {
  constexpr std::array kTrue = {
      Pair{"abc", "abc"},
      Pair{"abc:def", "abc:def"},
      Pair{"abc:def:ghi", "abc:def:ghi"},
      Pair{"*", "abc"},
      Pair{"*:def", "abc:def"},
      Pair{"abc:*:ghi", "abc:def:ghi"},
      Pair{"*:def:*", "abc:def:ghi"},
      Pair{"*:def:*", "abc:*:ghi"},
      Pair{"**", "a:b:c"},
      Pair{"a:**", "a:b:c"},
      Pair{"a:b:**", "a:b:c"},
      Pair{"a:b:c:**", "a:b:c"},
      Pair{"**", "**"},
      Pair{"a:*", "*:b"},
  };
  for (const Pair& pair : kTrue) {
    CHECK_TRUE(UNWRAP(security::matches_grant(pair.grant, pair.test)));
    CHECK_TRUE(UNWRAP(security::matches_grant(pair.test, pair.grant)));
  }
  std::printf("%zu cases of grants that match\n", 2 * kTrue.size());
}

TEST(Grant, other_names_do_not_match) {
  constexpr std::array kFalse = {
      Pair{"abc", "abC"},
      Pair{"abc:def", "ab:def"},
      Pair{"abc:def", "abc:de"},
      Pair{"*", "abc:def"},
      Pair{"abc:def", "abc:def:ghi"},
      Pair{"a:b:**", "a:c:d"},
      Pair{"a:b:**", "a"},
      Pair{"a:", "a"},
      Pair{"ab*", "abc"},
      Pair{"a:***", "a:b:c"},
  };
  for (const Pair& pair : kFalse) {
    CHECK_FALSE(UNWRAP(security::matches_grant(pair.grant, pair.test)));
    CHECK_FALSE(UNWRAP(security::matches_grant(pair.test, pair.grant)));
  }
  std::printf("%zu cases of grants that do not match\n", 2 * kFalse.size());
}

TEST(Grant, a_super_wildcard_stands_last_and_a_name_is_not_empty) {
  constexpr std::array kWrong = {Pair{"**:b", "a:b"}, Pair{"a:**:c", "a:b"}, Pair{"", "a:b"}};
  for (const Pair& pair : kWrong) {
    CHECK_ERROR(Code::invalid_argument, "grant_invalid",
                security::matches_grant(pair.grant, pair.test));
    CHECK_ERROR(Code::invalid_argument, "grant_invalid",
                security::matches_grant(pair.test, pair.grant));
  }
  STRCMP_EQUAL("invalid matcher; super-wildcard must be in the right-most field",
               security::matches_grant("**:b", "a").error().detail.c_str());
  STRCMP_EQUAL("grant name must be non-empty",
               security::matches_grant("", "a").error().detail.c_str());
}

TEST(Grant, has_grant_looks_at_names_alone) {
  const std::array<Grant, 3> rights = {{{"one", {}}, {"two", "value"}, {"three", {}}}};
  CHECK_TRUE(security::has_grant(rights, "one"));
  CHECK_TRUE(security::has_grant(rights, "two"));
  CHECK_FALSE(security::has_grant(rights, "four"));
  CHECK_FALSE(security::has_grant({}, "one"));
  CHECK_TRUE(security::has_matching_grant(rights, "*"));
  CHECK_FALSE(security::has_matching_grant(rights, "one:two"));
}

TEST(Grant, values_match_exactly_or_by_a_rule) {
  const std::array<Grant, 2> rights = {{{"foo", "BAR"}, {"none", {}}}};
  const auto same = [](std::string_view a, std::string_view b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
  };
  const auto always = [](std::string_view, std::string_view) { return true; };
  CHECK_TRUE(security::has_value(rights, "foo", "BAR"));
  CHECK_FALSE(security::has_value(rights, "foo", "bar"));
  CHECK_FALSE(security::has_value(rights, "none", "bar"));
  CHECK_TRUE(security::matches_value(rights, "foo", "bar", same));
  CHECK_FALSE(security::matches_value(rights, "foo2", "bar", always));
  CHECK_FALSE(security::matches_value(rights, "none", "bar", always));
}

TEST(Grant, the_framework_takes_a_right_without_value_or_the_superuser) {
  const std::array<Grant, 1> plain = {{{"createOrg", {}}}}, valued = {{{"createOrg", "x"}}},
                             super = {{{"**", {}}}}, valued_super = {{{"**", "x"}}},
                             wild = {{{"*", {}}}};
  CHECK_TRUE(security::covers_right(plain, "createOrg"));
  CHECK_TRUE(security::covers_right(super, "createOrg"));
  CHECK_FALSE(security::covers_right(valued, "createOrg"));
  CHECK_FALSE(security::covers_right(valued_super, "createOrg"));
  CHECK_FALSE(security::covers_right(wild, "createOrg"));
  CHECK_FALSE(security::covers_right(plain, "deleteOrg"));
}
