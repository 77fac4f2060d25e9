// SPDX-License-Identifier: Apache-2.0
#include "services/security/core/change.h"

#include <array>

#include "services/security/core/lookup.h"
#include "tests/unit/services/security/core/rig.h"

using base::Code;
using namespace security;  // NOLINT: the records' names
using Done = base::Result<void>;

TEST_GROUP_BASE(SecurityChange, CoreRig){};

TEST(SecurityChange, names_mail_and_phone_are_unique_within_a_directory) {
  AccountRecord john{.id = rng.uuid(), .directory = users.id, .username = "john"};
  john.email = "john@acme.example";
  john.phone = "+1 (505) 867-5309";
  change([&](store::Writer& writer) { return create_account(writer, john); });
  STRCMP_EQUAL("+15058675309", john.phone->c_str());
  const auto fails = [&](const char* reason, AccountRecord other) {
    other.id = rng.uuid();
    CHECK_ERROR(Code::already_exists, reason,
                attempt([&](store::Writer& writer) { return create_account(writer, other); }));
  };
  AccountRecord other{.directory = users.id, .username = "john"};
  fails("name_taken", other);
  other.username = "jane";
  other.email = john.email;
  fails("email_taken", other);
  other.email = std::nullopt;
  other.phone = "+1-505-867-5309";
  fails("phone_taken", other);
  LONGS_EQUAL(2, count("security.accounts"));
  change([&](store::Writer& writer) -> Done {
    const auto elsewhere =
        TRY(create_directory(writer, {.id = rng.uuid(), .org = root.id, .name = "other"}));
    AccountRecord same = john;
    same.id = rng.uuid();
    same.directory = elsewhere.id;
    return create_account(writer, same);
  });
}

TEST(SecurityChange, a_patch_changes_all_it_names_or_nothing) {
  const auto patch = [&](const char* text) {
    constexpr std::array<std::string_view, 3> kPaths = {"/email", "/phoneNumber", "/username"};
    const base::Json body = UNWRAP(base::parse_json(text));
    const auto ops = UNWRAP(parse_patch(body, kPaths));
    return attempt([&](store::Writer& writer) -> Done {
      AccountRecord account = TRY(need_account(writer, admin.id));
      return patch_account(writer, account, ops, std::nullopt);
    });
  };
  CHECK_OK(patch(R"([{"op":"add","path":"/email","value":"a@b"}])"));
  CHECK_ERROR(Code::invalid_argument, "phone_invalid", patch(R"([{"op":"remove","path":"/email"},
                        {"op":"add","path":"/phoneNumber","value":"12"}])"));
  look([&](store::Reader& reader) -> Done {
    STRCMP_EQUAL("a@b", TRY(need_account(reader, admin.id)).email.value_or("").c_str());
    return {};
  });
  CHECK_OK(patch(R"([{"op":"remove","path":"/email"}])"));
  CHECK_ERROR(Code::invalid_argument, "name_invalid",
              patch(R"([{"op":"replace","path":"/username","value":"a*"}])"));
}

TEST(SecurityChange, deleting_an_account_takes_all_that_hangs_on_it) {
  AccountRecord john{.id = rng.uuid(), .directory = users.id, .username = "john"};
  change([&](store::Writer& writer) -> Done {
    TRY(create_account(writer, john));
    GroupRecord group{.id = rng.uuid(), .directory = users.id, .name = "eng"};
    TRY(create_group(writer, group));
    TRY(add_member(writer, group, john));
    TRY(add_right(writer, rng, app.id, john.id, false, {.name = "sync"}));
    const auto key = TRY(create_api_key(writer, rng, 1, john.id, root.id, ""));
    TRY(create_api_key(writer, rng, 1, john.id, root.id, key.record.id));
    TokenRecord token{.hash = "h", .id = "i", .account = john.id};
    token.api_key = key.record.id;
    return put(writer, token);
  });
  change([&](store::Writer& writer) { return delete_account(writer, john); });
  for (const char* collection :
       {"security.members", "security.rights", "security.keys", "security.tokens"}) {
    LONGS_EQUAL(0, count(collection));
  }
  LONGS_EQUAL(1, count("security.accounts"));
  LONGS_EQUAL(1, count("security.groups"));
}

TEST(SecurityChange, a_key_takes_its_children_and_their_tokens) {
  std::string first, second, other;
  change([&](store::Writer& writer) -> Done {
    const auto a = TRY(create_api_key(writer, rng, 1, admin.id, root.id, ""));
    const auto b = TRY(create_api_key(writer, rng, 1, admin.id, root.id, a.record.id));
    const auto c = TRY(create_api_key(writer, rng, 1, admin.id, root.id, b.record.id));
    const auto d = TRY(create_api_key(writer, rng, 1, admin.id, root.id, ""));
    TokenRecord token{.hash = "h", .id = "i", .account = admin.id};
    token.api_key = c.record.id;
    TRY(put(writer, token));
    other = d.record.id;
    return delete_api_key(writer, a.record);
  });
  LONGS_EQUAL(1, count("security.keys"));
  LONGS_EQUAL(0, count("security.tokens"));
}

TEST(SecurityChange, a_new_password_or_being_disabled_ends_all_tokens) {
  const auto with_token = [&] {
    change([&](store::Writer& writer) {
      return put(writer, TokenRecord{.hash = "h", .id = "i", .account = admin.id});
    });
  };
  with_token();
  change([&](store::Writer& writer) { return patch_account(writer, admin, {}, "new"); });
  LONGS_EQUAL(0, count("security.tokens"));
  with_token();
  change([&](store::Writer& writer) { return set_disabled(writer, admin, true); });
  LONGS_EQUAL(0, count("security.tokens"));
}

TEST(SecurityChange, a_right_is_unique_by_subject_and_app) {
  change([&](store::Writer& writer) -> Done {
    TRY(add_right(writer, rng, app.id, admin.id, false, {.name = "sync"}));
    return {};
  });
  const auto again = [&](const char* name) {
    return attempt([&](store::Writer& writer) -> Done {
      TRY(add_right(writer, rng, app.id, admin.id, false, {.name = name}));
      return {};
    });
  };
  CHECK_ERROR(Code::already_exists, "right_exists", again("sync"));
  CHECK_ERROR(Code::invalid_argument, "grant_invalid", again(""));
  CHECK_ERROR(Code::invalid_argument, "grant_invalid", again("**:a"));
  CHECK_OK(again("a:**"));
}

TEST(SecurityChange, who_belongs_to_an_app_follows_its_stores_and_disabling) {
  AccountRecord john{.id = rng.uuid(), .directory = users.id, .username = "john"};
  GroupRecord group{.id = rng.uuid(), .directory = users.id, .name = "eng"};
  AppRecord other{.id = rng.uuid(), .org = root.id, .name = "shop"};
  change([&](store::Writer& writer) -> Done {
    TRY(create_account(writer, john));
    TRY(create_group(writer, group));
    TRY(create_app(writer, other));
    StoreRecord store{.id = rng.uuid(), .app = other.id};
    store.type = kStoreGroup;
    store.store = group.id;
    return create_store(writer, store);
  });
  const auto belongs = [&] {
    bool out = false;
    look([&](store::Reader& reader) -> Done {
      const AccountRecord now = TRY(need_account(reader, john.id));
      out = TRY(belongs_to_app(reader, now, other.id));
      return {};
    });
    return out;
  };
  CHECK_FALSE(belongs());
  change([&](store::Writer& writer) { return add_member(writer, group, john); });
  CHECK_TRUE(belongs());
  change([&](store::Writer& writer) -> Done {
    GroupRecord off = group;
    off.disabled = true;
    return put(writer, off);
  });
  CHECK_FALSE(belongs());
  change([&](store::Writer& writer) { return put(writer, group); });
  change([&](store::Writer& writer) { return set_disabled(writer, john, true); });
  CHECK_FALSE(belongs());
}
