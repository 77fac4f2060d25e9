// SPDX-License-Identifier: Apache-2.0
#include "services/security/core/render.h"

#include "tests/unit/services/security/core/rig.h"

using namespace security;  // NOLINT: the records' names
using Done = base::Result<void>;

TEST_GROUP_BASE(SecurityRender, CoreRig){};

TEST(SecurityRender, absent_fields_are_left_out_and_links_say_where) {
  look([&](store::Reader& reader) -> Done {
    const base::Json org = TRY(org_json(reader, root));
    STRCMP_EQUAL(
        ("{\"children\":[],\"fqon\":\"root\",\"id\":\"" + root.id + "\",\"name\":\"root\"}")
            .c_str(),
        base::dump_json(org).c_str());
    const base::Json account = TRY(account_json(reader, admin));
    CHECK_FALSE(account.contains("email"));
    CHECK_FALSE(account.contains("hash"));
    STRCMP_EQUAL(users.id.c_str(), account["directory"]["id"].get<std::string>().c_str());
    return {};
  });
  STRCMP_EQUAL(R"({"href":"/groups/i","id":"i","name":"n"})",
               base::dump_json(link_json("i", "n", "groups")).c_str());
}

TEST(SecurityRender, passwords_of_a_directory_are_masked) {
  DirectoryRecord directory = users;
  directory.config = R"({"url":"ldap://x","systemPassword":"sealed","bindPassword":3})";
  const std::string text = base::dump_json(directory_json(directory, ConfigShown::yes));
  CHECK_TRUE(text.find("sealed") == text.npos);
  CHECK_TRUE(text.find(R"("systemPassword":"********")") != text.npos);
  CHECK_TRUE(text.find(R"("bindPassword":"********")") != text.npos);
  CHECK_TRUE(text.find("ldap://x") != text.npos);
  CHECK_FALSE(directory_json(directory, ConfigShown::no).contains("config"));
}

TEST(SecurityRender, who_an_account_is_holds_its_groups_and_rights) {
  change([&](store::Writer& writer) -> Done {
    GroupRecord group{.id = rng.uuid(), .directory = users.id, .name = "eng"};
    TRY(create_group(writer, group));
    TRY(add_member(writer, group, admin));
    TRY(add_right(writer, rng, app.id, group.id, true, {.name = "a:b", .value = "v"}));
    TRY(add_right(writer, rng, app.id, admin.id, false, {.name = "sync"}));
    return {};
  });
  look([&](store::Reader& reader) -> Done {
    const base::Json auth = TRY(auth_json(reader, admin, app));
    LONGS_EQUAL(1, auth["groups"].size());
    LONGS_EQUAL(2, auth["rights"].size());
    STRCMP_EQUAL(root.id.c_str(), auth["orgId"].get<std::string>().c_str());
    const std::string id = auth["groups"][0]["id"].get<std::string>();
    const GroupRecord record = TRY(need_group(reader, id));
    const base::Json group = TRY(group_json(reader, record));
    LONGS_EQUAL(1, group["accounts"].size());
    return {};
  });
}
