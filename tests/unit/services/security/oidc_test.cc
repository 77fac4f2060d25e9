// SPDX-License-Identifier: Apache-2.0
// OpenID Connect: the login page, codes, tokens, exchange, revocation, as a client and as an
// attacker meet them.
#include <cstdio>

#include "common/base/text.h"
#include "common/sys/tls.h"
#include "services/security/clients.h"
#include "tests/unit/services/security/rig.h"

using rest::Method;

namespace {

const std::string kVerifier = "a-verifier-of-enough-length-0123456789-0123456789";

}  // namespace

TEST_GROUP_BASE(Oidc, SecurityRig) {
  std::string secret, challenge = base::to_base64url(sys::sha256(kVerifier));
  std::string cookie;

  void setup() override {
    SecurityRig::setup();
    make_cast();
    const Answer made = as("ada", Method::post, "/acme/clients",
                           R"({"name":"portal <b>","redirectUris":["https://app.example/cb"],
                               "accessTokenFormat":"jwt"})");
    must(made, 201);
    ids["client"] = made.at("id");
    secret = made.at("secret");
  }
  std::string authorize_url(std::map<std::string, std::string> changes = {}) {
    std::map<std::string, std::string> all = {{"response_type", "code"},
                                              {"client_id", ids["client"]},
                                              {"redirect_uri", "https://app.example/cb"},
                                              {"scope", "openid profile email"},
                                              {"state", "s&1"},
                                              {"nonce", "n1"},
                                              {"code_challenge", challenge},
                                              {"code_challenge_method", "S256"}};
    for (auto& [name, value] : changes) all[name] = value;
    std::string url = "/oauth/authorize?";
    for (auto& [name, value] : all) url += name + "=" + base::percent_encode(value) + "&";
    url.pop_back();
    return url;
  }
  // The page's form, with the browser's cookie remembered.
  std::string open_page(std::map<std::string, std::string> changes = {}) {
    const Answer page = call(Method::get, authorize_url(std::move(changes)));
    must(page, 200);
    const auto set = page.raw.headers.find("Set-Cookie");
    if (set != page.raw.headers.end()) cookie = set->second.substr(0, set->second.find(';'));
    return between(page.text(), "name=\"form\" value=\"", "\"");
  }
  Answer submit(const std::string& sealed, const std::string& name, const std::string& password,
                const std::string& with_cookie) {
    return call(
        Method::post, "/oauth/authorize",
        "form=" + base::percent_encode(sealed) + "&username=" + name + "&password=" + password, "",
        {{"content-type", "application/x-www-form-urlencoded"}, {"cookie", with_cookie}});
  }
  std::string get_code(std::map<std::string, std::string> changes = {}) {
    const Answer answer = submit(open_page(std::move(changes)), "bob", "bob-secret", cookie);
    LONGS_EQUAL(303, answer.status);
    const std::string location = answer.raw.headers.at("Location");
    CHECK_TRUE(location.starts_with("https://app.example/cb?code="));
    return between(location + "&", "code=", "&");
  }
  Answer redeem(const std::string& code, const std::string& more = "",
                const std::string& verifier = kVerifier) {
    return form("/oauth/token",
                "grant_type=authorization_code&code=" + code +
                    "&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&client_id=" + ids["client"] +
                    "&client_secret=" + secret + "&code_verifier=" + verifier + more);
  }
  base::Json claims_of(const std::string& token, std::string_view type,
                       const std::string& audience) {
    const Answer jwks = call(Method::get, "/oauth/jwks");
    const security::KeySet known = UNWRAP(security::KeySet::parse(jwks.json));
    return UNWRAP(known.verify(token, {.type = type,
                                       .issuer = "http://127.0.0.1:9000/security",
                                       .audience = audience,
                                       .now = security::seconds_of(clock.wall())}));
  }
};

TEST(Oidc, discovery_names_what_is_there) {
  const Answer found = call(Method::get, "/.well-known/openid-configuration");
  STRCMP_EQUAL("http://127.0.0.1:9000/security", found.at("issuer").c_str());
  for (const char* name : {"authorization_endpoint", "token_endpoint", "jwks_uri",
                           "userinfo_endpoint", "revocation_endpoint", "introspection_endpoint"}) {
    CHECK_TRUE(found.at(name).starts_with("http://127.0.0.1:9000/security/oauth/"));
  }
}

TEST(Oidc, a_login_gives_a_code_and_the_code_tokens_that_anybody_can_verify) {
  const Answer tokens = redeem(get_code());
  must(tokens, 200);
  const base::Json id = claims_of(tokens.at("id_token"), security::kIdTokenType, ids["client"]);
  STRCMP_EQUAL(ids["bob"].c_str(), id["sub"].get<std::string>().c_str());
  STRCMP_EQUAL("n1", id["nonce"].get<std::string>().c_str());
  STRCMP_EQUAL("Bob", id["given_name"].get<std::string>().c_str());
  const base::Json access =
      claims_of(tokens.at("access_token"), security::kAccessTokenType, ids["client"]);
  STRCMP_EQUAL("bob", access["username"].get<std::string>().c_str());
  const std::string auth = bearer(tokens.at("access_token"));
  const Answer info = call(Method::get, "/oauth/userinfo", "", auth);
  STRCMP_EQUAL("bob", info.at("preferred_username").c_str());
  // The scopes of a login are no rights: what the account may do, the client may not.
  must(as("admin", Method::post, "/acme/accounts/$bob/rights", R"({"grantName":"readDirectory"})"),
       201);
  must(as("bob", Method::get, "/groups/$team"), 200);
  must(call(Method::get, "/groups/$team", "", auth), 403);
  must(call(Method::patch, "/accounts/$bob", R"({"firstName":"x"})", auth), 403);
}

TEST(Oidc, requests_that_are_wrong_are_refused_at_the_client_or_not_sent_anywhere) {
  struct Row {
    const char *name, *value, *error;
  };
  std::size_t cases = 0;
  for (const Row& row : {Row{"response_type", "token", "unsupported_response_type"},
                         Row{"response_type", "", "unsupported_response_type"},
                         Row{"code_challenge", "", "invalid_request"},
                         Row{"code_challenge", "short", "invalid_request"},
                         Row{"code_challenge_method", "plain", "invalid_request"},
                         Row{"code_challenge_method", "", "invalid_request"}}) {
    ++cases;
    const Answer answer = call(Method::get, authorize_url({{row.name, row.value}}));
    LONGS_EQUAL(303, answer.status);
    const std::string location = answer.raw.headers.at("Location");
    CHECK_TRUE(location.starts_with("https://app.example/cb?error=" + std::string(row.error)));
    CHECK_TRUE(location.find("state=s%261") != location.npos);
  }
  for (const char* uri :
       {"https://evil.example/cb", "https://app.example/cb/", "", "https://app.example",
        "https://app.example/cb?x=1", "https://app.example/cb#f", "HTTPS://app.example/cb",
        "javascript:alert(1)"}) {
    ++cases;
    const Answer answer = call(Method::get, authorize_url({{"redirect_uri", uri}}));
    LONGS_EQUAL(400, answer.status);
    CHECK_FALSE(answer.raw.headers.contains("Location"));
  }
  const Answer twice = call(Method::get, authorize_url() + "&scope=more");
  CHECK_TRUE(twice.raw.headers.at("Location").find("error=invalid_request") != std::string::npos);
  LONGS_EQUAL(400, call(Method::get, authorize_url({{"client_id", "none"}})).status);
  std::printf("%zu cases of authorisation requests\n", cases + 2);
}

TEST(Oidc, the_page_cannot_be_framed_and_writes_names_as_text) {
  const Answer page = call(Method::get, authorize_url());
  CHECK_TRUE(page.text().find("portal &lt;b&gt;") != std::string::npos);
  CHECK_TRUE(page.text().find("<b>") == std::string::npos);
  STRCMP_EQUAL("DENY", page.raw.headers.at("X-Frame-Options").c_str());
  CHECK_TRUE(page.raw.headers.at("Content-Security-Policy").find("default-src 'none'") == 0);
  const std::string set = page.raw.headers.at("Set-Cookie");
  CHECK_TRUE(set.find("HttpOnly") != set.npos && set.find("SameSite=Strict") != set.npos);
}

TEST(Oidc, a_form_serves_the_browser_it_was_made_for_and_not_for_long) {
  const std::string sealed = open_page();
  LONGS_EQUAL(400, submit(sealed, "bob", "bob-secret", "").status);
  LONGS_EQUAL(400, submit(sealed, "bob", "bob-secret", "gestalt_login=other").status);
  LONGS_EQUAL(400, submit(sealed + "A", "bob", "bob-secret", cookie).status);
  LONGS_EQUAL(400, submit("", "bob", "bob-secret", cookie).status);
  const Answer wrong = submit(sealed, "bob", "wrong-one", cookie);
  LONGS_EQUAL(200, wrong.status);
  CHECK_TRUE(wrong.text().find("role=\"alert\"") != std::string::npos);
  clock.pass(std::chrono::seconds(601));
  LONGS_EQUAL(400, submit(sealed, "bob", "bob-secret", cookie).status);
}

TEST(Oidc, a_code_serves_once_its_client_and_its_verifier_alone) {
  must(redeem(get_code(), "", kVerifier + "x"), 400);
  must(redeem(get_code(), "", "short"), 400);
  must(redeem(get_code(), "", ""), 400);
  std::string code = get_code();
  must(redeem(code, "", kVerifier + "x"), 400);
  must(redeem(code), 400);  // one try
  code = get_code();
  clock.pass(std::chrono::seconds(61));
  must(redeem(code), 400);
  const Answer other = as("ada", Method::post, "/acme/clients",
                          R"({"name":"other","redirectUris":["https://app.example/cb"]})");
  const Answer stolen =
      form("/oauth/token",
           "grant_type=authorization_code&code=" + get_code() +
               "&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&code_verifier=" + kVerifier +
               "&client_id=" + other.at("id") + "&client_secret=" + other.at("secret"));
  must(stolen, 400);
  // A code shown again ends what came of it.
  code = get_code();
  const Answer tokens = redeem(code);
  must(tokens, 200);
  const std::string auth = bearer(tokens.at("access_token"));
  must(call(Method::get, "/oauth/userinfo", "", auth), 200);
  must(redeem(code), 400);
  must(call(Method::get, "/oauth/userinfo", "", auth), 401);
}

TEST(Oidc, a_client_proves_itself) {
  const std::string good = secret;
  for (const std::string& bad : {std::string(), good + "x", std::string("gsto_"), ids["client"]}) {
    secret = bad;
    const Answer answer = redeem(get_code());
    LONGS_EQUAL(401, answer.status);
    STRCMP_EQUAL("invalid_client", answer.at("error").c_str());
  }
  secret = good;
  // By header instead of by form, never both.
  const std::string header = "Basic " + base::to_base64url(ids["client"] + ":" + good);
  const std::string body =
      "grant_type=authorization_code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb"
      "&code_verifier=" +
      kVerifier + "&code=";
  must(form("/oauth/token", body + get_code(), header), 200);
  must(form("/oauth/token", body + get_code() + "&client_secret=" + good, header), 401);
}

TEST(Oidc, refresh_tokens_rotate_belong_to_their_client_and_never_widen) {
  const Answer first = redeem(get_code({{"scope", "openid"}}));
  const auto refresh = [&](const std::string& token, const std::string& more) {
    return form("/oauth/token", "grant_type=refresh_token&refresh_token=" + token + "&client_id=" +
                                    ids["client"] + "&client_secret=" + secret + more);
  };
  must(refresh(first.at("refresh_token"), "&scope=openid%20gestalt"), 400);
  must(form("/acme/oauth/issue",
            "grant_type=refresh_token&refresh_token=" + first.at("refresh_token")),
       400);
  const Answer second = refresh(first.at("refresh_token"), "");
  must(second, 200);
  must(refresh(first.at("refresh_token"), ""), 400);
  must(refresh(second.at("refresh_token"), ""), 400);
  must(call(Method::get, "/oauth/userinfo", "", bearer(second.at("access_token"))), 401);
}

TEST(Oidc, an_exchanged_token_says_who_acts_and_is_no_wider) {
  const std::string subject = login("acme", "bob", "bob-secret");
  const auto exchange = [&](const std::string& token, const std::string& who,
                            const std::string& more) {
    return form("/oauth/token",
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
                "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
                "&subject_token=" +
                    token + more,
                keys[who]);
  };
  must(exchange(subject, "nobody", ""), 401);
  must(exchange(subject, "eve", ""), 400);
  must(exchange("rubbish", "ada", ""), 400);
  const Answer narrow = exchange(subject, "ada", "&scope=cart%3Aread");
  must(narrow, 200);
  const Answer inspected =
      form("/oauth/inspect", "token=" + narrow.at("access_token"), keys["ada"]);
  STRCMP_EQUAL("bob", inspected.at("username").c_str());
  STRCMP_EQUAL(ids["ada"].c_str(), inspected.json["gestalt_actors"][0].get<std::string>().c_str());
  must(exchange(narrow.at("access_token"), "ada", "&scope=gestalt"), 400);
  must(exchange(narrow.at("access_token"), "ada", "&scope=cart%3Aread"), 200);
  const Answer jwt = exchange(
      subject, "ada", "&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt");
  const base::Json claims = claims_of(jwt.at("access_token"), security::kAccessTokenType, "");
  STRCMP_EQUAL(ids["ada"].c_str(), claims["act"]["sub"].get<std::string>().c_str());
  // What was exchanged lives no longer than what it came from.
  clock.pass(std::chrono::seconds(28'000));
  const Answer late = exchange(subject, "ada", "");
  CHECK_TRUE(late.json["expires_in"].get<int>() <= 800);
}

TEST(Oidc, revocation_says_nothing_and_reaches_the_clients_own_tokens_alone) {
  const Answer tokens = redeem(get_code());
  const auto revoke = [&](const std::string& token) {
    return form("/oauth/revoke",
                "token=" + token + "&client_id=" + ids["client"] + "&client_secret=" + secret);
  };
  must(form("/oauth/revoke", "token=" + tokens.at("refresh_token")), 401);
  must(revoke("rubbish"), 200);
  const std::string foreign = login("acme", "bob", "bob-secret");
  must(revoke(foreign), 200);
  must(call(Method::get, "/accounts/self", "", bearer(foreign)), 200);
  must(revoke(tokens.at("refresh_token")), 200);
  must(call(Method::get, "/oauth/userinfo", "", bearer(tokens.at("access_token"))), 401);
}

TEST(Oidc, keys_rotate_and_the_old_one_still_verifies) {
  const Answer tokens = redeem(get_code());
  clock.pass(std::chrono::hours(24 * 91));
  CHECK_OK(service->rotate_keys_if_due());
  const Answer jwks = call(Method::get, "/oauth/jwks");
  LONGS_EQUAL(2, jwks.json["keys"].size());
  const security::KeySet keys_now = UNWRAP(security::KeySet::parse(jwks.json));
  CHECK_TRUE(keys_now.has(security::jwt_key_id(tokens.at("id_token"))));
  const Answer fresh = redeem(get_code());
  CHECK_FALSE(security::jwt_key_id(fresh.at("id_token")) ==
              security::jwt_key_id(tokens.at("id_token")));
  clock.pass(std::chrono::hours(24 * 3));
  CHECK_OK(service->rotate_keys_if_due());
  LONGS_EQUAL(1, call(Method::get, "/oauth/jwks").json["keys"].size());
}

TEST(Oidc, redirect_uris_of_a_client_are_its_own_places) {
  for (const char* good : {"https://a.example/cb", "http://127.0.0.1:8080/cb", "http://localhost/",
                           "http://[::1]:1/", "com.example.app:/cb"}) {
    CHECK_OK(security::check_redirect_uri(good));
  }
  for (const char* bad :
       {"", "a", "http://a.example/", "http://localhost.evil.example/",
        "http://127.0.0.1@evil.example/", "http://127.0.0.1:80@evil.example/",
        "https://a.example/#f", "https://*.a.example/", "javascript:alert(1)", "data:text/html,x",
        "https:", "https://a b", "https://a/\nb", "https://a/';x"}) {
    CHECK_ERROR(base::Code::invalid_argument, "redirect_invalid",
                security::check_redirect_uri(bad));
  }
  CHECK_TRUE(security::fits_challenge(kVerifier, challenge));
  CHECK_FALSE(security::fits_challenge(kVerifier, ""));
  CHECK_FALSE(security::fits_challenge(kVerifier + " ", challenge));
}
