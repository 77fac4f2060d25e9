// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/services/security/core/rig.h"

#include <array>

using base::Code;
using namespace security;  // NOLINT: the records' names
using Done = base::Result<void>;

TEST_GROUP_BASE(SecurityOrgs,
                CoreRig){OrgRecord make(const OrgRecord& parent, NewOrg wanted){OrgRecord org;
change([&](store::Writer& writer) -> Done {
  org = TRY(create_org(writer, rng, parent, admin, wanted));
  return {};
});
return org;
}
}
;

TEST(SecurityOrgs, a_new_org_has_an_app_and_its_creator_as_admin) {
  const OrgRecord acme = make(root, {.name = "acme"});
  const OrgRecord eng = make(acme, {.name = "eng"});
  STRCMP_EQUAL("acme.eng", eng.fqon.c_str());
  look([&](store::Reader& reader) -> Done {
    const AppRecord own = TRY(service_app(reader, eng.id));
    CHECK_TRUE(TRY(belongs_to_app(reader, admin, own.id)));
    const auto rights = TRY(rights_of_account(reader, own.id, admin.id));
    LONGS_EQUAL(1, rights.size());
    STRCMP_EQUAL("**", rights[0].name.c_str());
    CHECK_ERROR(Code::invalid_argument, "default_store_missing",
                default_account_store(reader, own.id));
    LONGS_EQUAL(3, TRY(org_tree(reader, root)).size());
    return {};
  });
}

TEST(SecurityOrgs, default_users_get_a_directory_and_a_group_of_their_own) {
  const OrgRecord acme = make(root, {.name = "acme", .default_users = true});
  look([&](store::Reader& reader) -> Done {
    const AppRecord own = TRY(service_app(reader, acme.id));
    const StoreRecord store = TRY(default_account_store(reader, own.id));
    STRCMP_EQUAL("GROUP", store.type.c_str());
    STRCMP_EQUAL("acme-users", TRY(need_group(reader, store.store)).name.c_str());
    STRCMP_EQUAL((acme.id + "-user-dir").c_str(),
                 TRY(default_group_store(reader, own.id)).name.c_str());
    return {};
  });
}

TEST(SecurityOrgs, inheriting_copies_the_parents_stores_and_rights) {
  change([&](store::Writer& writer) -> Done {
    TRY(add_right(writer, rng, app.id, admin.id, false, {.name = "sync", .value = "x"}));
    return {};
  });
  const OrgRecord acme = make(root, {.name = "acme", .inherit_parent = true});
  look([&](store::Reader& reader) -> Done {
    const AppRecord own = TRY(service_app(reader, acme.id));
    STRCMP_EQUAL(users.id.c_str(), TRY(default_account_store(reader, own.id)).store.c_str());
    LONGS_EQUAL(1, TRY(rights_of_account(reader, own.id, admin.id)).size());
    return {};
  });
}

TEST(SecurityOrgs, names_are_unique_below_a_parent_and_well_formed) {
  make(root, {.name = "acme"});
  const auto fails = [&](Code code, const char* reason, NewOrg wanted) {
    CHECK_ERROR(code, reason, attempt([&](store::Writer& writer) -> Done {
                  TRY(create_org(writer, rng, root, admin, wanted));
                  return {};
                }));
  };
  fails(Code::already_exists, "name_taken", {.name = "acme"});
  fails(Code::invalid_argument, "name_invalid", {.name = "Acme"});
  fails(Code::invalid_argument, "name_invalid", {.name = "root"});
  fails(Code::invalid_argument, "org_invalid",
        {.name = "b", .default_users = true, .inherit_parent = true});
}

TEST(SecurityOrgs, deleting_an_org_takes_everything_below_and_nothing_beside) {
  const std::size_t accounts = count("security.accounts"), groups = count("security.groups"),
                    rights = count("security.rights"), stores = count("security.stores");
  const OrgRecord acme = make(root, {.name = "acme", .default_users = true});
  const OrgRecord eng = make(acme, {.name = "eng", .default_users = true});
  change([&](store::Writer& writer) -> Done {
    TRY(create_api_key(writer, rng, 1, admin.id, eng.id, ""));
    TokenRecord token{.hash = "h", .id = "i", .account = admin.id, .org = eng.id};
    return put(writer, token);
  });
  change([&](store::Writer& writer) -> Done {
    const auto gone = TRY(delete_org(writer, acme));
    CHECK_EQUAL(4u, gone.size());  // admins and users of both
    return {};
  });
  LONGS_EQUAL(1, count("security.orgs"));
  LONGS_EQUAL(1, count("security.directories"));
  LONGS_EQUAL(1, count("security.apps"));
  LONGS_EQUAL(accounts, count("security.accounts"));
  LONGS_EQUAL(groups, count("security.groups"));
  LONGS_EQUAL(rights, count("security.rights"));
  LONGS_EQUAL(stores, count("security.stores"));
  LONGS_EQUAL(0, count("security.keys"));
  LONGS_EQUAL(0, count("security.tokens"));
  CHECK_ERROR(Code::invalid_argument, "root_org_kept", attempt([&](store::Writer& writer) -> Done {
                TRY(delete_org(writer, root));
                return {};
              }));
}

TEST(SecurityOrgs, an_app_has_one_default_store_of_each_kind) {
  GroupRecord group{.id = rng.uuid(), .directory = users.id, .name = "eng"};
  StoreRecord wanted{.id = rng.uuid(), .app = app.id};
  wanted.type = kStoreGroup;
  wanted.store = group.id;
  const auto fails = [&](Code code, const char* reason) {
    CHECK_ERROR(code, reason,
                attempt([&](store::Writer& writer) { return create_store(writer, wanted); }));
  };
  fails(Code::invalid_argument, "account_store_invalid");
  change([&](store::Writer& writer) { return create_group(writer, group); });
  wanted.default_accounts = true;
  fails(Code::already_exists, "default_store_set");
  wanted.default_accounts = false;
  wanted.default_groups = true;
  fails(Code::invalid_argument, "account_store_invalid");
  wanted.type = kStoreDirectory;
  wanted.store = users.id;
  fails(Code::already_exists, "account_store_exists");
  wanted.type = "LIST";
  fails(Code::invalid_argument, "account_store_invalid");
}
