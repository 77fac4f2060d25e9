// SPDX-License-Identifier: Apache-2.0
// A caller of the past after its rights, or it itself, were taken away.
#include "services/security/api/renewal.h"

#include "tests/unit/services/security/rig.h"

using rest::Method;

TEST_GROUP_BASE(SecurityRenewal, SecurityRig){void setup() override{SecurityRig::setup();
make_cast();
}
base::Result<services::CallerPtr> renewed(const services::Caller& then) {
  const auto renewal = security::make_renewal(*service);
  base::Result<services::CallerPtr> now{nullptr};
  CHECK_OK(db->read([&](store::Reader& reader) -> base::Result<void> {
    now = renewal->renew(reader, then);
    return {};
  }));
  return now;
}
services::Caller then(const std::string& account) {
  services::Caller caller;
  caller.account_id = ids.at(account);
  caller.credential = services::CredentialKind::token;
  caller.credential_id = "t1";
  caller.scopes = {"event:*"};
  caller.rights = {{ids.at("acme"), "**", ""}};
  return caller;
}
}
;

TEST(SecurityRenewal, has_the_rights_of_today_and_the_scopes_of_then) {
  const auto bob = renewed(then("bob"));
  CHECK_OK(bob);
  for (const services::Right& right : (*bob)->rights) CHECK(right.name != "**");
  CHECK((*bob)->scopes == std::vector<std::string>{"event:*"});
  STRCMP_EQUAL("t1", (*bob)->credential_id.c_str());
  const auto ada = renewed(then("ada"));
  CHECK_OK(ada);
  CHECK(!(*ada)->rights.empty());
}

TEST(SecurityRenewal, an_account_that_was_disabled_or_deleted_is_nobody) {
  services::Caller on_behalf = then("ada");
  on_behalf.on_behalf = {ids.at("bob")};
  CHECK_OK(renewed(on_behalf));
  must(as("admin", Method::post, "/accounts/$bob/disable"), 200);
  CHECK_ERROR(base::Code::unauthenticated, "caller_gone", renewed(then("bob")));
  CHECK_ERROR(base::Code::unauthenticated, "caller_gone", renewed(on_behalf));
  must(as("admin", Method::del, "/accounts/$bob"), 200);
  CHECK_ERROR(base::Code::unauthenticated, "caller_gone", renewed(then("bob")));
}
