// SPDX-License-Identifier: Apache-2.0
// Logging in, tokens, keys: the original's routes and shapes, and that its holes are closed.
#include <cstdio>

#include "common/base/text.h"
#include "services/security/token/secret_token.h"
#include "tests/unit/services/security/rig.h"

using rest::Method;

TEST_GROUP_BASE(SecurityTokens, SecurityRig){void setup() override{SecurityRig::setup();
make_cast();
}
// Everything that the store holds, as one text.
std::string dump() {
  std::string out;
  CHECK_OK(db->read([&](store::Reader& reader) -> base::Result<void> {
    for (const store::Collection& each : security::security_collections()) {
      for (const auto& record : TRY(security::records_all(reader, each.name, ""))) {
        out += record.key + record.value + "\n";
      }
    }
    return {};
  }));
  return out;
}
}
;

TEST(SecurityTokens, a_password_gives_a_token_in_the_originals_shape) {
  const Answer answer =
      form("/acme/oauth/issue", "grant_type=password&username=ada&password=ada-secret");
  must(answer, 200);
  STRCMP_EQUAL("bearer", answer.at("token_type").c_str());
  LONGS_EQUAL(28'800, answer.json["expires_in"].get<int>());
  CHECK_TRUE(answer.at("gestalt_access_token_href").starts_with("/accessTokens/"));
  CHECK_TRUE(security::token_kind(answer.at("access_token")) == security::TokenKind::access);
  CHECK_TRUE(security::token_kind(answer.at("refresh_token")) == security::TokenKind::refresh);
  STRCMP_EQUAL("no-store", answer.raw.headers.at("Cache-Control").c_str());
  const Answer self = call(Method::get, "/accounts/self", "", bearer(answer.at("access_token")));
  STRCMP_EQUAL("ada", self.at("username").c_str());
  must(call(Method::get, "/acme", "", "token=" + answer.at("access_token")), 200);
}

TEST(SecurityTokens, what_is_no_login_is_refused_in_oauths_words) {
  struct Row {
    const char *path, *body, *error;
    int status = 400;
  };
  const Row rows[] = {
      {"/acme/oauth/issue", "grant_type=password&username=ada&password=wrong-one", "invalid_grant"},
      {"/acme/oauth/issue", "grant_type=password&username=nobody&password=ada-secret",
       "invalid_grant"},
      {"/acme/oauth/issue", "grant_type=password&username=ad*&password=ada-secret",
       "invalid_request"},
      {"/acme/oauth/issue", "grant_type=password&username=ada", "invalid_request"},
      {"/acme/oauth/issue", "grant_type=password&password=ada-secret", "invalid_request"},
      {"/acme/oauth/issue", "grant_type=password&username=&password=", "invalid_request"},
      {"/acme/oauth/issue", "username=ada&password=ada-secret", "invalid_request"},
      {"/acme/oauth/issue", "grant_type=magic&username=ada&password=ada-secret",
       "unsupported_grant_type"},
      {"/acme/oauth/issue", "grant_type=client_credentials", "invalid_client"},
      {"/acme/oauth/issue", "grant_type=refresh_token&refresh_token=gstr_none", "invalid_grant"},
      {"/evil/oauth/issue", "grant_type=password&username=ada&password=ada-secret",
       "invalid_grant"},
      {"/root/oauth/issue", "grant_type=password&username=ada&password=ada-secret",
       "invalid_grant"},
      {"/root/oauth/issue", "grant_type=password&username=admin&password=", "invalid_request"},
      {"/root/oauth/issue", "grant_type=password&username=admin&password=password",
       "invalid_grant"},
      {"/evil/oauth/issue", "grant_type=password&username=eve&password=x", "invalid_grant"},
      {"/oauth/issue", "grant_type=password&username=ada&password=ada-secret",
       "unsupported_grant_type"},
      {"/oauth/issue", "grant_type=client_credentials", "invalid_client"},
      {"/oauth/issue", "", "invalid_request"},
      {"/oauth/inspect", "token=x", "invalid_client"},
  };
  for (const Row& row : rows) {
    const Answer answer = form(row.path, row.body);
    if (answer.status != row.status || answer.at("error") != row.error) {
      FAIL((std::string(row.path) + " " + row.body + ": " + answer.raw.body).c_str());
    }
    CHECK_FALSE(answer.at("error_description").empty());
  }
  std::printf("%zu cases of refused logins\n", std::size(rows));
}

TEST(SecurityTokens, credentials_that_are_not_ours_are_refused) {
  const std::string token = login("acme", "bob", "bob-secret");
  const std::string good = keys["bob"];
  std::size_t cases = 0;
  for (const std::string& bad :
       {std::string("Bearer"), std::string("Bearer "), "Bearer " + token + "x",
        "Bearer " + token.substr(1), "Bearer x" + token, std::string("Basic Og=="),
        std::string("Basic !!!"), std::string("Basic ") + ids["bob_key"], good.substr(0, 40),
        std::string("Digest username=bob"), std::string("Bearer ") + ids["bob_key"],
        std::string("Bearer a.b.c"), std::string("Bearer gsta_") + std::string(51, 'A'),
        std::string("Bearer null"), std::string("Bearer ") + std::string(9000, 'a')}) {
    ++cases;
    const Answer answer = call(Method::get, "/accounts/self", "", bad);
    if (answer.status != 401) FAIL((bad.substr(0, 80) + ": " + answer.raw.body).c_str());
  }
  std::printf("%zu cases of refused credentials\n", cases);
  must(call(Method::get, "/accounts/self", "", bearer(token)), 200);
}

TEST(SecurityTokens, inspection_tells_its_owner_and_its_organisation_and_nobody_else) {
  const std::string token = login("acme", "bob", "bob-secret");
  for (const char* path : {"/oauth/inspect", "/acme/oauth/inspect", "/oauth/introspect"}) {
    for (int again = 0; again < 2; ++again) {
      for (const char* who : {"bob", "ada", "admin"}) {
        const Answer answer = form(path, "token=" + token, keys[who]);
        must(answer, 200);
        CHECK_TRUE(answer.json["active"].get<bool>());
        STRCMP_EQUAL("bob", answer.at("username").c_str());
        STRCMP_EQUAL(("/accounts/" + ids["bob"]).c_str(), answer.at("sub").c_str());
        STRCMP_EQUAL(ids["acme"].c_str(), answer.at("gestalt_org_id").c_str());
        STRCMP_EQUAL("bob", answer.json["gestalt_account"]["username"].get<std::string>().c_str());
        LONGS_EQUAL(1, answer.json["gestalt_groups"].size());
        LONGS_EQUAL(1, answer.json["gestalt_rights"].size());
        LONGS_EQUAL(28'800, answer.json["exp"].get<std::int64_t>() -
                                answer.json["iat"].get<std::int64_t>());
      }
      STRCMP_EQUAL(R"({"active":false})",
                   form(path, "token=" + token, keys["eve"]).raw.body.c_str());
    }
  }
  STRCMP_EQUAL(R"({"active":false})",
               form("/evil/oauth/inspect", "token=" + token, keys["eve"]).raw.body.c_str());
  STRCMP_EQUAL(R"({"active":false})",
               form("/oauth/inspect", "token=rubbish", keys["bob"]).raw.body.c_str());
  const Answer extra = form("/oauth/inspect", "token=" + token + "&why=test", keys["bob"]);
  STRCMP_EQUAL("test", extra.json["extra_data"]["why"].get<std::string>().c_str());
}

TEST(SecurityTokens, a_token_ends_with_its_time_its_deletion_and_its_account) {
  const auto alive = [&](const std::string& token) {
    return call(Method::get, "/accounts/self", "", bearer(token)).status == 200;
  };
  const auto active = [&](const std::string& token) {
    return form("/oauth/inspect", "token=" + token, keys["admin"]).json["active"].get<bool>();
  };
  std::string token = login("acme", "bob", "bob-secret");
  CHECK_TRUE(alive(token) && active(token));
  clock.pass(std::chrono::seconds(28'801));
  CHECK_FALSE(alive(token) || active(token));

  token = login("acme", "bob", "bob-secret");
  const std::string id = form("/oauth/inspect", "token=" + token, keys["bob"]).at("jti");
  must(as("eve", Method::del, "/accessTokens/" + id), 403);
  CHECK_TRUE(alive(token) && active(token));
  const Answer deleted = as("bob", Method::del, "/accessTokens/" + id);
  STRCMP_EQUAL(R"({"wasDeleted":true})", deleted.raw.body.c_str());
  CHECK_FALSE(alive(token) || active(token));

  token = login("acme", "bob", "bob-secret");
  must(as("ada", Method::post, "/accounts/$bob/disable"), 200);
  CHECK_FALSE(alive(token) || active(token));
  must(as("bob", Method::get, "/accounts/self"), 401);
  STRCMP_EQUAL("", login("acme", "bob", "bob-secret").c_str());
  must(as("ada", Method::post, "/accounts/$bob/enable"), 200);
  token = login("acme", "bob", "bob-secret");
  CHECK_TRUE(alive(token));
  must(as("bob", Method::patch, "/accounts/$bob",
          R"([{"op":"replace","path":"/credential","value":
             {"credentialType":"GestaltPasswordCredential","password":"bob-second"}}])"),
       200);
  CHECK_FALSE(alive(token) || active(token));
  STRCMP_EQUAL("", login("acme", "bob", "bob-secret").c_str());
  CHECK_FALSE(login("acme", "bob", "bob-second").empty());
}

TEST(SecurityTokens, a_key_makes_tokens_and_keys_and_takes_them_along) {
  const Answer issued = form("/oauth/issue", "grant_type=client_credentials", keys["bob"]);
  must(issued, 200);
  must(form("/acme/oauth/issue", "grant_type=client_credentials", keys["bob"]), 200);
  must(form("/evil/oauth/issue", "grant_type=client_credentials", keys["bob"]), 400);
  const std::string token = bearer(issued.at("access_token"));
  must(call(Method::get, "/accounts/self", "", token), 200);
  // Neither tokens nor keys come of a token.
  must(form("/oauth/issue", "grant_type=client_credentials", token), 400);
  must(call(Method::post, "/accounts/$bob/apiKeys", "", token), 400);
  const Answer child = as("bob", Method::post, "/accounts/$bob/apiKeys");
  must(child, 201);
  const std::string child_auth =
      "Basic " + base::to_base64url(child.at("apiKey") + ":" + child.at("apiSecret"));
  must(call(Method::get, "/accounts/self", "", child_auth), 200);
  must(as("bob", Method::del, "/apiKeys/$bob_key"), 200);
  must(call(Method::get, "/accounts/self", "", child_auth), 401);
  must(call(Method::get, "/accounts/self", "", token), 401);
}

TEST(SecurityTokens, nothing_that_proves_somebody_is_in_the_store) {
  const Answer issued =
      form("/acme/oauth/issue", "grant_type=password&username=ada&password=ada-secret");
  const Answer key = as("ada", Method::post, "/accounts/$ada/apiKeys");
  const std::string text = dump();
  for (const std::string& secret :
       {std::string("ada-secret"), issued.at("access_token"), issued.at("refresh_token"),
        key.at("apiSecret"), std::string("PRIVATE KEY")}) {
    CHECK_TRUE(secret.size() > 8 && text.find(secret) == text.npos);
  }
  CHECK_TRUE(text.find("$scrypt$") != text.npos);
}

TEST(SecurityTokens, too_many_failures_lock_a_name_also_over_a_restart_and_for_a_dry_run) {
  const auto attempt = [&](const char* password, const char* query = "") {
    return form(std::string("/acme/oauth/issue") + query,
                std::string("grant_type=password&username=bob&password=") + password);
  };
  for (int i = 0; i < 4; ++i) must(attempt("wrong-one"), 400);
  must(attempt("wrong-one", "?dryrun=true"), 200);
  const Answer locked = attempt("bob-secret");
  must(locked, 400);
  CHECK_TRUE(locked.at("error_description").find("locked") != std::string::npos);
  CHECK_FALSE(login("acme", "ada", "ada-secret").empty());
  restart();
  must(attempt("bob-secret"), 400);
  clock.pass(std::chrono::seconds(61));
  must(attempt("bob-secret"), 200);
  must(attempt("wrong-one"), 400);
  must(attempt("bob-secret"), 200);
}

TEST(SecurityTokens, a_refresh_token_serves_once_and_shown_again_ends_the_login) {
  const auto refresh = [&](const std::string& token) {
    return form("/acme/oauth/issue", "grant_type=refresh_token&refresh_token=" + token);
  };
  const Answer first =
      form("/acme/oauth/issue", "grant_type=password&username=bob&password=bob-secret");
  const Answer second = refresh(first.at("refresh_token"));
  must(second, 200);
  CHECK_FALSE(second.at("refresh_token") == first.at("refresh_token"));
  const Answer third = refresh(second.at("refresh_token"));
  must(third, 200);
  must(call(Method::get, "/accounts/self", "", bearer(third.at("access_token"))), 200);
  must(refresh(first.at("refresh_token")), 400);
  must(call(Method::get, "/accounts/self", "", bearer(third.at("access_token"))), 401);
  must(refresh(third.at("refresh_token")), 400);
}

TEST(SecurityTokens, a_repeated_call_gets_its_secret_again_and_nobody_without_an_account_does) {
  for (const char* path : {"/acme/oauth/issue", "/oauth/issue", "/oauth/token"}) {
    const Answer answer =
        call(Method::post, path, "grant_type=password&username=ada&password=ada-secret", "",
             {{"content-type", "application/x-www-form-urlencoded"}, {"idempotency-key", "once"}});
    must(answer, 400);
  }
  const auto make_key = [this] {
    return call(Method::post, "/accounts/$bob/apiKeys", "", keys["bob"],
                {{"idempotency-key", "k"}});
  };
  const Answer first = make_key();
  must(first, 201);
  const Answer again = make_key();
  must(again, 201);
  CHECK(!first.at("apiSecret").empty() && first.at("apiSecret") == again.at("apiSecret"));
  STRCMP_EQUAL(first.at("apiKey").c_str(), again.at("apiKey").c_str());
}

TEST(SecurityTokens, who_may_grant_rights_hands_out_no_more_than_he_has) {
  must(as("admin", Method::post, "/acme/accounts/$bob/rights", R"({"grantName":"createOrgGrant"})"),
       201);
  must(as("bob", Method::post, "/acme/accounts/$bob/rights", R"({"grantName":"readDirectory"})"),
       201);
  must(as("bob", Method::post, "/acme/accounts/$bob/rights", R"({"grantName":"**"})"), 403);
  for (const char* right :
       {"updateAccount", "deleteAccount", "createAPIKey", "updateGroup", "createAccount"}) {
    must(as("bob", Method::post, "/acme/accounts/$bob/rights",
            R"({"grantName":")" + std::string(right) + "\"}"),
         201);
  }
  // Ada is superuser of acme: whoever is not may not become her.
  must(
      as("bob", Method::patch, "/accounts/$ada",
         R"({"credential":{"credentialType":"GestaltPasswordCredential","password":"mine-now-1"}})"),
      403);
  must(as("bob", Method::del, "/accounts/$ada"), 403);
  must(as("bob", Method::post, "/accounts/$ada/disable"), 403);
  must(as("bob", Method::post, "/accounts/$ada/apiKeys", R"({"orgId":"$acme"})"), 403);
  must(as("bob", Method::post, "/acme/accounts",
          R"({"username":"x","rights":[{"grantName":"**"}]})"),
       403);
  must(as("admin", Method::post, "/acme/groups/$team/rights", R"({"grantName":"**"})"), 201);
  must(as("bob", Method::patch, "/groups/$team/accounts",
          R"([{"op":"add","path":"/accounts","value":"$bob"}])"),
       403);
  must(as("bob", Method::post, "/acme/accounts", R"({"username":"x","groups":["$team"]})"), 403);
  LONGS_EQUAL(403, as("bob", Method::del, "/acme").status);
}

TEST(SecurityTokens, what_belongs_to_others_cannot_be_mapped_or_drawn_in) {
  must(as("eve", Method::post, "/evil/accountStores",
          R"({"storeType":"DIRECTORY","accountStoreId":"$dir"})"),
       403);
  must(as("eve", Method::post, "/evil/accountStores",
          R"({"storeType":"GROUP","accountStoreId":"$team"})"),
       403);
  must(as("eve", Method::post, "/evil/accounts", R"({"username":"y","groups":["$team"]})"), 403);
  const Answer groups = as("eve", Method::get, "/evil/groups");
  const std::string group = groups.json[0]["id"].get<std::string>();
  must(as("eve", Method::patch, "/groups/" + group + "/accounts",
          R"([{"op":"add","path":"/accounts","value":"$bob"}])"),
       403);
  must(as("eve", Method::post, "/evil/accounts/$bob/rights", R"({"grantName":"a"})"), 404);
}

TEST(SecurityTokens, errors_have_the_originals_shape) {
  const Answer answer = as("bob", Method::get, "/acme/accounts/none");
  LONGS_EQUAL(404, answer.status);
  LONGS_EQUAL(404, answer.json["code"].get<int>());
  for (const char* name : {"message", "resource", "developerMessage"}) {
    CHECK_TRUE(answer.json.contains(name));
  }
}

TEST(SecurityTokens, names_mail_and_phone_conflict_with_409) {
  struct Row {
    const char* body;
    int status;
  };
  const Row rows[] = {
      {R"({"username":"bob"})", 409},
      {R"({"username":"b2","email":"ada@acme.example"})", 409},
      {R"({"username":"b2","phoneNumber":"+1 (505) 867-5309"})", 409},
      {R"({"username":"b2","phoneNumber":"12"})", 400},
      {R"({"username":"b2","email":"none"})", 400},
      {R"({"username":"b*"})", 400},
      {R"({"username":""})", 400},
      {R"({})", 400},
      {R"([])", 400},
      {R"({"username":7})", 400},
      {R"({"username":"b2","credential":{"credentialType":"x","password":"longenough"}})", 400},
      {R"({"username":"b2","credential":{"credentialType":"GestaltPasswordCredential","password":"short"}})",
       400},
      {R"({"username":"b2","rights":[{"grantName":""}]})", 400},
      {R"({"username":"b2","rights":[{"grantName":"**:x"}]})", 400},
      {R"({"username":"b2","groups":["none"]})", 404},
      {R"({"username":"b2","description":"d","email":"b2@acme.example"})", 201},
  };
  for (const Row& row : rows) {
    const Answer answer = as("ada", Method::post, "/acme/accounts", row.body);
    if (answer.status != row.status) FAIL((std::string(row.body) + answer.raw.body).c_str());
  }
  std::printf("%zu cases of new accounts\n", std::size(rows));
}
