// SPDX-License-Identifier: Apache-2.0
#include "services/security/model/patch.h"

#include <array>

#include "tests/support/check_result.h"

using base::Code;
using security::PatchVerb;

namespace {

constexpr std::array<std::string_view, 3> kPaths = {"/email", "/disabled", "/config/*"};

auto parse(const char* text) {
  return security::parse_patch(UNWRAP(base::parse_json(text)), kPaths);
}

}  // namespace

TEST_GROUP(SecurityPatch){};

TEST(SecurityPatch, operations_keep_their_order_and_values) {
  const auto ops = UNWRAP(parse(R"([{"op":"add","path":"/email","value":"a@b"},
    {"op":"remove","path":"/email"},{"op":"replace","path":"/disabled","value":true},
    {"op":"add","path":"/config/url","value":"ldap://x"}])"));
  LONGS_EQUAL(4, ops.size());
  CHECK_TRUE(ops[0].verb == PatchVerb::add);
  STRCMP_EQUAL("a@b", UNWRAP(ops[0].string_value()).c_str());
  CHECK_TRUE(ops[1].verb == PatchVerb::remove);
  CHECK_TRUE(UNWRAP(ops[2].bool_value()));
  CHECK_ERROR(Code::invalid_argument, "patch_invalid", ops[2].string_value());
  CHECK_ERROR(Code::invalid_argument, "patch_invalid", ops[0].bool_value());
}

TEST(SecurityPatch, an_object_replaces_the_fields_it_names) {
  const auto ops = UNWRAP(parse(R"({"email":"a@b","disabled":null})"));
  LONGS_EQUAL(1, ops.size());
  CHECK_TRUE(ops[0].verb == PatchVerb::replace);
}

TEST(SecurityPatch, what_is_not_a_patch_of_these_paths_is_refused_whole) {
  for (const char* bad :
       {"[]", "{}", "null", "3", "\"x\"", "[3]", R"([{"op":"move","from":"/a","path":"/email"}])",
        R"([{"op":"copy","from":"/a","path":"/email"}])",
        R"([{"op":"test","path":"/email","value":"x"}])",
        R"([{"op":"add","path":"/id","value":"x"}])", R"([{"op":"add","path":"/email"}])",
        R"([{"op":"add","path":"","value":{}}])", R"([{"path":"/email","value":"x"}])",
        R"([{"op":"add","path":"/config/","value":1}])", R"({"id":"x"})",
        R"({"email":"a@b","secret":"x"})", R"([{"op":"replace","path":"/email","value":null}])"}) {
    CHECK_ERROR(Code::invalid_argument, "", parse(bad));
  }
}
