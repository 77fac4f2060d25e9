// SPDX-License-Identifier: Apache-2.0
// Registering clients of OpenID Connect, and knowing them again.
#include <algorithm>

#include "common/base/text.h"
#include "common/rest/auth.h"
#include "common/sys/tls.h"
#include "services/framework/host.h"
#include "services/security/clients.h"
#include "services/security/grants.h"
#include "services/security/model/names.h"
#include "services/security/schemas.h"
#include "services/security/token/secret_token.h"

namespace security {

namespace {

using base::Result;
using services::Call;
using services::Kind;
using services::Reply;

constexpr std::size_t kRedirectsMax = 20;
constexpr std::string_view kGrants[] = {"authorization_code", "refresh_token"};

base::Json client_json(const ClientRecord& client) {
  return {{"id", client.id},
          {"name", client.name},
          {"orgId", client.org},
          {"redirectUris", client.redirect_uris},
          {"grants", client.grants},
          {"public", client.secret_sha256.empty()},
          {"accessTokenFormat", client.jwt ? "jwt" : "opaque"}};
}

Result<ClientRecord> read_client(const base::Json& body, bool& is_public) {
  ClientRecord out;
  std::string format = "opaque";
  base::Fields fields(body);
  fields.required("name", out.name, {.length_min = 1, .length_max = kNameMax});
  fields.optional("redirectUris", out.redirect_uris, kRedirectsMax, {.length_max = 1024});
  fields.optional("grants", out.grants, 10, {.length_max = 64});
  fields.optional("public", is_public);
  fields.optional("accessTokenFormat", format, {.length_max = 16});
  if (format != "jwt" && format != "opaque") {
    fields.reject("accessTokenFormat", "a format is jwt or opaque");
  }
  if (out.redirect_uris.empty()) fields.reject("redirectUris", "at least one is needed");
  TRY(fields.finish(base::UnknownFields::ignore));
  TRY(check_display_name(out.name, "a client's name"));
  for (const std::string& uri : out.redirect_uris) TRY(check_redirect_uri(uri));
  if (out.grants.empty()) out.grants.assign(std::begin(kGrants), std::end(kGrants));
  for (const std::string& grant : out.grants) {
    if (std::find(std::begin(kGrants), std::end(kGrants), grant) == std::end(kGrants)) {
      return base::Error{base::Code::invalid_argument,
                         "a client's grants are authorization_code and refresh_token",
                         "client_invalid"};
    }
  }
  out.jwt = format == "jwt";
  return out;
}

Result<Reply> make_client(Security& self, Call& call) {
  bool is_public = false;
  ClientRecord client = TRY(read_client(call.body(), is_public));
  client.id = call.new_id();
  client.org = call.org().id;
  base::Secret secret;
  if (!is_public) {
    secret = make_token(TokenKind::client_secret, self.host().rng());
    client.secret_sha256 = token_hash(secret.reveal());
  }
  TRY(put(call.write(), client));
  call.emit("security.client.created", {{"id", client.id}, {"org", client.org}});
  base::Json out = client_json(client);
  if (!is_public) out["secret"] = secret.reveal();
  return created(out, "clients");
}

Result<Reply> list_clients(Security&, Call& call) {
  base::Json out = base::Json::array();
  for (const auto& each : TRY(find_by<ClientRecord>(call.read(), "org", call.org().id))) {
    out.push_back(client_json(each));
  }
  return ok(out);
}

Result<ClientRecord> need_client(Call& call) {
  auto client = TRY(find<ClientRecord>(call.read(), call.parameter("client")));
  if (client) return *std::move(client);
  return base::Error{base::Code::not_found, "there is no client with this id", "client_invalid"};
}

Result<services::Target> resolve_client(Security&, Call& call) {
  const ClientRecord client = TRY(need_client(call));
  return target_of_org(call.read(), client.org);
}

Result<Reply> show_client(Security&, Call& call) { return ok(client_json(TRY(need_client(call)))); }

Result<Reply> remove_client(Security&, Call& call) {
  const ClientRecord client = TRY(need_client(call));
  // What it was given goes with it.
  for (const TokenRecord& token : TRY(find_by<TokenRecord>(call.write(), "org", client.org))) {
    if (token.client == client.id) TRY(erase(call.write(), token));
  }
  TRY(erase(call.write(), client));
  call.emit("security.client.deleted", {{"id", client.id}, {"org", client.org}});
  return was_deleted(true);
}

using rest::Method;
constexpr services::ActionOptions<Security> kClient = {.resolve = resolve_client};
constexpr services::Action<Security> kActions[] = {
    {Method::get,
     "/orgs/{org}/clients",
     "client.list",
     services::right("createApp"),
     Kind::query,
     list_clients,
     "Clients of OpenID Connect of an organisation",
     {.reply = reply::kClients}},
    {Method::post,
     "/orgs/{org}/clients",
     "client.create",
     services::right("createApp"),
     Kind::mutation,
     make_client,
     "Registers a client of OpenID Connect",
     {.reply = reply::kNewClient}},
    {Method::get, "/clients/{client}", "client.view", services::right("createApp"), Kind::query,
     show_client, "A client of OpenID Connect", services::replying(kClient, reply::kClient)},
    {Method::del, "/clients/{client}", "client.delete", services::right("deleteApp"),
     Kind::mutation, noticed<remove_client>, "Deletes a client and ends its tokens",
     services::replying(kClient, reply::kDeleted)},
};

}  // namespace

Result<void> check_redirect_uri(std::string_view uri) {
  const base::Error wrong{base::Code::invalid_argument,
                          "a redirect URI is https, http on loopback or an app's own scheme, "
                          "without a fragment or wildcard",
                          "redirect_invalid"};
  const auto colon = uri.find(':');
  if (uri.size() > 1024 || colon == uri.npos || !base::is_utf8(uri)) return wrong;
  for (const char c : uri) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '#' || c == '*' || c == '"' || c == '<' || c == '>' ||
        c == '\\' || c == '\'' || c == ';' || c == ',') {
      return wrong;
    }
  }
  const std::string scheme = base::lower(uri.substr(0, colon));
  if (scheme == "https")
    return uri.size() > 8 && uri.substr(5, 3) == "://" ? Result<void>() : wrong;
  if (scheme == "http") {
    for (const std::string_view host : {"http://127.0.0.1", "http://[::1]", "http://localhost"}) {
      if (!uri.starts_with(host)) continue;
      const std::string_view rest = uri.substr(host.size());
      if (rest.empty() || rest.front() == ':' || rest.front() == '/') {
        const auto at = rest.find('@'), slash = rest.find('/');
        if (at == rest.npos || (slash != rest.npos && slash < at)) return {};
      }
    }
    return wrong;
  }
  // RFC 8252: a private scheme is a reversed domain name.
  return scheme.find('.') != scheme.npos ? Result<void>() : wrong;
}

bool may_redirect(const ClientRecord& client, std::string_view uri) {
  return std::find(client.redirect_uris.begin(), client.redirect_uris.end(), uri) !=
         client.redirect_uris.end();
}

bool may_grant(const ClientRecord& client, std::string_view grant) {
  return std::find(client.grants.begin(), client.grants.end(), grant) != client.grants.end();
}

bool is_challenge(std::string_view text) {
  const base::Result<std::string> bytes = base::from_base64(text);
  return text.size() == 43 && bytes && bytes->size() == 32;
}

bool fits_challenge(std::string_view verifier, std::string_view challenge) {
  if (verifier.size() < 43 || verifier.size() > 128 || challenge.empty()) return false;
  for (const char c : verifier) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (!unreserved) return false;
  }
  return base::equal_constant_time(base::to_base64url(sys::sha256(verifier)), challenge);
}

Result<std::optional<ClientRecord>> shown_client(Call& call) {
  std::string id = form_value(call, "client_id");
  base::Secret secret(form_value(call, "client_secret"));
  if (const auto header = call.request().find_header("authorization")) {
    const auto shown = rest::parse_authorization(std::string(*header));
    if (!shown || shown->id.empty() || !secret.empty()) return std::optional<ClientRecord>();
    if (!id.empty() && id != shown->id) return std::optional<ClientRecord>();
    id = shown->id;
    secret = shown->token;
  }
  auto client = TRY(find<ClientRecord>(call.read(), id));
  if (!client) return client;
  if (client->secret_sha256.empty()) {
    return secret.empty() ? std::move(client) : std::optional<ClientRecord>();
  }
  if (!base::equal_constant_time(client->secret_sha256, token_hash(secret.reveal()))) {
    return std::optional<ClientRecord>();
  }
  return client;
}

void add_client_actions(services::ActionTable& table, Security& self) { table.add(kActions, self); }

}  // namespace security
