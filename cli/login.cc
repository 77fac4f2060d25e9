// SPDX-License-Identifier: Apache-2.0
#include "cli/login.h"

#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/api.h"
#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/files.h"

namespace cli {

namespace {

using base::Result;

constexpr std::size_t kLoginFileMax = 64 << 10;

std::string text_of(const base::Json& json, const char* name) {
  const auto at = json.is_object() ? json.find(name) : json.end();
  return json.is_object() && at != json.end() && at->is_string() ? at->get<std::string>()
                                                                 : std::string();
}

// Turns the echo of a terminal off while a password is typed.
class QuietTerminal {
 public:
  QuietTerminal() {
    if (::isatty(STDIN_FILENO) == 0 || ::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~QuietTerminal() {
    // Nothing better is to be done than to try.
    if (changed_) (void)::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

Result<base::Secret> read_password(const Session& session, const LoginOptions& options) {
  if (!options.password_file.empty() && options.password_file != "-") {
    const base::Secret text(TRY(base::read_file(options.password_file, kLoginFileMax)));
    return base::Secret(std::string(base::trim(text.reveal())));
  }
  std::string line;
  {
    const QuietTerminal quiet;
    if (options.password_file.empty()) session.err << "Password: " << std::flush;
    std::getline(std::cin, line);
  }
  if (options.password_file.empty()) session.err << "\n";
  return base::Secret(std::move(line));
}

// One POST of a form, or of what stands for it, with the words of OAuth in an error.
Result<base::Json> post(const rest::Endpoint& endpoint, const std::string& path,
                        const std::string& authorization, const base::Json& body) {
  sys::HttpCall call = rest::make_call(endpoint, rest::Method::post, path, &body);
  call.bearer = {};
  if (!authorization.empty()) call.headers["Authorization"] = authorization;
  sys::HttpClient http;
  const sys::HttpReply reply = TRY(http.send(call));
  const auto json = base::parse_json(reply.body);
  const std::string told = json ? text_of(*json, "error_description") : std::string();
  if (reply.status >= 400 && !told.empty()) {
    return base::Error{base::Code::unauthenticated, told, "login_refused"};
  }
  return read_reply(reply);
}

Result<base::Json> ask_for_token(const Session& session, const LoginOptions& options,
                                 const rest::Endpoint& endpoint) {
  const std::string path = "/security/" + base::percent_encode(options.org) + "/oauth/issue";
  if (!options.key_file.empty()) {
    const base::Secret text(TRY(base::read_file(options.key_file, kLoginFileMax)));
    const base::Json key = TRY(base::parse_json(text.reveal()));
    const std::string pair = text_of(key, "apiKey") + ":" + text_of(key, "apiSecret");
    return post(endpoint, path, "Basic " + base::to_base64url(pair),
                {{"grant_type", "client_credentials"}});
  }
  if (options.username.empty()) {
    return base::Error{base::Code::invalid_argument, "give --username or --key-file",
                       "option_invalid"};
  }
  const base::Secret password = TRY(read_password(session, options));
  return post(endpoint, path, "",
              {{"grant_type", "password"},
               {"username", options.username},
               {"password", password.reveal()}});
}

Result<void> store(const StoredLogin& login) {
  const std::filesystem::path file = login_file();
  if (file.empty()) {
    return base::Error{base::Code::invalid_argument, "there is no home folder to keep a login in",
                       "login_file_invalid"};
  }
  TRY(sys::make_folder(file.parent_path(), 0700));
  const base::Json json = {{"url", login.url},
                           {"org", login.org},
                           {"username", login.username},
                           {"href", login.href},
                           {"token", login.token.reveal()},
                           {"refresh", login.refresh.reveal()}};
  return sys::write_file_durably(file, base::dump_json_pretty(json) + "\n", 0600);
}

Result<std::string> log_in(const Session& session, const LoginOptions& options) {
  const rest::Endpoint endpoint = TRY(session.endpoint(Daemon::services));
  const base::Json told = TRY(ask_for_token(session, options, endpoint));
  StoredLogin login{.url = session.address(Daemon::services),
                    .org = options.org,
                    .username = options.username,
                    .href = text_of(told, "gestalt_access_token_href"),
                    .token = base::Secret(text_of(told, "access_token")),
                    .refresh = base::Secret(text_of(told, "refresh_token"))};
  if (login.token.empty()) {
    return base::Error{base::Code::internal, "the reply holds no token", "login_refused"};
  }
  rest::Endpoint authenticated = endpoint;
  authenticated.token = login.token;
  rest::Client client(authenticated);
  login.username = text_of(TRY(client.get("/security/accounts/self")), "username");
  TRY(store(login));
  return login.username;
}

Result<base::Json> who_am_i(const Session& session) {
  rest::Client client(TRY(session.endpoint(Daemon::services)));
  base::Json out = {{"account", TRY(client.get("/security/accounts/self"))}};
  out["org"] = TRY(client.get("/security/orgs/current"));
  return out;
}

}  // namespace

std::filesystem::path login_file() {
  if (const char* file = std::getenv("GESTALT_LOGIN_FILE"); file != nullptr) return file;
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return {};
  return std::filesystem::path(home) / ".config" / "gestalt" / "login.json";
}

Result<std::optional<StoredLogin>> read_login() {
  const std::filesystem::path file = login_file();
  std::error_code ignored;  // a file that cannot be seen is no login
  if (file.empty() || !std::filesystem::exists(file, ignored)) return std::optional<StoredLogin>();
  const base::Secret text(TRY(base::read_file(file, kLoginFileMax)));
  const auto json = base::parse_json(text.reveal());
  StoredLogin login;
  if (json) {
    login = {text_of(*json, "url"),
             text_of(*json, "org"),
             text_of(*json, "username"),
             text_of(*json, "href"),
             base::Secret(text_of(*json, "token")),
             base::Secret(text_of(*json, "refresh"))};
  }
  if (login.url.empty() || login.token.empty()) {
    return base::Error{base::Code::invalid_argument,
                       file.string() + " holds no login; log in again", "login_file_invalid"};
  }
  return std::optional<StoredLogin>(std::move(login));
}

Status login(const Session& session, const LoginOptions& options) {
  const auto name = log_in(session, options);
  if (!name) return report(session, Daemon::services, name.error());
  if (session.json) {
    session.print_json({{"username", *name}, {"org", options.org}});
  } else {
    session.out << "logged in as " << printable(*name) << " in " << printable(options.org) << "\n";
  }
  return Status::ok;
}

Status logout(const Session& session) {
  const auto stored = read_login();
  if (!stored) return report(session, Daemon::services, stored.error());
  if (!*stored) {
    session.out << "not logged in\n";
    return Status::ok;
  }
  Session at = session;
  at.url = (*stored)->url;
  auto endpoint = at.endpoint(Daemon::services);
  if (!endpoint) return report(session, Daemon::services, endpoint.error());
  rest::Client client(*endpoint);
  const auto ended = client.del("/security" + (*stored)->href);
  std::error_code ignored;  // it is gone, or was never there
  std::filesystem::remove(login_file(), ignored);
  // A token that is no longer good has ended already.
  if (!ended && ended.error().code != base::Code::unauthenticated) {
    return report(session, Daemon::services, ended.error());
  }
  session.out << "logged out\n";
  return Status::ok;
}

Status whoami(const Session& session) {
  const auto found = who_am_i(session);
  if (!found) return report(session, Daemon::services, found.error());
  if (session.json) {
    session.print_json(*found);
    return Status::ok;
  }
  session.out << printable(text_of((*found)["account"], "username")) << " in "
              << printable(text_of((*found)["org"], "fqon")) << "\n";
  return Status::ok;
}

}  // namespace cli
