// SPDX-License-Identifier: Apache-2.0
// The authorisation endpoint: a small login page, and the way back with a code.
//
// What the client asked for travels through the page as one sealed text, together with the hash of
// a cookie that only this browser has: the form can neither be changed nor be sent from elsewhere.
#include "common/base/text.h"
#include "common/sys/tls.h"
#include "services/framework/host.h"
#include "services/security/clients.h"
#include "services/security/grants.h"
#include "services/security/token/secret_token.h"

namespace security {

namespace {

using base::Result;
using services::Call;
using services::Kind;
using services::Reply;

constexpr std::string_view kCookie = "gestalt_login";
constexpr std::string_view kFormContext = "login-form";
constexpr std::int64_t kFormSeconds = 600;
constexpr std::int64_t kCodeSeconds = 60;

struct Wish {
  std::string client, redirect, scope, state, nonce, challenge;
};

std::string html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

// scheme://host:port, for the policy of the page; empty for an app's own scheme.
std::string origin_of(std::string_view uri) {
  const auto start = uri.find("://");
  if (start == uri.npos) return std::string(uri.substr(0, uri.find(':') + 1));
  const auto end = uri.find_first_of("/?", start + 3);
  return std::string(uri.substr(0, end));
}

Reply back_with(const std::string& redirect,
                std::vector<std::pair<std::string, std::string>> query) {
  std::string location = redirect;
  char separator = redirect.find('?') == redirect.npos ? '?' : '&';
  for (const auto& [name, value] : query) {
    if (value.empty()) continue;
    location += separator + name + "=" + base::percent_encode(value);
    separator = '&';
  }
  Reply reply = Reply::text("", "text/plain; charset=utf-8");
  reply.status = 303;
  return std::move(reply)
      .with("Location", location)
      .with("Cache-Control", "no-store")
      .with("Referrer-Policy", "no-referrer");
}

std::string cookie_of(const Call& call) {
  const auto header = call.request().find_header("cookie");
  if (!header) return {};
  for (const std::string_view piece : base::split(*header, ';')) {
    const std::string_view each = base::trim(piece);
    if (each.size() > kCookie.size() + 1 && each.starts_with(kCookie) &&
        each[kCookie.size()] == '=') {
      return std::string(each.substr(kCookie.size() + 1));
    }
  }
  return {};
}

Result<Reply> login_page(Security& self, Call& call, const Wish& wish, const ClientRecord& client,
                         std::string_view trouble) {
  std::string cookie = cookie_of(call);
  const bool is_new = token_kind(cookie) != TokenKind::form;
  if (is_new) cookie = make_token(TokenKind::form, self.host().rng()).reveal();
  const base::Json content = {
      {"client", wish.client},        {"redirect", wish.redirect},
      {"scope", wish.scope},          {"state", wish.state},
      {"nonce", wish.nonce},          {"challenge", wish.challenge},
      {"cookie", token_hash(cookie)}, {"expires", seconds_of(call.now()) + kFormSeconds}};
  const std::string form = TRY(self.seal(kFormContext, base::dump_json(content)));
  std::string page =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>Log in</title></head><body>"
      "<main><h1>Log in</h1><p>to go on to <strong>" +
      html(client.name) + "</strong></p>";
  if (!trouble.empty()) page += "<p role=\"alert\">" + html(trouble) + "</p>";
  page += "<form method=\"post\" action=\"" + html(self.config().issuer) +
          "/oauth/authorize\"><input type=\"hidden\" name=\"form\" value=\"" + html(form) +
          "\"><p><label>Username <input name=\"username\" autocomplete=\"username\" required "
          "autofocus></label></p><p><label>Password <input name=\"password\" type=\"password\" "
          "autocomplete=\"current-password\" required></label></p><p><button>Log in</button></p>"
          "</form></main></body></html>";
  Reply reply = Reply::text(std::move(page), "text/html; charset=utf-8");
  if (is_new) {
    const bool secure = self.config().issuer.starts_with("https:");
    reply.headers["Set-Cookie"] = std::string(kCookie) + "=" + cookie +
                                  "; Path=/; HttpOnly; SameSite=Strict" +
                                  (secure ? "; Secure" : "");
  }
  // A form's answer may send the browser on to the client, so its origin is allowed.
  return std::move(reply)
      .with("Content-Security-Policy", "default-src 'none'; form-action 'self' " +
                                           origin_of(wish.redirect) +
                                           "; frame-ancestors 'none'; base-uri 'none'")
      .with("X-Frame-Options", "DENY")
      .with("Referrer-Policy", "no-referrer")
      .with("Cache-Control", "no-store");
}

base::Error wrong_client() {
  return {base::Code::invalid_argument,
          "the client is unknown, or the redirect URI is not one of its own", "redirect_invalid"};
}

Result<Reply> show_login(Security& self, Call& call) {
  const auto query = [&](const char* name) { return call.query(name).value_or(""); };
  const Wish wish{query("client_id"), query("redirect_uri"), query("scope"),
                  query("state"),     query("nonce"),        query("code_challenge")};
  const auto client = TRY(find<ClientRecord>(call.read(), wish.client));
  // Nobody is sent to a place that is not the client's, not even with an error.
  if (!client || !may_redirect(*client, wish.redirect)) return wrong_client();
  const auto refuse = [&](const char* error, const char* description) {
    return back_with(wish.redirect, {{"error", error},
                                     {"error_description", description},
                                     {"state", wish.state},
                                     {"iss", self.config().issuer}});
  };
  for (const char* name : {"client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge",
                           "response_type"}) {
    if (call.request().all_query(name).size() > 1 || query(name).size() > 1024) {
      return refuse("invalid_request", "a parameter is there twice or too long");
    }
  }
  if (query("response_type") != "code") {
    return refuse("unsupported_response_type", "only code is offered");
  }
  if (!may_grant(*client, "authorization_code")) {
    return refuse("unauthorized_client", "the client may not use authorization_code");
  }
  if (query("code_challenge_method") != "S256" || !is_challenge(wish.challenge)) {
    return refuse("invalid_request", "PKCE with S256 is needed");
  }
  return login_page(self, call, wish, *client, "");
}

struct Login {
  Wish wish;
  std::optional<AccountRecord> account;
  std::string trouble;
};

std::string member(const base::Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
}

Result<Wish> open_form(Security& self, Call& call) {
  const base::Error wrong{base::Code::invalid_argument,
                          "the form was not made for this browser, or too long ago",
                          "form_invalid"};
  const auto opened = self.unseal(kFormContext, form_value(call, "form"));
  if (!opened) return wrong;
  const base::Json json = TRY(base::parse_json(opened->reveal()));
  const auto expires = json.find("expires");
  const std::string cookie = cookie_of(call);
  const bool fits = expires != json.end() && expires->is_number_integer() &&
                    expires->get<std::int64_t>() > seconds_of(call.now()) && !cookie.empty() &&
                    base::equal_constant_time(token_hash(cookie), member(json, "cookie"));
  if (!fits) return wrong;
  return Wish{member(json, "client"), member(json, "redirect"), member(json, "scope"),
              member(json, "state"),  member(json, "nonce"),    member(json, "challenge")};
}

Result<void> prepare_login(Security& self, Call& call) {
  Login login{.wish = TRY(open_form(self, call)), .account = {}, .trouble = {}};
  const std::string username = form_value(call, "username");
  const base::Secret password(form_value(call, "password"));
  AppRecord app;
  const base::Result<void> done =
      self.host().store().read([&](store::Reader& reader) -> Result<void> {
        const auto client = TRY(find<ClientRecord>(reader, login.wish.client));
        if (!client) return wrong_client();
        app = TRY(service_app(reader, client->org));
        return {};
      });
  TRY(done);
  login.trouble = "The name or the password is wrong.";
  if (!username.empty() && !password.empty() && username.find('*') == username.npos) {
    auto found = self.check_login(app, username, password);
    if (found) {
      login.account = *std::move(found);
    } else if (found.error().code == base::Code::throttled) {
      login.trouble = found.error().detail;
    } else {
      return std::move(found).error();
    }
  }
  call.keep(std::move(login));
  return {};
}

Result<Reply> log_in_and_return(Security& self, Call& call) {
  const Login& login = *call.kept<Login>();
  const auto client = TRY(find<ClientRecord>(call.write(), login.wish.client));
  if (!client || !may_redirect(*client, login.wish.redirect)) return wrong_client();
  const auto account = login.account ? TRY(find<AccountRecord>(call.write(), login.account->id))
                                     : std::optional<AccountRecord>();
  call.audit("username", form_value(call, "username"));
  call.audit("successful", account && !account->disabled);
  if (!account || account->disabled) {
    return login_page(self, call, login.wish, *client, login.trouble);
  }
  const base::Secret code = make_token(TokenKind::code, self.host().rng());
  TokenRecord record{.hash = token_hash(code.reveal()), .id = call.new_id()};
  record.account = account->id;
  record.org = client->org;
  record.kind = "code";
  record.issued = seconds_of(call.now());
  record.expires = record.issued + kCodeSeconds;
  record.client = client->id;
  record.family = call.new_id();
  record.scopes = split_scope(login.wish.scope);
  record.redirect_uri = login.wish.redirect;
  record.challenge = login.wish.challenge;
  record.nonce = login.wish.nonce;
  TRY(put(call.write(), record));
  return back_with(login.wish.redirect, {{"code", std::string(code.reveal())},
                                         {"state", login.wish.state},
                                         {"iss", self.config().issuer}});
}

using rest::Method;
constexpr services::Action<Security> kActions[] = {
    {Method::get, "/oauth/authorize", "oidc.authorize", services::anonymous(), Kind::query,
     show_login, "The login page of the authorisation code flow"},
    {Method::post,
     "/oauth/authorize",
     "oidc.login",
     services::anonymous(),
     Kind::mutation,
     log_in_and_return,
     "Logs in and goes back to the client with a code",
     {.flags = services::kForm | services::kUngated, .prepare = prepare_login}},
};

}  // namespace

void add_authorize_actions(services::ActionTable& table, Security& self) {
  table.add(kActions, self);
}

}  // namespace security
