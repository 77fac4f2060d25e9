// SPDX-License-Identifier: Apache-2.0
#include "services/security/adapters/saml/saml.h"

#include <array>
#include <ctime>
#include <optional>

#include "common/base/text.h"
#include "services/security/adapters/saml/xml_signature.h"

namespace security {

namespace {

constexpr std::string_view kProtocol = "urn:oasis:names:tc:SAML:2.0:protocol";
constexpr std::string_view kAssertion = "urn:oasis:names:tc:SAML:2.0:assertion";
constexpr std::string_view kBearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
constexpr std::string_view kSuccess = "urn:oasis:names:tc:SAML:2.0:status:Success";
constexpr std::int64_t kLeeway = 60;
constexpr std::size_t kAttributesMax = 200;

base::Error wrong(std::string detail) {
  return {base::Code::unauthenticated, std::move(detail), "saml_invalid"};
}

std::string escape_xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

// DEFLATE (RFC 1951) without compression: a request is short, and this needs no library.
std::string deflate_stored(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t size = std::min<std::size_t>(text.size(), 0xffff);
    const bool last = size == text.size();
    out += last ? '\1' : '\0';
    const auto length = static_cast<unsigned>(size);
    for (const unsigned value : {length, ~length & 0xffff}) {
      out += static_cast<char>(value & 0xff);
      out += static_cast<char>(value >> 8);
    }
    out += text.substr(0, size);
    if (last) return out;
    text.remove_prefix(size);
  }
}

std::string to_base64(std::string_view bytes) {
  std::string out = base::to_base64url(bytes);
  for (char& c : out) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (out.size() % 4 != 0) out += '=';
  return out;
}

// xs:dateTime in UTC, with or without fractions.
std::optional<std::int64_t> time_of(const std::string& text) {
  std::tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  if (*rest == '.') {
    ++rest;
    while (*rest >= '0' && *rest <= '9') ++rest;
  }
  if (std::string_view(rest) != "Z") return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&parts));
}

base::Result<std::int64_t> needed_time(const XmlElement& element, std::string_view name) {
  const auto time = time_of(element.attribute(name));
  if (!time) return wrong(std::string(name) + " is missing or no time in UTC");
  return *time;
}

base::Result<void> check_response(const XmlElement& response, const SamlConfig& config,
                                  const SamlParty& party, std::string_view request_id) {
  if (!response.is("Response", kProtocol)) return wrong("this is no SAML response");
  if (response.attribute("Destination") != party.acs_url) {
    return wrong("the response is for another destination");
  }
  if (response.attribute("InResponseTo") != request_id) {
    return wrong("the response answers no request of this browser");
  }
  const auto issuers = response.children("Issuer", kAssertion);
  if (issuers.size() > 1 || (issuers.size() == 1 && issuers[0].text() != config.idp_entity)) {
    return wrong("the response has another issuer");
  }
  const XmlElement status = TRY(response.only_child("Status", kProtocol));
  const XmlElement code = TRY(status.only_child("StatusCode", kProtocol));
  if (code.attribute("Value") != kSuccess) return wrong("the provider did not log anybody in");
  return {};
}

base::Result<void> check_conditions(const XmlElement& assertion, const SamlParty& party,
                                    std::int64_t now, std::int64_t& expires) {
  const XmlElement conditions = TRY(assertion.only_child("Conditions", kAssertion));
  const std::int64_t until = TRY(needed_time(conditions, "NotOnOrAfter"));
  if (until + kLeeway <= now) return wrong("the assertion has expired");
  if (!conditions.attribute("NotBefore").empty()) {
    const std::int64_t from = TRY(needed_time(conditions, "NotBefore"));
    if (from > now + kLeeway) return wrong("the assertion is not yet valid");
  }
  const auto restrictions = conditions.children("AudienceRestriction", kAssertion);
  if (restrictions.empty()) return wrong("the assertion names no audience");
  for (const XmlElement& restriction : restrictions) {
    bool ours = false;
    for (const XmlElement& audience : restriction.children("Audience", kAssertion)) {
      ours = ours || base::trim(audience.text()) == party.entity_id;
    }
    if (!ours) return wrong("the assertion is for another audience");
  }
  expires = until + kLeeway;
  return {};
}

base::Result<void> check_subject(const XmlElement& subject, const SamlParty& party,
                                 std::string_view request_id, std::int64_t now) {
  for (const XmlElement& each : subject.children("SubjectConfirmation", kAssertion)) {
    if (each.attribute("Method") != kBearer) continue;
    const auto data = each.only_child("SubjectConfirmationData", kAssertion);
    if (!data) continue;
    const auto until = time_of(data->attribute("NotOnOrAfter"));
    if (data->attribute("Recipient") == party.acs_url &&
        data->attribute("InResponseTo") == request_id && until && *until + kLeeway > now &&
        data->attribute("NotBefore").empty()) {
      return {};
    }
  }
  return wrong("the assertion's subject is not confirmed for us");
}

void read_attributes(const XmlElement& assertion, SamlSubject& out) {
  for (const XmlElement& statement : assertion.children("AttributeStatement", kAssertion)) {
    for (const XmlElement& attribute : statement.children("Attribute", kAssertion)) {
      std::vector<std::string>& values = out.attributes[attribute.attribute("Name")];
      for (const XmlElement& value : attribute.children("AttributeValue", kAssertion)) {
        if (values.size() < kAttributesMax) values.push_back(value.text());
      }
      if (out.attributes.size() > kAttributesMax) return;
    }
  }
}

}  // namespace

base::Result<SamlConfig> read_saml_config(const base::Json& config) {
  SamlConfig out;
  base::Fields fields(config, "/config");
  fields.required("idpEntityId", out.idp_entity, {.length_min = 1, .length_max = 1024});
  fields.required("idpSsoUrl", out.idp_sso_url, {.length_min = 8, .length_max = 1024});
  fields.required("idpCertificate", out.idp_certificate, {.length_min = 1, .length_max = 16384});
  fields.optional("usernameAttribute", out.username_attribute, {.length_max = 256});
  fields.optional("emailAttribute", out.email_attribute, {.length_max = 256});
  fields.optional("firstNameAttribute", out.first_name_attribute, {.length_max = 256});
  fields.optional("lastNameAttribute", out.last_name_attribute, {.length_max = 256});
  fields.optional("groupsAttribute", out.groups_attribute, {.length_max = 256});
  if (!out.idp_sso_url.starts_with("https://") &&
      !out.idp_sso_url.starts_with("http://127.0.0.1")) {
    fields.reject("idpSsoUrl", "the provider's URL is https", "directory_config_invalid");
  }
  if (out.idp_certificate.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    fields.reject("idpCertificate", "a certificate in PEM is needed", "directory_config_invalid");
  }
  TRY(fields.finish(base::UnknownFields::ignore));
  return out;
}

std::string saml_metadata(const SamlParty& party) {
  return R"(<?xml version="1.0"?><md:EntityDescriptor )"
         R"(xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID=")" +
         escape_xml(party.entity_id) +
         R"("><md:SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true" )"
         R"(protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">)"
         R"(<md:AssertionConsumerService index="0" isDefault="true" )"
         R"(Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location=")" +
         escape_xml(party.acs_url) + R"("/></md:SPSSODescriptor></md:EntityDescriptor>)";
}

std::string saml_request_url(const SamlConfig& config, const SamlParty& party,
                             std::string_view request_id, std::string_view relay_state,
                             std::string_view issued) {
  const std::string request =
      R"(<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" )"
      R"(xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" ID=")" +
      escape_xml(request_id) + R"(" IssueInstant=")" + escape_xml(issued) + R"(" Destination=")" +
      escape_xml(config.idp_sso_url) + R"(" AssertionConsumerServiceURL=")" +
      escape_xml(party.acs_url) +
      R"(" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"><saml:Issuer>)" +
      escape_xml(party.entity_id) + "</saml:Issuer></samlp:AuthnRequest>";
  const char separator = config.idp_sso_url.find('?') == std::string::npos ? '?' : '&';
  return config.idp_sso_url + separator +
         "SAMLRequest=" + base::percent_encode(to_base64(deflate_stored(request))) +
         "&RelayState=" + base::percent_encode(relay_state);
}

base::Result<SamlSubject> read_saml_response(std::string_view text, const SamlConfig& config,
                                             const SamlParty& party, std::string_view request_id,
                                             std::int64_t now) {
  if (request_id.empty()) return wrong("there is no request of this browser");
  const SignedXml xml = TRY(SignedXml::verify(text, config.idp_certificate));
  TRY(check_response(xml.root(), config, party, request_id));
  const XmlElement assertion = TRY(xml.root().only_child("Assertion", kAssertion));
  // The one element we read from is signed itself, or the whole response is.
  if (!xml.is_signed(assertion)) return wrong("the assertion is not signed");
  const XmlElement issuer = TRY(assertion.only_child("Issuer", kAssertion));
  if (issuer.text() != config.idp_entity) return wrong("the assertion has another issuer");
  SamlSubject out;
  out.assertion_id = assertion.attribute("ID");
  if (out.assertion_id.empty()) return wrong("the assertion has no ID");
  TRY(check_conditions(assertion, party, now, out.expires));
  const XmlElement subject = TRY(assertion.only_child("Subject", kAssertion));
  TRY(check_subject(subject, party, request_id, now));
  const XmlElement name = TRY(subject.only_child("NameID", kAssertion));
  out.name_id = std::string(base::trim(name.text()));
  if (out.name_id.empty()) return wrong("the assertion names nobody");
  read_attributes(assertion, out);
  return out;
}

}  // namespace security
