// SPDX-License-Identifier: Apache-2.0
// The SDK against the real service over HTTP.
#include "services/sdk/security_client.h"

#include "tests/unit/services/sdk/rig.h"

using base::Code;
using rest::Method;

TEST_GROUP_BASE(SecurityClient, SdkRig){};

TEST(SecurityClient, knows_tokens_and_keys_and_what_they_may_do) {
  must(as("ada", Method::post, "/acme/accounts/$bob/rights", R"({"grantName":"cart:*"})"), 201);
  const std::string token = login("acme", "bob", "bob-secret");
  for (const std::string& header : {bearer(token), "token=" + token, keys["bob"]}) {
    const sdk::Principal who = UNWRAP(client->authenticate(header));
    STRCMP_EQUAL("bob", who.username.c_str());
    STRCMP_EQUAL(ids["bob"].c_str(), who.account_id.c_str());
    STRCMP_EQUAL(ids["acme"].c_str(), who.org_id.c_str());
    LONGS_EQUAL(1, who.group_ids.size());
    CHECK_OK(who.require("cart:write"));
    CHECK_ERROR(Code::permission_denied, "right_missing", who.require("stock:write"));
    CHECK_ERROR(Code::permission_denied, "right_missing", who.require("cart:write:all"));
  }
}

TEST(SecurityClient, what_is_not_ours_passes_nobody) {
  CHECK_ERROR(Code::unauthenticated, "credentials_missing", client->authenticate(""));
  for (const char* bad : {"Bearer rubbish", "Basic Og==", "Digest x", "Bearer "}) {
    CHECK_ERROR(Code::unauthenticated, "credentials_invalid", client->authenticate(bad));
  }
  // Another organisation's token is none of this program's affair.
  CHECK_ERROR(
      Code::unauthenticated, "credentials_invalid",
      client->authenticate(bearer(
          form("/oauth/issue", "grant_type=client_credentials", keys["eve"]).at("access_token"))));
}

TEST(SecurityClient, an_answer_is_kept_for_half_a_minute_and_no_longer) {
  const std::string token = login("acme", "bob", "bob-secret");
  CHECK_OK(client->authenticate(bearer(token)));
  must(as("ada", Method::post, "/accounts/$bob/disable"), 200);
  CHECK_OK(client->authenticate(bearer(token)));
  clock.pass(std::chrono::seconds(31));
  CHECK_ERROR(Code::unauthenticated, "credentials_invalid", client->authenticate(bearer(token)));
}

TEST(SecurityClient, a_service_that_does_not_answer_passes_nobody) {
  front.reset();
  CHECK_ERROR(Code::unavailable, "connect_failed", client->authenticate("Bearer gsta_x"));
}
