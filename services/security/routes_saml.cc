// SPDX-License-Identifier: Apache-2.0
// SAML: our metadata, the way to the provider, and back with a response that becomes a token.
//
// The request under way is sealed into RelayState together with the hash of a cookie of this
// browser; an assertion that was taken is remembered until it has expired.
#include <algorithm>

#include "common/base/text.h"
#include "common/sys/tls.h"
#include "services/framework/host.h"
#include "services/security/adapters/saml/saml.h"
#include "services/security/clients.h"
#include "services/security/grants.h"
#include "services/security/schemas.h"
#include "services/security/token/secret_token.h"

namespace security {

namespace {

using base::Result;
using services::Call;
using services::Kind;
using services::Reply;

constexpr std::string_view kSamlCookie = "gestalt_saml";
constexpr std::string_view kRelayContext = "saml-relay";
constexpr std::int64_t kRequestSeconds = 600;

base::Error saml_error(std::string detail) {
  return {base::Code::unauthenticated, std::move(detail), "saml_invalid"};
}

struct Provider {
  DirectoryRecord directory;
  SamlConfig config;
  SamlParty party;
};

Result<Provider> provider_of(Security& self, Call& call) {
  Provider out;
  out.directory = TRY(need_directory(call.read(), call.parameter("directory")));
  if (out.directory.type != kSaml) {
    return base::Error{base::Code::not_found, "the directory is none of SAML", "directory_unknown"};
  }
  const base::Json config = TRY(self.open_config(out.directory));
  out.config = TRY(read_saml_config(config));
  const std::string at = self.config().issuer + "/saml/" + out.directory.id;
  out.party = {at + "/metadata", at + "/acs"};
  return out;
}

std::string saml_cookie(const Call& call) {
  const auto header = call.request().find_header("cookie");
  if (!header) return {};
  for (const std::string_view piece : base::split(*header, ';')) {
    const std::string_view each = base::trim(piece);
    if (each.starts_with(std::string(kSamlCookie) + "=")) {
      return std::string(each.substr(kSamlCookie.size() + 1));
    }
  }
  return {};
}

Result<Reply> show_metadata(Security& self, Call& call) {
  const Provider provider = TRY(provider_of(self, call));
  return Reply::text(saml_metadata(provider.party), "application/samlmetadata+xml");
}

Result<Reply> go_to_provider(Security& self, Call& call) {
  const Provider provider = TRY(provider_of(self, call));
  const std::string request = "_" + self.host().rng().uuid();
  const base::Secret cookie = make_token(TokenKind::form, self.host().rng());
  const base::Json relay = {{"directory", provider.directory.id},
                            {"request", request},
                            {"cookie", token_hash(cookie.reveal())},
                            {"expires", seconds_of(call.now()) + kRequestSeconds}};
  const std::string sealed = TRY(self.seal(kRelayContext, base::dump_json(relay)));
  std::string issued = base::format_time(call.now());
  Reply reply = Reply::text("", "text/plain; charset=utf-8");
  reply.status = 303;
  // The provider's page posts back from another site, so the cookie has to come along from there.
  const bool secure = self.config().issuer.starts_with("https:");
  return std::move(reply)
      .with("Location", saml_request_url(provider.config, provider.party, request, sealed, issued))
      .with("Set-Cookie", std::string(kSamlCookie) + "=" + std::string(cookie.reveal()) +
                              "; Path=/; HttpOnly" + (secure ? "; SameSite=None; Secure" : ""))
      .with("Cache-Control", "no-store");
}

std::string text_at(const base::Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
}

// The id of the request that this browser was sent with.
Result<std::string> request_of(Security& self, Call& call, const Provider& provider) {
  const auto opened = self.unseal(kRelayContext, form_value(call, "RelayState"));
  if (!opened) return saml_error("the response comes without a request of ours");
  const base::Json relay = TRY(base::parse_json(opened->reveal()));
  const auto expires = relay.find("expires");
  const bool fits =
      text_at(relay, "directory") == provider.directory.id && expires != relay.end() &&
      expires->is_number_integer() && expires->get<std::int64_t>() > seconds_of(call.now()) &&
      base::equal_constant_time(token_hash(saml_cookie(call)), text_at(relay, "cookie"));
  if (!fits) return saml_error("the request was another browser's, or too long ago");
  return text_at(relay, "request");
}

Result<void> remember(Call& call, const Provider& provider, const SamlSubject& subject) {
  const std::string key =
      "saml-seen/" + sys::sha256_hex(provider.config.idp_entity + "\n" + subject.assertion_id);
  if (TRY(find<StateRecord>(call.write(), key))) {
    return saml_error("the assertion was used before");
  }
  StateRecord seen{.key = key};
  seen.number = subject.expires;
  return put(call.write(), seen);
}

ExternalAccount account_of(const SamlConfig& config, const SamlSubject& subject) {
  const auto first = [&](const std::string& name) {
    const auto at = subject.attributes.find(name);
    return at == subject.attributes.end() || at->second.empty() ? std::string() : at->second[0];
  };
  ExternalAccount out{"saml:" + subject.name_id, subject.name_id,
                      first(config.first_name_attribute), first(config.last_name_attribute)};
  if (!config.username_attribute.empty()) out.username = first(config.username_attribute);
  if (const std::string email = first(config.email_attribute); !email.empty()) out.email = email;
  if (const auto groups = subject.attributes.find(config.groups_attribute);
      groups != subject.attributes.end()) {
    for (const std::string& name : groups->second) out.groups.push_back({"saml:" + name, name});
  }
  return out;
}

Result<Reply> take_response(Security& self, Call& call) {
  const Provider provider = TRY(provider_of(self, call));
  const std::string request = TRY(request_of(self, call, provider));
  std::string packed = form_value(call, "SAMLResponse");
  std::erase_if(packed, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
  const auto text = base::from_base64(packed);
  if (!text) return saml_error("the response is not base64");
  const SamlSubject subject = TRY(
      read_saml_response(*text, provider.config, provider.party, request, seconds_of(call.now())));
  TRY(remember(call, provider, subject));
  const AccountRecord account =
      TRY(shadow_account(call, provider.directory, account_of(provider.config, subject)));
  const AppRecord app = TRY(service_app(call.write(), provider.directory.org));
  if (!TRY(belongs_to_app(call.write(), account, app.id))) {
    return saml_error("the account does not belong to the organization");
  }
  return oauth_reply(TRY(issue_token(
      self, call, {.account = account.id, .org = provider.directory.org, .refresh = true})));
}

using rest::Method;
constexpr services::Action<Security> kActions[] = {
    {Method::get, "/saml/{directory}/metadata", "saml.metadata", services::anonymous(), Kind::query,
     show_metadata, "What a SAML identity provider needs to know of us"},
    {Method::get, "/saml/{directory}/login", "saml.login", services::anonymous(), Kind::query,
     go_to_provider, "Sends the browser to the SAML identity provider"},
    {Method::post,
     "/saml/{directory}/acs",
     "saml.response",
     services::anonymous(),
     Kind::mutation,
     take_response,
     "Takes the provider's response and issues a token",
     {.flags = services::kForm | services::kUngated,
      .reply = reply::kToken,
      .body_max = 512 << 10}},
};

}  // namespace

void add_saml_actions(services::ActionTable& table, Security& self) { table.add(kActions, self); }

}  // namespace security
