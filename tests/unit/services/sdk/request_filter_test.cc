// SPDX-License-Identifier: Apache-2.0
// The filter against the real service over HTTP.
#include "services/sdk/request_filter.h"

#include "common/base/json.h"
#include "tests/unit/services/sdk/rig.h"

using rest::Method;

namespace {

std::string reason(const sdk::Refusal& refusal) {
  return UNWRAP(base::parse_json(refusal.body))["type"].get<std::string>();
}

}  // namespace

TEST_GROUP_BASE(RequestFilter, SdkRig) {
  using Verdict = sdk::RequestFilter::Verdict;
  Verdict look(const std::string& right, const std::string& authorization) {
    return sdk::RequestFilter(*client, right).look(authorization);
  }
};

TEST(RequestFilter, who_has_the_right_passes_and_is_known) {
  must(as("ada", Method::post, "/acme/accounts/$bob/rights", R"({"grantName":"cart:*"})"), 201);
  const auto passed = look("cart:write", keys["bob"]);
  CHECK_TRUE(passed.principal.has_value());
  STRCMP_EQUAL("bob", passed.principal->username.c_str());
  CHECK_TRUE(look("", keys["bob"]).principal.has_value());
}

TEST(RequestFilter, others_hear_why_not) {
  const auto stranger = look("cart:write", "");
  CHECK_FALSE(stranger.principal.has_value());
  LONGS_EQUAL(401, stranger.refusal.status);
  LONGS_EQUAL(2, stranger.refusal.headers.count("WWW-Authenticate"));
  STRCMP_EQUAL("/problems/credentials_missing", reason(stranger.refusal).c_str());
  LONGS_EQUAL(401, look("", "Bearer rubbish").refusal.status);
  const auto bob = look("cart:write", keys["bob"]);
  CHECK_FALSE(bob.principal.has_value());
  LONGS_EQUAL(403, bob.refusal.status);
  STRCMP_EQUAL("/problems/right_missing", reason(bob.refusal).c_str());
}

TEST(RequestFilter, nobody_passes_while_the_service_does_not_answer) {
  front.reset();
  const auto verdict = look("", keys["bob"]);
  CHECK_FALSE(verdict.principal.has_value());
  LONGS_EQUAL(503, verdict.refusal.status);
  LONGS_EQUAL(1, verdict.refusal.headers.count("Retry-After"));
  STRCMP_EQUAL("/problems/security_unavailable", reason(verdict.refusal).c_str());
}
