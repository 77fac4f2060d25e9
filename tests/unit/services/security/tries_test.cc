// SPDX-License-Identifier: Apache-2.0
// Dry runs of what the rig does not try by itself, since attempts with a password are counted; and
// of what only an empty service does.
#include "common/base/text.h"
#include "common/sys/tls.h"
#include "tests/unit/services/security/rig.h"

using rest::Method;

namespace {

struct CastRig : SecurityRig {
  void setup() override {
    SecurityRig::setup();
    make_cast();
  }
};

// Nobody has initialised it.
struct EmptyRig : SecurityRig {
  void setup() override {
    config = R"({"bootstrap":false})";
    restart();
  }
};

}  // namespace

TEST_GROUP_BASE(SecurityTries, CastRig){};

TEST(SecurityTries, a_login_that_is_tried_gives_no_token) {
  const std::string body = "grant_type=password&username=bob&password=bob-secret";
  const Answer tried = form("/acme/oauth/issue?dryrun=true", body);
  must(tried, 200);
  const base::Json& would = tried.json["would"];
  LONGS_EQUAL(200, would["status"].get<int>());
  const std::string token = would["body"]["access_token"];
  must(call(Method::get, "/accounts/self", "", bearer(token)), 401);
  must(form("/acme/oauth/issue", body), 200);
}

TEST(SecurityTries, a_login_page_that_is_tried_still_serves_afterwards) {
  const Answer made = as("ada", Method::post, "/acme/clients",
                         R"({"name":"portal","redirectUris":["https://app.example/cb"]})");
  must(made, 201);
  const std::string challenge =
      base::to_base64url(sys::sha256("a-verifier-of-enough-length-0123456789-0123456789"));
  const Answer page =
      call(Method::get, "/oauth/authorize?response_type=code&client_id=" + made.at("id") +
                            "&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=openid&state=s"
                            "&code_challenge_method=S256&code_challenge=" +
                            challenge);
  must(page, 200);
  const std::string set = page.raw.headers.at("Set-Cookie");
  const std::string body =
      "form=" + base::percent_encode(between(page.text(), "name=\"form\" value=\"", "\"")) +
      "&username=bob&password=bob-secret";
  const std::map<std::string, std::string> headers = {
      {"content-type", "application/x-www-form-urlencoded"},
      {"cookie", set.substr(0, set.find(';'))}};
  const Answer tried = call(Method::post, "/oauth/authorize?dryrun=true", body, "", headers);
  must(tried, 200);
  LONGS_EQUAL(303, tried.json["would"]["status"].get<int>());
  must(call(Method::post, "/oauth/authorize", body, "", headers), 303);
}

TEST_GROUP_BASE(SecurityEmpty, EmptyRig){};

TEST(SecurityEmpty, it_is_initialised_once_and_answers_with_the_first_key) {
  const Answer before = call(Method::get, "/init");
  CHECK_FALSE(before.json["initialized"].get<bool>());
  must(call(Method::get, "/health"), 400);
  const std::string body = R"({"username":"first","password":"first-secret"})";
  const Answer made = call(Method::post, "/init", body);
  must(made, 200);
  CHECK_FALSE(made.json[0]["apiSecret"].get<std::string>().empty());
  CHECK_TRUE(call(Method::get, "/init").json["initialized"].get<bool>());
  CHECK_FALSE(login("root", "first", "first-secret").empty());
  must(call(Method::post, "/init", body), 400);
}
