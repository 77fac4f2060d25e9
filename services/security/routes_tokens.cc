// SPDX-License-Identifier: Apache-2.0
// Tokens and keys as the original serves them: issue, inspect, delete; who a credential is.
#include "services/framework/host.h"
#include "services/security/core/render.h"
#include "services/security/grants.h"
#include "services/security/schemas.h"
#include "services/security/token/secret_token.h"

namespace security {

namespace {

using base::Result;
using services::Call;
using services::Kind;
using services::Reply;

// What a login came to, found out before the transaction.
struct LoginOutcome {
  std::optional<AccountRecord> account;
  std::string trouble;  // for the client; empty when the password was looked at
};

// Reads the service app of the call's organisation, outside of a transaction.
Result<AppRecord> app_now(Security& self, Call& call) {
  AppRecord app;
  const base::Result<void> done =
      self.host().store().read([&](store::Reader& reader) -> Result<void> {
        TRY(root_org(reader));
        app = TRY(service_app(reader, call.org().id));
        return {};
      });
  TRY(done);
  return app;
}

Result<void> log_in(Security& self, Call& call, const AppRecord& app, const std::string& username,
                    base::Secret password) {
  LoginOutcome outcome;
  const auto found = self.check_login(app, username, password);
  if (found) {
    outcome.account = *found;
  } else if (found.error().code == base::Code::throttled) {
    outcome.trouble = found.error().detail;
  } else {
    return found.error();
  }
  call.keep(std::move(outcome));
  return {};
}

Result<void> prepare_issue(Security& self, Call& call) {
  if (form_value(call, "grant_type") != "password") return {};
  const std::string username = form_value(call, "username");
  base::Secret password(form_value(call, "password"));
  // `*` would be a search in an external directory.
  if (username.empty() || password.empty() || username.find('*') != username.npos) return {};
  return log_in(self, call, TRY(app_now(self, call)), username, std::move(password));
}

Result<Reply> issue_by_password(Security& self, Call& call) {
  const LoginOutcome* outcome = call.kept<LoginOutcome>();
  call.audit("username", form_value(call, "username"));
  if (outcome == nullptr) {
    return oauth_error("invalid_request",
                       "Invalid content in one of required fields: `username` or `password`");
  }
  if (!outcome->trouble.empty()) return oauth_error("invalid_grant", outcome->trouble);
  // It may have been disabled or deleted since the password was looked at.
  const auto account = outcome->account
                           ? TRY(find<AccountRecord>(call.write(), outcome->account->id))
                           : std::optional<AccountRecord>();
  if (!account || account->disabled) {
    call.audit("successful", false);
    return oauth_error("invalid_grant",
                       "The provided authorization grant is invalid, expired or revoked.");
  }
  call.audit("successful", true);
  return oauth_reply(TRY(
      issue_token(self, call, {.account = account->id, .org = call.org().id, .refresh = true})));
}

Result<Reply> issue_by_key(Security& self, Call& call, const std::string& org) {
  const auto key = TRY(shown_key(self, call));
  if (!key) {
    return oauth_error("invalid_client",
                       "client_credential grant requires client is authenticated using API "
                       "credentials and does not support token authentication");
  }
  const AccountRecord account = TRY(need_account(call.write(), key->account));
  const AppRecord app = TRY(service_app(call.write(), org.empty() ? key->org : org));
  if (!TRY(belongs_to_app(call.write(), account, app.id))) {
    return oauth_error("invalid_grant",
                       "the authenticated client does not belong to the specified organization or "
                       "the organization does not exist");
  }
  return oauth_reply(
      TRY(issue_token(self, call, {.account = key->account, .org = app.org, .api_key = key->id})));
}

Result<Reply> issue(Security& self, Call& call) {
  const std::string type = form_value(call, "grant_type");
  if (type == "password") return issue_by_password(self, call);
  if (type == "client_credentials") return issue_by_key(self, call, call.org().id);
  if (type == "refresh_token") return refresh_token(self, call, "");
  if (type.empty()) {
    return oauth_error("invalid_request", "request must contain a single grant_type field");
  }
  return oauth_error("unsupported_grant_type",
                     "org token issue endpoints only support client_credentials, password and "
                     "refresh_token grants");
}

Result<Reply> issue_global(Security& self, Call& call) {
  const std::string type = form_value(call, "grant_type");
  if (type == "client_credentials") return issue_by_key(self, call, "");
  if (type.empty()) {
    return oauth_error("invalid_request", "request must contain a single grant_type field");
  }
  return oauth_error("unsupported_grant_type",
                     "global token issue endpoint only support client_credentials grant");
}

// The record of an access token, opaque or JWT, that is valid now.
Result<std::optional<TokenRecord>> valid_token(Security& self, Call& call,
                                               const std::string& text) {
  std::string key;
  const std::int64_t now = seconds_of(call.now());
  if (looks_like_jwt(text)) {
    const auto keys = TRY(self.key_set(call.read()));
    const auto claims = keys->verify(
        text,
        {.type = kAccessTokenType, .issuer = self.config().issuer, .audience = {}, .now = now});
    if (!claims || !claims->contains("jti") || !(*claims)["jti"].is_string()) {
      return std::optional<TokenRecord>();
    }
    key = token_hash((*claims)["jti"].get_ref<const std::string&>());
  } else if (token_kind(text) == TokenKind::access) {
    key = token_hash(text);
  } else {
    return std::optional<TokenRecord>();
  }
  auto record = TRY(find<TokenRecord>(call.read(), key));
  if (!record || record->kind != "access" || record->expires <= now) {
    return std::optional<TokenRecord>();
  }
  return record;
}

base::Json inactive() { return {{"active", false}}; }

Result<base::Json> inspection(Security& self, Call& call, const services::Caller& asker,
                              const std::string& text, const std::string& in_org) {
  const auto token = TRY(valid_token(self, call, text));
  if (!token) return inactive();
  const std::string org = in_org.empty() ? token->org : in_org;
  const auto account = TRY(find<AccountRecord>(call.read(), token->account));
  const auto app = TRY(find_one<AppRecord>(call.read(), "service", org));
  if (!account || !app || !TRY(belongs_to_app(call.read(), *account, app->id))) return inactive();
  // What a token is good for is told to its owner and to the organisation it is good in.
  if (asker.account_id != account->id && !TRY(self.is_member(call.read(), asker, org))) {
    return inactive();
  }
  base::Json out = {{"active", true},
                    {"username", account->username},
                    {"sub", "/accounts/" + account->id},
                    {"iss", self.config().issuer},
                    {"exp", token->expires},
                    {"iat", token->issued},
                    {"jti", token->id},
                    {"gestalt_token_href", "/accessTokens/" + token->id},
                    {"gestalt_org_id", org}};
  out["gestalt_account"] = TRY(account_json(call.read(), *account));
  out["gestalt_groups"] = TRY(group_links(call.read(), account->id));
  out["gestalt_rights"] = rights_json(TRY(rights_of_account(call.read(), app->id, account->id)));
  if (!token->scopes.empty()) out["scope"] = base::Json(token->scopes);
  if (!token->client.empty()) out["client_id"] = token->client;
  if (!token->actors.empty()) out["gestalt_actors"] = token->actors;
  return out;
}

Result<Reply> inspect(Security& self, Call& call) {
  // Wrong credentials make nobody of the caller here, as none do.
  const services::Caller& asker = call.caller();
  if (asker.is_anonymous()) {
    return oauth_error("invalid_client", "token introspection requires client authentication");
  }
  const std::string text = form_value(call, "token");
  if (text.empty()) {
    return oauth_error("invalid_request", "Invalid content in one of required fields: `token`");
  }
  const std::uint64_t current = TRY(epoch(call.read()));
  const bool plain = call.body().size() == 1;
  const std::string key = asker.account_id + "/" + call.org().id + "/" + token_hash(text);
  if (plain) {
    if (auto cached = self.inspections().find(key, current, seconds_of(call.now()))) {
      return Reply::json_text(*std::move(cached)).with("Cache-Control", "no-store");
    }
  }
  base::Json out = TRY(inspection(self, call, asker, text, call.org().id));
  if (!plain && out["active"] == true) {
    base::Json extra = call.body();
    extra.erase("token");
    extra.erase("token_type_hint");
    out["extra_data"] = std::move(extra);
    return oauth_reply(out);
  }
  std::string rendered = base::dump_json(out);
  if (out["active"] == true) {
    self.inspections().put(key, current, rendered, out["exp"].get<std::int64_t>());
  }
  return Reply::json_text(std::move(rendered)).with("Cache-Control", "no-store");
}

Result<Reply> remove_token(Security& self, Call& call) {
  const auto token = TRY(find_one<TokenRecord>(call.write(), "id", call.parameter("token")));
  if (!token) return was_deleted(false);
  if (token->account != call.caller().account_id) {
    TRY(self.require(call, token->org, "deleteToken"));
  }
  TRY(erase(call.write(), *token));
  call.emit("security.token.deleted", {{"id", token->id}, {"account", token->account}});
  return was_deleted(true);
}

Result<Reply> remove_key(Security& self, Call& call) {
  const auto key = TRY(find<ApiKeyRecord>(call.write(), call.parameter("key")));
  if (!key) return was_deleted(false);
  if (key->account != call.caller().account_id) {
    TRY(self.require(call, key->org, "deleteAPIKey"));
    TRY(self.require_no_less(call, key->account));
  }
  TRY(delete_api_key(call.write(), *key));
  call.emit("security.apiKey.deleted", {{"apiKey", key->id}, {"account", key->account}});
  return was_deleted(true);
}

// Who the caller is to an organisation.
Result<Reply> auth(Security& self, Call& call) {
  TRY(self.require_member(call, call.org().id));
  const AccountRecord account = TRY(need_account(call.read(), call.caller().account_id));
  const AppRecord app = TRY(service_app(call.read(), call.org().id));
  base::Json out = TRY(auth_json(call.read(), account, app));
  if (call.body().is_object()) out["extraData"] = call.body();
  return ok(out);
}

Result<void> prepare_app_auth(Security& self, Call& call) {
  std::string username, password;
  base::Fields fields(call.body());
  fields.required("username", username, {.length_min = 1, .length_max = 1024});
  fields.required("password", password, {.length_min = 1, .length_max = 1024});
  const auto finished = fields.finish(base::UnknownFields::ignore);
  base::Secret secret(std::move(password));
  TRY(finished);
  AppRecord app;
  const base::Result<void> read =
      self.host().store().read([&](store::Reader& reader) -> Result<void> {
        app = TRY(need_app(reader, call.parameter("app")));
        return {};
      });
  TRY(read);
  return log_in(self, call, app, username, std::move(secret));
}

Result<Reply> app_auth(Security&, Call& call) {
  const LoginOutcome* outcome = call.kept<LoginOutcome>();
  if (outcome != nullptr && !outcome->trouble.empty()) {
    return base::Error{base::Code::throttled, outcome->trouble, "login_limited"};
  }
  if (outcome == nullptr || !outcome->account) {
    return base::Error{base::Code::not_found, "invalid username or password", "account_unknown"};
  }
  const AppRecord app = TRY(app_of(call));
  return ok(TRY(auth_json(call.read(), *outcome->account, app)));
}

using rest::Method;
constexpr services::Flags kTokenForm = services::kForm | services::kUngated;
constexpr services::Action<Security> kActions[] = {
    {Method::post,
     "/orgs/{org}/oauth/issue",
     "token.issue",
     services::anonymous(),
     Kind::mutation,
     issue,
     "Issues a token for a password, an API key or a refresh token",
     {.flags = kTokenForm, .reply = reply::kToken, .prepare = prepare_issue}},
    {Method::post,
     "/oauth/issue",
     "token.issue",
     services::anonymous(),
     Kind::mutation,
     issue_global,
     "Issues a token for an API key",
     {.flags = kTokenForm, .reply = reply::kToken}},
    {Method::post,
     "/orgs/{org}/oauth/inspect",
     "token.inspect",
     services::anonymous(),
     Kind::query,
     inspect,
     "What a token is good for in an organisation",
     {.flags = kTokenForm, .reply = reply::kInspection}},
    {Method::post,
     "/oauth/inspect",
     "token.inspect",
     services::anonymous(),
     Kind::query,
     inspect,
     "What a token is good for",
     {.flags = kTokenForm, .reply = reply::kInspection}},
    {Method::post,
     "/oauth/introspect",
     "token.inspect",
     services::anonymous(),
     Kind::query,
     inspect,
     "What a token is good for, RFC 7662",
     {.flags = kTokenForm, .reply = reply::kInspection}},
    {Method::del,
     "/accessTokens/{token}",
     "token.delete",
     services::authenticated(),
     Kind::mutation,
     noticed<remove_token>,
     "Ends a token",
     {.flags = services::kUngated, .reply = reply::kDeleted}},
    {Method::del,
     "/apiKeys/{key}",
     "apikey.delete",
     services::authenticated(),
     Kind::mutation,
     noticed<remove_key>,
     "Deletes an API key, those made with it and their tokens",
     {.flags = services::kUngated, .reply = reply::kDeleted}},
    {Method::post,
     "/auth",
     "security.auth",
     services::authenticated(),
     Kind::query,
     auth,
     "Who the caller is to the credential's organisation",
     {.reply = reply::kAuth, .resolve = resolve_own_org}},
    {Method::post,
     "/orgs/{org}/auth",
     "security.auth",
     services::authenticated(),
     Kind::query,
     auth,
     "Who the caller is to an organisation",
     {.reply = reply::kAuth}},
    {Method::post,
     "/apps/{app}/auth",
     "security.app.auth",
     services::right("authenticateAccounts"),
     Kind::query,
     app_auth,
     "Checks a name and password against an app's account stores",
     {.reply = reply::kAuth, .prepare = prepare_app_auth, .resolve = resolve_app}},
};

}  // namespace

void add_token_actions(services::ActionTable& table, Security& self) { table.add(kActions, self); }

}  // namespace security
