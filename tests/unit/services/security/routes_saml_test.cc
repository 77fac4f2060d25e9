// SPDX-License-Identifier: Apache-2.0
// Signing in by SAML as a browser and an attacker meet it. The identity provider is the test's own,
// a stand-in that signs with a real key: none is packaged that could be had here.
#include <fstream>
#include <iterator>

#include "common/base/base64.h"
#include "common/base/text.h"
#include "common/sys/process.h"
#include "services/security/adapters/saml/xml_signature.h"
#include "tests/unit/services/security/rig.h"

using rest::Method;

namespace {

std::string decoded(const std::string& text) {
  return UNWRAP(rest::parse_query("x=" + text)).at(0).second;
}

}  // namespace

TEST_GROUP_BASE(SamlRoutes, SecurityRig) {
  std::string key, certificate, at;

  // A browser that was sent to the provider: what it was given, and what the provider got.
  struct Visit {
    std::string cookie, relay, request;
  };

  void setup() override {
    SecurityRig::setup();
    make_cast();
    key = make_key("idp");
    at = make_directory("sso");
  }
  // The key; its certificate is in `certificate`.
  std::string make_key(const std::string& name) {
    const std::string file = (folder / (name + ".key")).string();
    const std::string pem = (folder / (name + ".pem")).string();
    CHECK_OK(sys::run_checked(
        {.argv = {"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                  file, "-out", pem, "-days", "1", "-subj", "/CN=" + name},
         .environment = {}}));
    certificate = slurp(pem);
    return slurp(file);
  }
  static std::string slurp(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Its address below /security.
  std::string make_directory(const std::string& name) {
    const base::Json body = {{"name", name},
                             {"directoryType", "SAML"},
                             {"config",
                              {{"idpEntityId", "https://idp.example/meta"},
                               {"idpSsoUrl", "https://idp.example/sso"},
                               {"idpCertificate", certificate}}}};
    const Answer made = as("admin", Method::post, "/acme/directories", base::dump_json(body));
    must(made, 201);
    must(as("admin", Method::post, "/acme/accountStores",
            R"({"storeType":"DIRECTORY","accountStoreId":")" + made.at("id") + "\"}"),
         201);
    return "/saml/" + made.at("id");
  }
  Visit visit(const std::string& directory) {
    const Answer sent = call(Method::get, directory + "/login");
    must(sent, 303);
    const std::string place = sent.raw.headers.at("Location");
    CHECK_TRUE(place.starts_with("https://idp.example/sso?SAMLRequest="));
    const std::string request =
        UNWRAP(base::from_base64(decoded(between(place, "SAMLRequest=", "&"))));
    const std::string cookie = sent.raw.headers.at("Set-Cookie");
    CHECK_TRUE(cookie.find("HttpOnly") != cookie.npos);
    return {cookie.substr(0, cookie.find(';')), decoded(between(place, "RelayState=", "&")),
            between(request, " ID=\"", "\"")};
  }
  // What the provider answers to a request; `who` signs.
  std::string respond(const std::string& directory, const std::string& request,
                      const std::string& name, const std::string& who) {
    const Answer metadata = call(Method::get, directory + "/metadata");
    must(metadata, 200);
    const std::string acs = between(metadata.text(), "Location=\"", "\"");
    const std::string us = between(metadata.text(), "entityID=\"", "\"");
    const std::string until = base::format_time(clock.wall() + std::chrono::minutes(5));
    const std::string from = base::format_time(clock.wall() - std::chrono::minutes(1));
    const std::string id = "_a" + std::to_string(++assertions);
    const std::string assertion =
        R"(<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" ID=")" +
        id + R"(" IssueInstant=")" + from +
        R"("><saml:Issuer>https://idp.example/meta</saml:Issuer><saml:Subject><saml:NameID>)" +
        name +
        R"(</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">)" +
        R"(<saml:SubjectConfirmationData Recipient=")" + acs + R"(" InResponseTo=")" + request +
        R"(" NotOnOrAfter=")" + until +
        R"("/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore=")" + from +
        R"(" NotOnOrAfter=")" + until + R"("><saml:AudienceRestriction><saml:Audience>)" + us +
        R"(</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AttributeStatement>)" +
        R"(<saml:Attribute Name="groups"><saml:AttributeValue>eng</saml:AttributeValue>)" +
        R"(</saml:Attribute></saml:AttributeStatement></saml:Assertion>)";
    const std::string whole =
        R"(<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_p1" )"
        R"(Version="2.0" InResponseTo=")" +
        request + R"(" Destination=")" + acs +
        R"("><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">)" +
        R"(https://idp.example/meta</saml:Issuer><samlp:Status><samlp:StatusCode )" +
        R"(Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>)" + assertion +
        "</samlp:Response>";
    return UNWRAP(security::sign_xml(whole, id, who));
  }
  Answer post(const std::string& directory, const std::string& response, const std::string& relay,
              const std::string& cookie) {
    return call(
        Method::post, directory + "/acs",
        "SAMLResponse=" + base::percent_encode(base::to_base64(response)) +
            "&RelayState=" + base::percent_encode(relay),
        "",
        {{"content-type", "application/x-www-form-urlencoded"}, {"cookie", "other=1; " + cookie}});
  }
  Answer sign_in(const std::string& name) {
    const Visit here = visit(at);
    return post(at, respond(at, here.request, name, key), here.relay, here.cookie);
  }
  void refused(const Answer& answer) {
    must(answer, 401);
    CHECK_TRUE(answer.at("access_token").empty());
  }
  int assertions = 0;
};

TEST(SamlRoutes, a_browser_comes_back_with_a_token_of_a_shadow_account) {
  told();
  const Answer token = sign_in("ann");
  must(token, 200);
  const Answer who = call(Method::post, "/acme/auth", "", bearer(token.at("access_token")));
  must(who, 200);
  STRCMP_EQUAL("ann", who.json["account"]["username"].get<std::string>().c_str());
  STRCMP_EQUAL("eng", who.json["groups"][0]["name"].get<std::string>().c_str());
  CHECK_TRUE(told() ==
             (std::vector<std::string>{"security.account.created", "security.group.created",
                                       "security.group.members"}));
  must(sign_in("ann"), 200);
  CHECK_TRUE(told().empty());  // the same account again
}

TEST(SamlRoutes, an_assertion_serves_once) {
  const Visit here = visit(at);
  const std::string response = respond(at, here.request, "ann", key);
  must(post(at, response, here.relay, here.cookie), 200);
  refused(post(at, response, here.relay, here.cookie));
}

TEST(SamlRoutes, a_response_is_for_the_browser_that_asked_and_for_its_directory) {
  const Visit mine = visit(at);
  const Visit other = visit(at);
  const std::string response = respond(at, mine.request, "ann", key);
  refused(post(at, response, mine.relay, ""));
  refused(post(at, response, mine.relay, other.cookie));
  refused(post(at, response, other.relay, other.cookie));
  refused(post(at, response, "", mine.cookie));
  refused(post(at, response, mine.relay.substr(1), mine.cookie));
  const std::string second = make_directory("second");
  refused(post(second, respond(second, mine.request, "ann", key), mine.relay, mine.cookie));
  must(post(at, response, mine.relay, mine.cookie), 200);
}

TEST(SamlRoutes, a_request_ends_after_ten_minutes) {
  const Visit here = visit(at);
  clock.pass(std::chrono::seconds(601));
  refused(post(at, respond(at, here.request, "ann", key), here.relay, here.cookie));
}

TEST(SamlRoutes, what_the_provider_did_not_sign_is_refused) {
  const Visit here = visit(at);
  refused(post(at, respond(at, here.request, "ann", make_key("eve")), here.relay, here.cookie));
  std::string text = respond(at, here.request, "ann", key);
  text.replace(text.find(">ann<"), 5, ">eve<");
  refused(post(at, text, here.relay, here.cookie));
  refused(post(at, "no xml", here.relay, here.cookie));
  refused(call(Method::post, at + "/acs", "SAMLResponse=%2a", "",
               {{"content-type", "application/x-www-form-urlencoded"}}));
}

TEST(SamlRoutes, who_was_disabled_here_does_not_come_in) {
  const Answer token = sign_in("ann");
  must(token, 200);
  const Answer who = call(Method::post, "/acme/auth", "", bearer(token.at("access_token")));
  const std::string id = who.json["account"]["id"].get<std::string>();
  must(as("admin", Method::post, "/accounts/" + id + "/disable"), 200);
  refused(sign_in("ann"));
}

TEST(SamlRoutes, other_directories_have_none_of_it) {
  const Answer other = as("admin", Method::post, "/acme/directories", R"({"name":"own"})");
  must(other, 201);
  for (const std::string& id : {other.at("id"), std::string("nothing")}) {
    must(call(Method::get, "/saml/" + id + "/metadata"), 404);
    must(call(Method::get, "/saml/" + id + "/login"), 404);
    must(call(Method::post, "/saml/" + id + "/acs", "SAMLResponse=x", "",
              {{"content-type", "application/x-www-form-urlencoded"}}),
         404);
  }
}
