// SPDX-License-Identifier: Apache-2.0
// The service provider against responses of an identity provider of the test's own: a stand-in that
// signs with a real key, since no provider is packaged that could be had here.
#include "services/security/adapters/saml/saml.h"

#include <cstdio>

#include "common/sys/process.h"
#include "services/security/adapters/saml/xml_signature.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

#include <fstream>
#include <iterator>

using base::Code;

namespace {

constexpr std::int64_t kNow = 1'800'000'000;  // 2027-01-15T08:00:00Z

std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void replace(std::string& text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  if (at == text.npos) FAIL(("not in the response: " + what).c_str());
  text.replace(at, what.size(), with);
}

struct Pair {
  std::string key, certificate;
};

// A key and certificate made with openssl, once for each name.
Pair make_pair(const TempFolder& folder, const std::string& name) {
  const std::string key = (folder / (name + ".key")).string();
  const std::string certificate = (folder / (name + ".pem")).string();
  CHECK_OK(sys::run_checked(
      {.argv = {"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                "-out", certificate, "-days", "1", "-subj", "/CN=" + name},
       .environment = {}}));
  return {slurp(key), slurp(certificate)};
}

}  // namespace

TEST_GROUP(Saml) {
  TempFolder folder;
  Pair idp = make_pair(folder, "idp"), other = make_pair(folder, "other");
  security::SamlConfig config{"https://idp.example/meta", "https://idp.example/sso",
                              idp.certificate};
  security::SamlParty party{"https://sp.example/meta", "https://sp.example/acs"};

  std::string assertion(const std::string& id = "_a1", const std::string& name = "ann") {
    return R"(<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" ID=")" +
           id +
           R"(" IssueInstant="2027-01-15T08:00:00Z"><saml:Issuer>https://idp.example/meta</saml:Issuer>)"
           R"(<saml:Subject><saml:NameID>)" +
           name +
           R"(</saml:NameID><saml:SubjectConfirmation )"
           R"(Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData )"
           R"(Recipient="https://sp.example/acs" InResponseTo="_r1" NotOnOrAfter="2027-01-15T08:05:00Z"/>)"
           R"(</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="2027-01-15T07:59:00Z" )"
           R"(NotOnOrAfter="2027-01-15T08:05:00.123Z"><saml:AudienceRestriction><saml:Audience>https://sp.example/meta)"
           R"(</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AttributeStatement>)"
           R"(<saml:Attribute Name="groups"><saml:AttributeValue>eng</saml:AttributeValue>)"
           R"(<saml:AttributeValue>ops</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>)";
  }
  std::string response(const std::string& inner) {
    return R"(<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_p1" Version="2.0" )"
           R"(InResponseTo="_r1" Destination="https://sp.example/acs"><saml:Issuer )"
           R"(xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">https://idp.example/meta</saml:Issuer>)"
           R"(<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>)"
           R"(</samlp:Status>)" +
           inner + "</samlp:Response>";
  }
  std::string signed_response() {
    return UNWRAP(security::sign_xml(response(assertion()), "_a1", idp.key));
  }
  auto read(const std::string& text, const std::string& request = "_r1", std::int64_t now = kNow) {
    return security::read_saml_response(text, config, party, request, now);
  }
  void refused(const std::string& text) {
    const auto outcome = read(text);
    if (outcome) FAIL(("taken: " + text).c_str());
    STRCMP_EQUAL("saml_invalid", std::string(outcome.error().reason).c_str());
  }
  // The signed assertion as it stands in a response.
  std::string cut(const std::string& text) {
    const auto start = text.find("<saml:Assertion"), end = text.find("</saml:Assertion>");
    return text.substr(start, end + 17 - start);
  }
};

TEST(Saml, a_signed_assertion_says_who_it_is) {
  const auto subject = UNWRAP(read(signed_response()));
  STRCMP_EQUAL("ann", subject.name_id.c_str());
  STRCMP_EQUAL("_a1", subject.assertion_id.c_str());
  LONGS_EQUAL(2, subject.attributes.at("groups").size());
  const std::string whole = UNWRAP(security::sign_xml(response(assertion()), "_p1", idp.key));
  CHECK_OK(read(whole));
}

TEST(Saml, what_is_for_others_or_for_another_time_is_refused) {
  struct Row {
    const char *what, *with;
  };
  std::size_t cases = 0;
  for (const Row& row :
       {Row{"<saml:Audience>https://sp.example/meta", "<saml:Audience>https://other.example"},
        Row{"Recipient=\"https://sp.example/acs\"", "Recipient=\"https://other.example/acs\""},
        Row{"InResponseTo=\"_r1\" NotOnOrAfter", "InResponseTo=\"_r2\" NotOnOrAfter"},
        Row{"InResponseTo=\"_r1\" NotOnOrAfter=\"2027-01-15T08:05",
            "InResponseTo=\"_r1\" NotOnOrAfter=\"2027-01-15T07:05"},
        Row{"NotOnOrAfter=\"2027-01-15T08:05:00.123Z\"", "NotOnOrAfter=\"2027-01-15T07:05:00Z\""},
        Row{"NotOnOrAfter=\"2027-01-15T08:05:00.123Z\"", ""},
        Row{"NotOnOrAfter=\"2027-01-15T08:05:00.123Z\"", "NotOnOrAfter=\"tomorrow\""},
        Row{"NotBefore=\"2027-01-15T07:59", "NotBefore=\"2027-01-15T09:59"},
        Row{"cm:bearer", "cm:sender-vouches"}, Row{"<saml:NameID>ann", "<saml:NameID> "},
        Row{"<saml:Issuer>https://idp.example/meta", "<saml:Issuer>https://other.example"},
        Row{"<saml:AudienceRestriction><saml:Audience>https://sp.example/meta</saml:Audience></"
            "saml:AudienceRestriction>",
            ""}}) {
    std::string text = response(assertion());
    replace(text, row.what, row.with);
    refused(UNWRAP(security::sign_xml(text, "_a1", idp.key)));
    ++cases;
  }
  for (const Row& row :
       {Row{"Destination=\"https://sp.example/acs\"", "Destination=\"https://x/\""},
        Row{"InResponseTo=\"_r1\" Destination", "InResponseTo=\"_r9\" Destination"},
        Row{"status:Success", "status:Responder"}, Row{"samlp:Response ", "samlp:Reply "}}) {
    std::string text = signed_response();
    replace(text, row.what, row.with);
    refused(text);
    ++cases;
  }
  CHECK_ERROR(Code::unauthenticated, "saml_invalid", read(signed_response(), ""));
  CHECK_ERROR(Code::unauthenticated, "saml_invalid", read(signed_response(), "_r1", kNow + 400));
  std::printf("%zu cases of SAML conditions\n", cases + 2);
}

TEST(Saml, what_our_provider_did_not_sign_is_refused) {
  refused(response(assertion()));
  refused(UNWRAP(security::sign_xml(response(assertion()), "_a1", other.key)));
  std::string text = signed_response();
  replace(text, "<saml:NameID>ann", "<saml:NameID>eve");
  refused(text);
  text = signed_response();
  replace(text, "<saml:AttributeValue>eng", "<saml:AttributeValue>admins");
  refused(text);
  // The attacker's key inside of the signature is not looked at.
  text = UNWRAP(security::sign_xml(response(assertion("_a1", "eve")), "_a1", other.key));
  std::string pem = other.certificate;
  pem.erase(0, pem.find('\n') + 1);
  pem.erase(pem.find("-----END"));
  replace(text, "</Signature>",
          "<KeyInfo><X509Data><X509Certificate>" + pem +
              "</X509Certificate></X509Data></KeyInfo></Signature>");
  refused(text);
}

TEST(Saml, elements_wrapped_around_a_signed_one_are_never_read) {
  const std::string good = cut(signed_response());
  const std::string evil = assertion("_evil", "eve");
  std::string inside = evil;
  inside.insert(inside.find("<saml:Subject>"), "<saml:Advice>" + good + "</saml:Advice>");
  std::string object = evil;
  object.insert(object.find("<saml:Subject>"),
                good.substr(good.find("<Signature"),
                            good.find("</Signature>") + 12 - good.find("<Signature")));
  std::string same = evil;
  replace(same, "ID=\"_evil\"", "ID=\"_a1\"");
  const std::string extension = "<samlp:Extensions>" + good + "</samlp:Extensions>";
  const std::vector<std::string> corpus = {
      response(evil + good),
      response(good + evil),
      response(inside),
      response(object),
      response(same + good),
      response(good + same),
      response(extension + evil),
      response(extension + same),
      // The evil one holds the good one's signature, the good one lies in an Object of it.
      response([&] {
        std::string text = object;
        replace(text, "</Signature>", "<Object>" + good + "</Object></Signature>");
        return text;
      }()),
      response("<x>" + good + "</x>" + evil),
      response("<x>" + good + "</x>"),
  };
  for (const std::string& text : corpus) refused(text);
  std::printf("%zu cases of signature wrapping\n", corpus.size());
}

TEST(Saml, a_comment_does_not_cut_a_name_short) {
  const std::string text =
      UNWRAP(security::sign_xml(response(assertion("_a1", "ann<!-- x -->.evil")), "_a1", idp.key));
  const auto subject = UNWRAP(read(text));
  STRCMP_EQUAL("ann.evil", subject.name_id.c_str());
}

TEST(Saml, documents_that_could_read_files_or_grow_are_refused) {
  const std::vector<std::string> corpus = {
      "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>" + signed_response(),
      "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>" +
          response(assertion("_a1", "&b;")),
      "<!DOCTYPE x SYSTEM \"http://127.0.0.1:1/x.dtd\">" + signed_response(),
      "",
      "x",
      "<",
      "<x",
      "<x/>",
      std::string(300 << 10, ' '),
      "<x>" + std::string(60'000, '<'),
      [] {
        std::string deep;
        for (int i = 0; i < 5000; ++i) deep += "<a>";
        return deep;
      }(),
      "<r><Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/></r>",
      std::string("<r\0/>", 5)};
  for (const std::string& text : corpus) refused(text);
  std::printf("%zu cases of hostile XML\n", corpus.size());
}

TEST(Saml, weak_algorithms_are_refused) {
  for (const auto& [what, with] : std::map<std::string, std::string>{
           {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            "http://www.w3.org/2000/09/xmldsig#rsa-sha1"},
           {"http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1"},
           {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            "http://www.w3.org/2000/09/xmldsig#hmac-sha1"}}) {
    std::string text = signed_response();
    replace(text, what, with);
    refused(text);
  }
}

TEST(Saml, what_we_send_is_well_formed_and_escaped) {
  const std::string metadata = security::saml_metadata({"https://sp/?a=1&b=\"<", "https://sp/acs"});
  CHECK_TRUE(metadata.find("https://sp/?a=1&amp;b=&quot;&lt;") != metadata.npos);
  const std::string url =
      security::saml_request_url(config, party, "_r1", "state &", "2027-01-15T08:00:00Z");
  CHECK_TRUE(url.starts_with("https://idp.example/sso?SAMLRequest="));
  CHECK_TRUE(url.find("&RelayState=state%20%26") != url.npos);
}

TEST(Saml, a_configuration_names_its_provider) {
  base::Json json = {
      {"idpEntityId", "e"}, {"idpSsoUrl", "https://i/"}, {"idpCertificate", idp.certificate}};
  CHECK_OK(security::read_saml_config(json));
  for (const char* name : {"idpEntityId", "idpSsoUrl", "idpCertificate"}) {
    base::Json bad = json;
    bad.erase(name);
    CHECK_ERROR(Code::invalid_argument, "", security::read_saml_config(bad));
  }
  json["idpSsoUrl"] = "http://i/";
  CHECK_ERROR(Code::invalid_argument, "directory_config_invalid", security::read_saml_config(json));
}
