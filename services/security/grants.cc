// SPDX-License-Identifier: Apache-2.0
#include "services/security/grants.h"

#include <algorithm>

#include "common/base/text.h"
#include "services/framework/host.h"
#include "services/security/token/secret_token.h"

namespace security {

namespace {

using base::Result;
using services::Call;
using services::Reply;

constexpr std::size_t kScopesMax = 50;

Result<std::string> make_jwt(Security& self, Call& call, const GrantedToken& wanted,
                             const TokenRecord& record, const std::string& jti) {
  const Security::Signer signer = TRY(self.signer(call.write()));
  const AccountRecord account = TRY(need_account(call.write(), wanted.account));
  const AppRecord app = TRY(service_app(call.write(), wanted.org));
  base::Json rights = base::Json::array();
  for (const RightRecord& right : TRY(rights_of_account(call.write(), app.id, account.id))) {
    rights.push_back(right.value ? right.name + "=" + *right.value : right.name);
  }
  base::Json claims = {{"iss", self.config().issuer},
                       {"sub", account.id},
                       {"aud", wanted.client.empty() ? self.config().issuer : wanted.client},
                       {"iat", record.issued},
                       {"exp", record.expires},
                       {"jti", jti},
                       {"client_id", wanted.client},
                       {"username", account.username},
                       {"gestalt_org_id", wanted.org},
                       {"gestalt_groups", TRY(groups_of(call.write(), account.id))},
                       {"gestalt_rights", std::move(rights)},
                       {"scope", base::join(wanted.scopes, " ")}};
  // RFC 8693: who acts, innermost the first of the chain.
  base::Json actor;
  for (const std::string& each : wanted.actors) {
    base::Json outer = {{"sub", each}};
    if (!actor.is_null()) outer["act"] = std::move(actor);
    actor = std::move(outer);
  }
  if (!actor.is_null()) claims["act"] = std::move(actor);
  return sign_jwt(*signer.key, signer.kid, kAccessTokenType, claims);
}

Result<std::string> make_id_token(Security& self, Call& call, const GrantedToken& wanted,
                                  std::int64_t now) {
  const Security::Signer signer = TRY(self.signer(call.write()));
  const AccountRecord account = TRY(need_account(call.write(), wanted.account));
  base::Json claims = {{"iss", self.config().issuer},
                       {"sub", account.id},
                       {"aud", wanted.client},
                       {"iat", now},
                       {"exp", now + self.config().jwt_lifetime_s},
                       {"preferred_username", account.username}};
  const auto has = [&](std::string_view scope) {
    return std::find(wanted.scopes.begin(), wanted.scopes.end(), scope) != wanted.scopes.end();
  };
  if (has("profile")) {
    claims["given_name"] = account.first_name;
    claims["family_name"] = account.last_name;
  }
  if (has("email") && account.email) claims["email"] = *account.email;
  if (!wanted.nonce.empty()) claims["nonce"] = wanted.nonce;
  return sign_jwt(*signer.key, signer.kid, kIdTokenType, claims);
}

TokenRecord record_of(Call& call, const GrantedToken& wanted, std::int64_t lifetime) {
  TokenRecord record{.id = call.new_id(), .account = wanted.account, .org = wanted.org};
  record.issued = seconds_of(call.now());
  record.expires = record.issued + lifetime;
  record.api_key = wanted.api_key;
  record.client = wanted.client;
  record.family = wanted.family;
  record.scopes = wanted.scopes;
  record.actors = wanted.actors;
  return record;
}

Reply refused_grant() {
  return oauth_error("invalid_grant",
                     "The provided authorization grant is invalid, expired or revoked.");
}

}  // namespace

Reply oauth_error(std::string_view error, std::string_view description, int status) {
  return Reply::json({{"error", error}, {"error_description", description}}, status)
      .with("Cache-Control", "no-store");
}

Reply oauth_reply(const base::Json& value) {
  return Reply::json(value).with("Cache-Control", "no-store");
}

Result<base::Json> issue_token(Security& self, Call& call, const GrantedToken& asked) {
  GrantedToken wanted = asked;
  if (wanted.refresh && wanted.family.empty()) wanted.family = call.new_id();
  std::int64_t lifetime =
      wanted.jwt ? self.config().jwt_lifetime_s : self.config().token_lifetime_s;
  if (wanted.lifetime_max_s > 0) lifetime = std::min(lifetime, wanted.lifetime_max_s);
  TokenRecord access = record_of(call, wanted, lifetime);
  std::string text;
  if (wanted.jwt) {
    const base::Secret jti = make_token(TokenKind::access, self.host().rng());
    access.hash = token_hash(jti.reveal());
    text = TRY(make_jwt(self, call, wanted, access, std::string(jti.reveal())));
  } else {
    text = make_token(TokenKind::access, self.host().rng()).reveal();
    access.hash = token_hash(text);
  }
  TRY(put(call.write(), access));
  base::Json out = {{"access_token", text},
                    {"token_type", "bearer"},
                    {"expires_in", lifetime},
                    {"gestalt_access_token_href", "/accessTokens/" + access.id}};
  if (!wanted.scopes.empty()) out["scope"] = base::join(wanted.scopes, " ");
  if (wanted.refresh) {
    const base::Secret token = make_token(TokenKind::refresh, self.host().rng());
    TokenRecord record = record_of(call, wanted, self.config().refresh_lifetime_s);
    record.kind = "refresh";
    record.hash = token_hash(token.reveal());
    TRY(put(call.write(), record));
    out["refresh_token"] = token.reveal();
  }
  const bool openid =
      std::find(wanted.scopes.begin(), wanted.scopes.end(), "openid") != wanted.scopes.end();
  if (openid && !wanted.client.empty()) {
    out["id_token"] = TRY(make_id_token(self, call, wanted, access.issued));
  }
  call.audit("token", access.id);
  call.audit("account", wanted.account);
  return out;
}

Result<void> revoke_family(store::Writer& writer, std::string_view family) {
  for (const TokenRecord& each : TRY(find_by<TokenRecord>(writer, "family", family))) {
    TRY(erase(writer, each));
  }
  return touch_epoch(writer);
}

Result<Reply> refresh_token(Security& self, Call& call, std::string_view client_id) {
  const std::string shown = form_value(call, "refresh_token");
  if (token_kind(shown) != TokenKind::refresh) return refused_grant();
  auto record = TRY(find<TokenRecord>(call.write(), token_hash(shown)));
  const std::int64_t now = seconds_of(call.now());
  if (!record || record->kind != "refresh" || record->expires <= now) return refused_grant();
  if (record->client != client_id) return refused_grant();
  if (record->used) {
    TRY(revoke_family(call.write(), record->family));
    call.emit("security.token.reused", {{"account", record->account}, {"family", record->family}});
    return refused_grant();
  }
  const auto account = TRY(find<AccountRecord>(call.write(), record->account));
  if (!account || account->disabled) return refused_grant();
  std::vector<std::string> scopes = record->scopes;
  if (const std::string asked = form_value(call, "scope"); !asked.empty()) {
    scopes = split_scope(asked);
    const bool narrower = std::all_of(scopes.begin(), scopes.end(), [&](const std::string& each) {
      return record->scopes.empty() ||
             std::find(record->scopes.begin(), record->scopes.end(), each) != record->scopes.end();
    });
    if (!narrower || scopes.empty()) {
      return oauth_error("invalid_scope", "the scope is wider than that of the login");
    }
  }
  record->used = true;
  TRY(put(call.write(), *record));
  const auto client = TRY(find<ClientRecord>(call.write(), record->client));
  return oauth_reply(TRY(issue_token(self, call,
                                     {.account = record->account,
                                      .org = record->org,
                                      .client = record->client,
                                      .family = record->family,
                                      .scopes = scopes,
                                      .refresh = true,
                                      .jwt = client && client->jwt})));
}

std::string form_value(const Call& call, std::string_view name) {
  const base::Json& body = call.body();
  if (!body.is_object()) return {};
  const auto at = body.find(name);
  return at != body.end() && at->is_string() ? at->get<std::string>() : std::string();
}

Result<std::optional<ApiKeyRecord>> shown_key(Security& self, Call& call) {
  const auto header = call.request().find_header("authorization");
  if (!header) return std::optional<ApiKeyRecord>();
  const auto caller = self.authenticate(call.read(), {.authorization = *header, .peer_uid = {}});
  if (!caller || (*caller)->credential != services::CredentialKind::api_key) {
    return std::optional<ApiKeyRecord>();
  }
  return find<ApiKeyRecord>(call.read(), (*caller)->credential_id);
}

std::vector<std::string> split_scope(std::string_view scope) {
  std::vector<std::string> out;
  for (const std::string_view each : base::split(scope, ' ')) {
    if (!each.empty() && out.size() < kScopesMax) out.emplace_back(each);
  }
  return out;
}

}  // namespace security
