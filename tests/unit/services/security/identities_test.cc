// SPDX-License-Identifier: Apache-2.0
// Security as meta mirrors it, and what meta changes in it.
#include "services/security/api/identities.h"

#include <algorithm>

#include "services/security/org_calls.h"
#include "tests/unit/services/security/rig.h"

using rest::Method;
using services::meta::Identities;

TEST_GROUP_BASE(SecurityIdentities, SecurityRig) {
  std::unique_ptr<Identities> mirror;
  void setup() override {
    SecurityRig::setup();
    make_cast();
    mirror = security::make_identities(*service);
  }
  // As acme's administrator, in a transaction of its own.
  base::Result<void> change(const std::function<base::Result<void>(services::Call&)>& work) {
    services::Caller caller;
    caller.account_id = ids.at("ada");
    caller.name = "ada";
    return host->transact("identities.test", std::make_shared<const services::Caller>(caller),
                          work);
  }
  base::Result<void> look(const std::function<base::Result<void>(store::Reader&)>& work) {
    return db->read(work);
  }
};

TEST(SecurityIdentities, lists_parents_before_children_and_everybody_with_an_organisation) {
  CHECK_OK(look([&](store::Reader& reader) -> base::Result<void> {
    std::set<std::string> seen;
    TRY(mirror->visit_orgs(reader, [&](const auto& org) -> base::Result<void> {
      CHECK(org.parent_id.empty() ? org.fqon == "root" : seen.contains(org.parent_id));
      CHECK(seen.insert(org.id).second);
      return {};
    }));
    CHECK(seen.contains(ids.at("acme")));
    bool found = false;
    TRY(mirror->visit_users(reader, [&](const auto& user) -> base::Result<void> {
      CHECK(seen.contains(user.org_id));
      found = found || (user.id == ids.at("bob") && user.username == "bob" && !user.disabled);
      return {};
    }));
    CHECK(found);
    std::size_t groups = 0;
    TRY(mirror->visit_groups(reader, [&](const auto& group) -> base::Result<void> {
      CHECK(seen.contains(group.org_id));
      ++groups;
      return {};
    }));
    CHECK(groups > 0);
    return {};
  }));
}

TEST(SecurityIdentities, somebody_unknown_is_nobody) {
  CHECK_OK(look([&](store::Reader& reader) -> base::Result<void> {
    CHECK(!TRY(mirror->identity_org(reader, "none")));
    CHECK(!TRY(mirror->identity_user(reader, "none")));
    CHECK(!TRY(mirror->identity_group(reader, "none")));
    return {};
  }));
  CHECK_OK(change([&](services::Call& call) -> base::Result<void> {
    TRY(mirror->drop_org(call, "none"));
    TRY(mirror->drop_user(call, "none"));
    return mirror->drop_group(call, "none");
  }));
}

TEST(SecurityIdentities, an_organisation_made_here_is_its_creators_and_goes_again) {
  std::string id;
  CHECK_OK(change([&](services::Call& call) -> base::Result<void> {
    const auto made = TRY(mirror->make_org(call, ids.at("acme"), "lab", "a place"));
    id = made.id;
    STRCMP_EQUAL("acme.lab", made.fqon.c_str());
    STRCMP_EQUAL("a place", made.description.c_str());
    return {};
  }));
  must(as("ada", Method::get, "/acme.lab"), 200);
  must(as("bob", Method::post, "/acme.lab/orgs", R"({"name":"sub"})"), 403);
  CHECK_OK(change([&](services::Call& call) { return mirror->drop_org(call, id); }));
  must(as("ada", Method::get, "/acme.lab"), 404);
}

TEST(SecurityIdentities, the_groups_of_an_organisation_are_told_when_they_come_and_go) {
  using Names = std::vector<std::string>;
  std::string id;
  told();
  CHECK_OK(change([&](services::Call& call) -> base::Result<void> {
    id = TRY(mirror->make_org(call, ids.at("acme"), "lab", "")).id;
    return {};
  }));
  CHECK_TRUE((told() == Names{"security.org.created", "security.group.created"}));
  CHECK_OK(change([&](services::Call& call) { return mirror->drop_org(call, id); }));
  CHECK_TRUE((told() == Names{"security.org.deleted", "security.group.deleted"}));
  CHECK_OK(change([&](services::Call& call) -> base::Result<void> {
    const auto made = TRY(security::create_org(call, host->rng(), ids.at("acme"),
                                               {.name = "shop", .default_users = true}));
    CHECK_EQUAL(2u, TRY(security::own_groups(call.read(), made)).size());
    return security::delete_org(call, made);
  }));
  CHECK_EQUAL(6u, told().size());
}

TEST(SecurityIdentities, a_user_made_here_logs_in_and_groups_have_members) {
  const std::string hash = UNWRAP(mirror->hash_password("a-long-password"));
  std::string user, group;
  CHECK_OK(change([&](services::Call& call) -> base::Result<void> {
    services::meta::IdentityUser wanted;
    wanted.username = "zoe";
    wanted.first_name = "Zoe";
    wanted.email = "zoe@example.org";
    user = TRY(mirror->make_user(call, ids.at("acme"), wanted, hash)).id;
    group = TRY(mirror->make_group(call, ids.at("acme"), "testers", "")).id;
    return mirror->change_member(call, group, user, Identities::Membership::add);
  }));
  CHECK(!login("acme", "zoe", "a-long-password").empty());
  CHECK_OK(look([&](store::Reader& reader) -> base::Result<void> {
    CHECK(TRY(mirror->members_of_group(reader, group)) == std::vector<std::string>{user});
    const auto groups = TRY(mirror->groups_of_user(reader, user));
    CHECK(std::find(groups.begin(), groups.end(), group) != groups.end());
    return {};
  }));
  CHECK_OK(change([&](services::Call& call) -> base::Result<void> {
    TRY(mirror->change_member(call, group, user, Identities::Membership::remove));
    TRY(mirror->drop_group(call, group));
    return mirror->drop_user(call, user);
  }));
  CHECK(login("acme", "zoe", "a-long-password").empty());
}
