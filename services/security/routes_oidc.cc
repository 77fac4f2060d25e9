// SPDX-License-Identifier: Apache-2.0
// OpenID Connect: discovery, keys, the token endpoint with its grants, userinfo, revocation.
#include <algorithm>

#include "common/base/text.h"
#include "services/framework/host.h"
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

constexpr const char* kExchange = "urn:ietf:params:oauth:grant-type:token-exchange";
constexpr const char* kAccessType = "urn:ietf:params:oauth:token-type:access_token";
constexpr const char* kJwtType = "urn:ietf:params:oauth:token-type:jwt";

Result<Reply> discovery(Security& self, Call&) {
  const std::string& issuer = self.config().issuer;
  return ok({{"issuer", issuer},
             {"authorization_endpoint", issuer + "/oauth/authorize"},
             {"token_endpoint", issuer + "/oauth/token"},
             {"jwks_uri", issuer + "/oauth/jwks"},
             {"userinfo_endpoint", issuer + "/oauth/userinfo"},
             {"revocation_endpoint", issuer + "/oauth/revoke"},
             {"introspection_endpoint", issuer + "/oauth/introspect"},
             {"response_types_supported", {"code"}},
             {"response_modes_supported", {"query"}},
             {"grant_types_supported",
              {"authorization_code", "refresh_token", "client_credentials", kExchange}},
             {"code_challenge_methods_supported", {"S256"}},
             {"subject_types_supported", {"public"}},
             {"id_token_signing_alg_values_supported", {"ES256"}},
             {"token_endpoint_auth_methods_supported",
              {"client_secret_basic", "client_secret_post", "none"}},
             {"scopes_supported", {"openid", "profile", "email", "gestalt"}},
             {"claims_supported",
              {"sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "given_name",
               "family_name", "email"}},
             {"authorization_response_iss_parameter_supported", true}});
}

Result<Reply> jwks(Security& self, Call& call) {
  const auto keys = TRY(self.key_set(call.read()));
  return Reply::json(TRY(keys->to_json())).with("Cache-Control", "max-age=300");
}

Reply refuse_grant() {
  return oauth_error("invalid_grant",
                     "The provided authorization grant is invalid, expired or revoked.");
}

Result<Reply> redeem_code(Security& self, Call& call, const ClientRecord& client) {
  const std::string shown = form_value(call, "code");
  if (token_kind(shown) != TokenKind::code) return refuse_grant();
  auto code = TRY(find<TokenRecord>(call.write(), token_hash(shown)));
  if (!code || code->kind != "code") return refuse_grant();
  if (code->used) {
    // Somebody has it who should not: all that came of it ends.
    TRY(revoke_family(call.write(), code->family));
    call.emit("security.token.reused", {{"account", code->account}, {"family", code->family}});
    return refuse_grant();
  }
  const bool fits = code->client == client.id && code->expires > seconds_of(call.now()) &&
                    code->redirect_uri == form_value(call, "redirect_uri") &&
                    fits_challenge(form_value(call, "code_verifier"), code->challenge);
  // A code is good for one try, right or wrong.
  code->used = true;
  TRY(put(call.write(), *code));
  if (!fits) return refuse_grant();
  const auto account = TRY(find<AccountRecord>(call.write(), code->account));
  if (!account || account->disabled) return refuse_grant();
  return oauth_reply(TRY(issue_token(
      self, call,
      {.account = code->account,
       .org = code->org,
       .client = client.id,
       .family = code->family,
       .scopes = code->scopes.empty() ? std::vector<std::string>{"openid"} : code->scopes,
       .refresh = may_grant(client, "refresh_token"),
       .jwt = client.jwt,
       .nonce = code->nonce})));
}

// RFC 8693: whoever shows an API key gets a token of the subject's that says who acts, is no wider
// and lives no longer than the subject's own.
Result<Reply> exchange(Security& self, Call& call) {
  const auto key = TRY(shown_key(self, call));
  if (!key) return oauth_error("invalid_client", "the actor shows an API key", 401);
  if (form_value(call, "subject_token_type") != kAccessType) {
    return oauth_error("invalid_request", "subject_token_type is that of an access token");
  }
  const std::string header = "Bearer " + form_value(call, "subject_token");
  const auto subject = self.authenticate(call.read(), {.authorization = header, .peer_uid = {}});
  if (!subject || (*subject)->credential != services::CredentialKind::token) {
    return refuse_grant();
  }
  const auto token = TRY(find_one<TokenRecord>(call.write(), "id", (*subject)->credential_id));
  const auto actor = TRY(self.caller_of(call.write(), key->account));
  if (!token || !TRY(self.is_member(call.write(), *actor, token->org))) return refuse_grant();
  std::vector<std::string> scopes = split_scope(form_value(call, "scope"));
  if (scopes.empty()) scopes = token->scopes;
  if (scopes.empty()) scopes = {"gestalt"};
  const bool narrower = std::all_of(scopes.begin(), scopes.end(), [&](const std::string& each) {
    return token->scopes.empty() ||
           std::find(token->scopes.begin(), token->scopes.end(), each) != token->scopes.end();
  });
  if (!narrower) {
    return oauth_error("invalid_scope", "the scope is wider than that of the subject token");
  }
  std::vector<std::string> actors = token->actors;
  if (actors.size() >= 10) return oauth_error("invalid_request", "the chain of actors is too long");
  actors.push_back(key->account);
  base::Json out = TRY(issue_token(
      self, call,
      {.account = token->account,
       .org = token->org,
       .api_key = key->id,
       .family = token->family,
       .scopes = scopes,
       .actors = actors,
       .jwt = form_value(call, "requested_token_type") == kJwtType,
       .lifetime_max_s = std::max<std::int64_t>(1, token->expires - seconds_of(call.now()))}));
  out["issued_token_type"] = kAccessType;
  return oauth_reply(out);
}

Result<Reply> token_for_key(Security& self, Call& call) {
  const auto key = TRY(shown_key(self, call));
  if (!key) return oauth_error("invalid_client", "client authentication failed", 401);
  return oauth_reply(TRY(issue_token(self, call,
                                     {.account = key->account,
                                      .org = key->org,
                                      .api_key = key->id,
                                      .scopes = split_scope(form_value(call, "scope"))})));
}

Result<Reply> token(Security& self, Call& call) {
  const std::string type = form_value(call, "grant_type");
  if (type == kExchange) return exchange(self, call);
  if (type == "client_credentials") return token_for_key(self, call);
  if (type != "authorization_code" && type != "refresh_token") {
    return oauth_error(type.empty() ? "invalid_request" : "unsupported_grant_type",
                       "see grant_types_supported of the discovery document");
  }
  const auto client = TRY(shown_client(call));
  if (!client) return oauth_error("invalid_client", "client authentication failed", 401);
  if (!may_grant(*client, type)) {
    return oauth_error("unauthorized_client", "the client may not use this grant");
  }
  if (type == "authorization_code") return redeem_code(self, call, *client);
  return refresh_token(self, call, client->id);
}

Result<Reply> userinfo(Security&, Call& call) {
  const services::Caller& caller = call.caller();
  const auto has = [&](std::string_view scope) {
    return caller.scopes.empty() ||
           std::find(caller.scopes.begin(), caller.scopes.end(), scope) != caller.scopes.end();
  };
  const AccountRecord account = TRY(need_account(call.read(), caller.account_id));
  base::Json out = {{"sub", account.id}, {"preferred_username", account.username}};
  if (has("profile")) {
    out["given_name"] = account.first_name;
    out["family_name"] = account.last_name;
  }
  if (has("email") && account.email) out["email"] = *account.email;
  return ok(out);
}

// RFC 7009: 200 whatever was shown, so that nothing is learned from it; a client ends its own
// tokens only.
Result<Reply> revoke(Security& self, Call& call) {
  const auto key = TRY(shown_key(self, call));
  const auto client = key ? std::optional<ClientRecord>() : TRY(shown_client(call));
  if (!key && !client) return oauth_error("invalid_client", "client authentication failed", 401);
  const std::string text = form_value(call, "token");
  const auto kind = token_kind(text);
  if (kind != TokenKind::access && kind != TokenKind::refresh)
    return oauth_reply(base::Json::object());
  const auto record = TRY(find<TokenRecord>(call.write(), token_hash(text)));
  if (!record) return oauth_reply(base::Json::object());
  const bool own = client ? record->client == client->id : record->account == key->account;
  if (!own) return oauth_reply(base::Json::object());
  if (record->kind == "refresh") {
    TRY(revoke_family(call.write(), record->family));
  } else {
    TRY(erase(call.write(), *record));
    TRY(touch_epoch(call.write()));
  }
  call.emit("security.token.deleted", {{"id", record->id}, {"account", record->account}});
  return oauth_reply(base::Json::object());
}

using rest::Method;
constexpr services::Flags kTokenForm = services::kForm | services::kUngated;
constexpr services::Action<Security> kActions[] = {
    {Method::get,
     "/.well-known/openid-configuration",
     "oidc.discovery",
     services::anonymous(),
     Kind::query,
     discovery,
     "What OpenID Connect offers",
     {.reply = reply::kDiscovery}},
    {Method::get,
     "/oauth/jwks",
     "oidc.keys",
     services::anonymous(),
     Kind::query,
     jwks,
     "Keys that tokens are signed with",
     {.reply = reply::kKeySet}},
    {Method::post,
     "/oauth/token",
     "oidc.token",
     services::anonymous(),
     Kind::mutation,
     token,
     "Redeems a code, a refresh token, an API key or another's token",
     {.flags = kTokenForm, .reply = reply::kToken}},
    {Method::get,
     "/oauth/userinfo",
     "oidc.userinfo",
     services::authenticated(),
     Kind::query,
     userinfo,
     "Who the token is about",
     {.reply = reply::kUserInfo}},
    {Method::post,
     "/oauth/revoke",
     "oidc.revoke",
     services::anonymous(),
     Kind::mutation,
     revoke,
     "Ends a token",
     {.flags = kTokenForm, .reply = reply::kNothing}},
};

}  // namespace

void add_oidc_actions(services::ActionTable& table, Security& self) { table.add(kActions, self); }

}  // namespace security
