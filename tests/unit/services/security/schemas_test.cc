// SPDX-License-Identifier: Apache-2.0
#include "services/security/schemas.h"

#include "tests/support/services/schema_rig.h"
#include "tests/unit/services/security/rig.h"

namespace {

using base::Json;

constexpr const char* kAda = R"({"id":"00000000-0000-4000-8000-000000000001","username":"ada",
  "firstName":"","lastName":"","directory":{"id":"00000000-0000-4000-8000-000000000002",
  "name":"people","orgId":"00000000-0000-4000-8000-000000000003","directoryType":"INTERNAL"}})";

struct SecuritySchemaRig : public services::test::SchemaRig {
  void setup() override { add(security::reply_schemas(), "Security"); }
};

TEST_GROUP_BASE(SecuritySchemas, SecuritySchemaRig){};

TEST(SecuritySchemas, an_account_has_the_fields_that_are_rendered_and_no_password) {
  Json account = Json::parse(kAda);
  CHECK_TRUE(fits("SecurityAccount", account));
  account["email"] = "ada@example.org";
  CHECK_TRUE(fits("SecurityAccount", account));
  account["hash"] = "$scrypt$";
  CHECK_FALSE(fits("SecurityAccount", account));
  account.erase("hash");
  account.erase("directory");
  CHECK_FALSE(fits("SecurityAccount", account));
}

TEST(SecuritySchemas, of_a_token_that_is_not_active_nothing_else_is_told) {
  CHECK_TRUE(fits("SecurityInspection", {{"active", false}}));
  CHECK_FALSE(fits("SecurityInspection", {{"active", false}, {"username", "ada"}}));
  CHECK_FALSE(fits("SecurityInspection", {{"active", true}}));
}

TEST(SecuritySchemas, only_the_call_that_makes_a_client_shows_its_secret) {
  Json client = {{"id", "00000000-0000-4000-8000-000000000001"},
                 {"name", "shop"},
                 {"orgId", "00000000-0000-4000-8000-000000000003"},
                 {"redirectUris", {"https://shop.example/back"}},
                 {"grants", {"authorization_code"}},
                 {"public", false},
                 {"accessTokenFormat", "jwt"}};
  CHECK_TRUE(fits("SecurityClient", client));
  client["secret"] = "s";
  CHECK_FALSE(fits("SecurityClient", client));
  CHECK_TRUE(fits("SecurityNewClient", client));
}

// Those that answer with JSON; the others answer pages, redirections, XML and texts.
TEST_GROUP_BASE(SecurityRows, SecurityRig){};

TEST(SecurityRows, all_say_what_they_answer) {
  const std::set<std::string> without = {"security.health", "oidc.authorize", "oidc.login",
                                         "saml.metadata", "saml.login"};
  for (const services::ActionRow& row : host->actions()) {
    if (row.service != "security") continue;
    const bool says = !row.reply_schema.empty();
    if (says == without.contains(row.name)) FAIL((row.name + " " + row.path).c_str());
  }
}

// No other test asks them well.
TEST(SecurityRows, of_clients_and_of_an_apps_own_login_answer_as_they_promise) {
  make_cast();
  const Answer made = as("ada", rest::Method::post, "/acme/clients",
                         R"({"name":"till","redirectUris":["https://till.example/back"]})");
  must(made, 201);
  ids["till"] = made.at("id");
  STRCMP_EQUAL("till", as("ada", rest::Method::get, "/clients/$till").at("name").c_str());
  must(as("bob", rest::Method::del, "/clients/$till"), 403);
  const Answer gone = as("ada", rest::Method::del, "/clients/$till");
  must(gone, 200);
  CHECK_TRUE(gone.json["wasDeleted"]);
  must(as("ada", rest::Method::get, "/clients/$till"), 404);
  const char* login = R"({"username":"bob","password":"bob-secret"})";
  const Answer who = as("ada", rest::Method::post, "/apps/$shop/auth", login);
  must(who, 200);
  STRCMP_EQUAL("bob", who.json["account"]["username"].get<std::string>().c_str());
}

}  // namespace
