// SPDX-License-Identifier: Apache-2.0
// Who may call what: every route, called by nobody, by somebody of the organisation without a
// right, by its administrator, by the administrator of another organisation and by the root's.
// Mutations run with ?dryrun=true, so that each row meets the same world.
#include <algorithm>
#include <cstdio>

#include "services/security/model/names.h"
#include "tests/unit/services/security/rig.h"

namespace {

using rest::Method;

struct Row {
  Method method;
  const char* path;
  const char* body;
  int nobody, bob, ada, eve, admin;
};

constexpr const char* kAccount = R"({"username":"new","firstName":"","lastName":""})";
constexpr const char* kRight = R"({"grantName":"new:right"})";
constexpr const char* kValue = R"([{"op":"add","path":"/grantValue","value":"9"}])";
constexpr const char* kMember = R"([{"op":"add","path":"/accounts","value":"$bob"}])";
constexpr const char* kMail = R"([{"op":"add","path":"/email","value":"new@acme.example"}])";
constexpr const char* kName = R"([{"op":"replace","path":"/description","value":"x"}])";
constexpr const char* kLdapDirectory =
    R"({"name":"staff","directoryType":"LDAP","config":{"url":"ldaps://localhost",
        "systemUsername":"cn=a","systemPassword":"p","searchBase":"dc=a"}})";

constexpr Row kRows[] = {
    // open to all
    {Method::get, "/health", "", 200, 200, 200, 200, 200},
    {Method::get, "/info", "", 200, 200, 200, 200, 200},
    {Method::get, "/init", "", 200, 200, 200, 200, 200},
    {Method::get, "/.well-known/openid-configuration", "", 200, 200, 200, 200, 200},
    {Method::get, "/oauth/jwks", "", 200, 200, 200, 200, 200},
    {Method::post, "/init", "", 400, 400, 400, 400, 400},
    // the caller's own
    {Method::get, "/accounts/self", "", 401, 200, 200, 200, 200},
    {Method::get, "/orgs", "", 401, 200, 200, 200, 200},
    {Method::get, "/orgs/current", "", 401, 200, 200, 200, 200},
    {Method::post, "/auth", "", 401, 200, 200, 200, 200},
    {Method::get, "/oauth/userinfo", "", 401, 200, 200, 200, 200},
    {Method::get, "/sync", "", 401, 403, 200, 200, 200},
    // organisations
    {Method::get, "/root", "", 401, 403, 403, 403, 200},
    {Method::get, "/orgs/$root", "", 401, 403, 403, 403, 200},
    {Method::get, "/acme", "", 401, 200, 200, 403, 200},
    {Method::get, "/orgs/$acme", "", 401, 200, 200, 403, 200},
    {Method::get, "/acme/orgs", "", 401, 200, 200, 403, 200},
    {Method::get, "/acme/sync", "", 401, 403, 200, 403, 200},
    {Method::get, "/root/sync", "", 401, 403, 403, 403, 200},
    {Method::get, "/acme/serviceApp", "", 401, 200, 200, 403, 200},
    {Method::post, "/acme/auth", "", 401, 200, 200, 403, 200},
    {Method::post, "/acme/orgs", R"({"name":"eng"})", 401, 403, 201, 403, 201},
    {Method::post, "/acme", R"({"name":"eng"})", 401, 403, 201, 403, 201},
    {Method::post, "/root/orgs", R"({"name":"eng"})", 401, 403, 403, 403, 201},
    {Method::del, "/acme", "", 401, 403, 200, 403, 200},
    {Method::del, "/evil", "", 401, 403, 403, 200, 200},
    {Method::del, "/root", "", 401, 403, 403, 403, 400},
    {Method::get, "/nowhere", "", 401, 404, 404, 404, 404},
    // directories
    {Method::get, "/acme/directories", "", 401, 200, 200, 403, 200},
    {Method::post, "/acme/directories", R"({"name":"d"})", 401, 403, 201, 403, 201},
    {Method::post, "/acme/directories", kLdapDirectory, 401, 403, 201, 403, 201},
    {Method::get, "/directories/$dir", "", 401, 200, 200, 403, 200},
    {Method::patch, "/directories/$dir", kName, 401, 403, 200, 403, 200},
    {Method::del, "/directories/$dir", "", 401, 403, 400, 403, 200},
    {Method::get, "/directories/$dir/accounts", "", 401, 403, 200, 403, 200},
    {Method::post, "/directories/$dir/accounts", kAccount, 401, 403, 201, 403, 201},
    {Method::get, "/directories/$dir/groups", "", 401, 403, 200, 403, 200},
    {Method::post, "/directories/$dir/groups", R"({"name":"g"})", 401, 403, 201, 403, 201},
    {Method::get, "/directories/$dir/usernames/bob", "", 401, 403, 200, 403, 200},
    {Method::get, "/directories/$dir/usernames/no", "", 401, 403, 404, 403, 404},
    {Method::post, "/directories/$dir/sync", "", 401, 403, 400, 403, 400},  // it is kept here
    {Method::get, "/directories/$dir/groupnames/team", "", 401, 403, 200, 403, 200},
    // accounts
    {Method::get, "/acme/accounts", "", 401, 200, 200, 403, 200},
    {Method::post, "/acme/accounts", kAccount, 401, 403, 201, 403, 201},
    {Method::get, "/acme/accounts/$bob", "", 401, 200, 200, 403, 200},
    {Method::get, "/acme/accounts/$eve", "", 401, 404, 404, 403, 404},
    {Method::get, "/acme/usernames/bob", "", 401, 403, 200, 403, 200},
    {Method::get, "/accounts/$bob", "", 401, 200, 200, 403, 200},
    {Method::get, "/accounts/$ada", "", 401, 403, 200, 403, 200},
    {Method::get, "/accounts/$admin", "", 401, 403, 403, 403, 200},
    {Method::patch, "/accounts/$bob", kMail, 401, 200, 200, 403, 200},
    {Method::patch, "/accounts/$ada", kMail, 401, 403, 200, 403, 200},
    {Method::patch, "/accounts/$admin", kMail, 401, 403, 403, 403, 200},
    {Method::del, "/accounts/$bob", "", 401, 403, 200, 403, 200},
    {Method::del, "/accounts/$ada", "", 401, 403, 400, 403, 200},
    {Method::del, "/accounts/$admin", "", 401, 403, 403, 403, 400},
    {Method::post, "/accounts/$bob/disable", "", 401, 403, 200, 403, 200},
    {Method::post, "/accounts/$bob/enable", "", 401, 403, 200, 403, 200},
    {Method::post, "/accounts/$admin/disable", "", 401, 403, 403, 403, 400},
    {Method::get, "/accounts/$bob/groups", "", 401, 200, 200, 403, 200},
    {Method::get, "/accounts/$ada/groups", "", 401, 403, 200, 403, 200},
    {Method::del, "/accounts/$bob/email", "", 401, 200, 200, 403, 200},
    {Method::del, "/accounts/$bob/phoneNumber", "", 401, 200, 200, 403, 200},
    {Method::post, "/accounts/$bob/apiKeys", R"({"orgId":"$acme"})", 401, 201, 201, 403, 201},
    {Method::post, "/accounts/$bob/apiKeys", R"({"orgId":"$evil"})", 401, 400, 400, 403, 400},
    {Method::post, "/accounts/$admin/apiKeys", R"({"orgId":"$root"})", 401, 403, 403, 403, 201},
    {Method::del, "/apiKeys/$bob_key", "", 401, 200, 200, 403, 200},
    {Method::del, "/apiKeys/$ada_key", "", 401, 403, 200, 403, 200},
    {Method::del, "/apiKeys/$eve_key", "", 401, 403, 403, 200, 200},
    {Method::del, "/apiKeys/23ba3299-b04e-4c5c-9b3d-64939b22944e", "", 401, 200, 200, 200, 200},
    {Method::del, "/accessTokens/23ba3299-b04e-4c5c-9b3d-64939b22944e", "", 401, 200, 200, 200,
     200},
    // groups
    {Method::get, "/acme/groups", "", 401, 200, 200, 403, 200},
    {Method::post, "/acme/groups", R"({"name":"g"})", 401, 403, 201, 403, 201},
    {Method::get, "/acme/groups/$team", "", 401, 403, 200, 403, 200},
    {Method::get, "/acme/groupnames/team", "", 401, 403, 200, 403, 200},
    {Method::get, "/groups/$team", "", 401, 403, 200, 403, 200},
    {Method::patch, "/groups/$team", kName, 401, 403, 200, 403, 200},
    {Method::del, "/groups/$team", "", 401, 403, 200, 403, 200},
    {Method::get, "/groups/$team/accounts", "", 401, 403, 200, 403, 200},
    {Method::patch, "/groups/$team/accounts", kMember, 401, 403, 200, 403, 200},
    // apps
    {Method::get, "/acme/apps", "", 401, 200, 200, 403, 200},
    {Method::post, "/acme/apps", R"({"name":"a"})", 401, 403, 201, 403, 201},
    {Method::get, "/apps/$shop", "", 401, 200, 200, 403, 200},
    {Method::del, "/apps/$shop", "", 401, 403, 200, 403, 200},
    {Method::get, "/apps/$shop/accounts", "", 401, 200, 200, 403, 200},
    {Method::post, "/apps/$shop/accounts", kAccount, 401, 403, 201, 403, 201},
    {Method::get, "/apps/$shop/accounts/$bob", "", 401, 200, 200, 403, 200},
    {Method::get, "/apps/$shop/usernames/bob", "", 401, 403, 200, 403, 200},
    {Method::get, "/apps/$shop/groups", "", 401, 200, 200, 403, 200},
    {Method::post, "/apps/$shop/groups", R"({"name":"g"})", 401, 403, 201, 403, 201},
    {Method::get, "/apps/$shop/groups/$team", "", 401, 403, 200, 403, 200},
    {Method::get, "/apps/$shop/groupnames/team", "", 401, 403, 200, 403, 200},
    {Method::post, "/apps/$shop/auth", R"({"username":"nobody","password":"wrong"})", 401, 403, 404,
     403, 404},
    // account stores
    {Method::get, "/acme/accountStores", "", 401, 200, 200, 403, 200},
    {Method::get, "/apps/$shop/accountStores", "", 401, 200, 200, 403, 200},
    {Method::post, "/apps/$shop/accountStores", R"({"storeType":"GROUP","accountStoreId":"$team"})",
     401, 403, 201, 403, 201},
    {Method::post, "/acme/accountStores", R"({"storeType":"GROUP","accountStoreId":"$team"})", 401,
     403, 201, 403, 201},
    {Method::get, "/accountStores/$map", "", 401, 200, 200, 403, 200},
    {Method::patch, "/accountStores/$map", kName, 401, 403, 200, 403, 200},
    {Method::del, "/accountStores/$map", "", 401, 403, 200, 403, 200},
    // rights; the original let any member change those of groups and of apps
    {Method::get, "/acme/accounts/$bob/rights", "", 401, 403, 200, 403, 200},
    {Method::post, "/acme/accounts/$bob/rights", kRight, 401, 403, 201, 403, 201},
    {Method::get, "/acme/accounts/$bob/rights/sell", "", 401, 403, 200, 403, 200},
    {Method::patch, "/acme/accounts/$bob/rights/sell", kValue, 401, 403, 200, 403, 200},
    {Method::del, "/acme/accounts/$bob/rights/sell", "", 401, 403, 200, 403, 200},
    {Method::get, "/acme/usernames/bob/rights", "", 401, 403, 200, 403, 200},
    {Method::post, "/acme/usernames/bob/rights", kRight, 401, 403, 201, 403, 201},
    {Method::get, "/acme/usernames/bob/rights/sell", "", 401, 403, 200, 403, 200},
    {Method::patch, "/acme/usernames/bob/rights/sell", kValue, 401, 403, 200, 403, 200},
    {Method::del, "/acme/usernames/bob/rights/sell", "", 401, 403, 200, 403, 200},
    {Method::get, "/acme/groups/$team/rights", "", 401, 403, 200, 403, 200},
    {Method::post, "/acme/groups/$team/rights", kRight, 401, 403, 201, 403, 201},
    {Method::get, "/acme/groups/$team/rights/sell", "", 401, 403, 200, 403, 200},
    {Method::patch, "/acme/groups/$team/rights/sell", kValue, 401, 403, 200, 403, 200},
    {Method::del, "/acme/groups/$team/rights/sell", "", 401, 403, 200, 403, 200},
    {Method::get, "/apps/$shop/accounts/$bob/rights", "", 401, 403, 200, 403, 200},
    {Method::post, "/apps/$shop/accounts/$bob/rights", kRight, 401, 403, 201, 403, 201},
    {Method::get, "/apps/$shop/accounts/$bob/rights/cart:read", "", 401, 403, 200, 403, 200},
    {Method::patch, "/apps/$shop/accounts/$bob/rights/cart:read", kValue, 401, 403, 200, 403, 200},
    {Method::del, "/apps/$shop/accounts/$bob/rights/cart:read", "", 401, 403, 200, 403, 200},
    {Method::get, "/apps/$shop/usernames/bob/rights", "", 401, 403, 200, 403, 200},
    {Method::post, "/apps/$shop/usernames/bob/rights", kRight, 401, 403, 201, 403, 201},
    {Method::get, "/apps/$shop/usernames/bob/rights/cart:read", "", 401, 403, 200, 403, 200},
    {Method::patch, "/apps/$shop/usernames/bob/rights/cart:read", kValue, 401, 403, 200, 403, 200},
    {Method::del, "/apps/$shop/usernames/bob/rights/cart:read", "", 401, 403, 200, 403, 200},
    {Method::get, "/apps/$shop/groups/$team/rights", "", 401, 403, 200, 403, 200},
    {Method::post, "/apps/$shop/groups/$team/rights", kRight, 401, 403, 201, 403, 201},
    {Method::get, "/apps/$shop/groups/$team/rights/cart:read", "", 401, 403, 200, 403, 200},
    {Method::patch, "/apps/$shop/groups/$team/rights/cart:read", kValue, 401, 403, 200, 403, 200},
    {Method::del, "/apps/$shop/groups/$team/rights/cart:read", "", 401, 403, 200, 403, 200},
    {Method::get, "/rights/$right", "", 401, 403, 200, 403, 200},
    {Method::patch, "/rights/$right", kValue, 401, 403, 200, 403, 200},
    {Method::del, "/rights/$right", "", 401, 403, 200, 403, 200},
    // clients of OpenID Connect
    {Method::get, "/acme/clients", "", 401, 403, 200, 403, 200},
    {Method::post, "/acme/clients", R"({"name":"c","redirectUris":["https://c.example/cb"]})", 401,
     403, 201, 403, 201},
};

}  // namespace

TEST_GROUP_BASE(SecurityAccess, SecurityRig){void setup() override{SecurityRig::setup();
make_cast();
}
}
;

TEST(SecurityAccess, each_route_answers_each_caller_as_the_table_says) {
  std::size_t cases = 0, wrong = 0;
  for (const Row& row : kRows) {
    const std::pair<const char*, int> expected[] = {{"nobody", row.nobody},
                                                    {"bob", row.bob},
                                                    {"ada", row.ada},
                                                    {"eve", row.eve},
                                                    {"admin", row.admin}};
    std::string path = row.path;
    if (row.method != Method::get) path += "?dryrun=true";
    for (const auto& [who, status] : expected) {
      const Answer answer = as(who, row.method, path, row.body);
      int got = answer.status;
      // A dry run answers 200 and says what would have been.
      if (got == 200 && answer.json.contains("would")) {
        got = answer.json["would"]["status"].get<int>();
      }
      ++cases;
      if (got == status) continue;
      ++wrong;
      std::printf("%s %s as %s: %d, not %d: %.200s\n",
                  std::string(rest::method_name(row.method)).c_str(), path.c_str(), who, got,
                  status, answer.raw.body.c_str());
    }
  }
  std::printf("%zu cases of access\n", cases);
  LONGS_EQUAL(0, wrong);
}

TEST(SecurityAccess, each_change_that_the_administrator_may_make_is_made) {
  const auto kept = keep();
  std::size_t made = 0;
  for (const Row& row : kRows) {
    if (row.method == Method::get || row.admin >= 300) continue;
    const Answer answer = as("admin", row.method, row.path, row.body);
    if (answer.status != row.admin) FAIL((std::string(row.path) + ": " + answer.text()).c_str());
    ++made;
    restart(kept.get());  // the next row meets the same world
  }
  CHECK_TRUE(made > 50);
}

TEST(SecurityAccess, the_table_names_every_route_that_is_not_open) {
  std::size_t open = 0;
  for (const services::ActionRow& row : host->actions()) {
    if (row.mount != "/security") continue;
    if (row.access.kind() == services::Access::Kind::anonymous) {
      ++open;
      continue;
    }
    const std::string shape = row.path;
    bool named = false;
    for (const Row& each : kRows) {
      if (each.method != row.method) continue;
      std::string path = each.path;
      // The organisation's dotted name and its id are one row.
      if (path.starts_with("/acme") || path.starts_with("/root") || path.starts_with("/evil")) {
        path = "/orgs/x" + path.substr(5);
      }
      std::string pattern;
      for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == '{') {
          pattern += '*';
          i = shape.find('}', i);
        } else {
          pattern += shape[i];
        }
      }
      named = named || (std::count(path.begin(), path.end(), '/') ==
                            std::count(pattern.begin(), pattern.end(), '/') &&
                        security::matches_wildcard(pattern, path));
    }
    const bool of_clients = shape == "/clients/{client}";
    if (!named && !of_clients) FAIL((shape + " is in no row of the table").c_str());
  }
  CHECK_TRUE(open < 20);
}
