// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "cli/login.h"
#include "common/base/config.h"
#include "common/base/text.h"

namespace cli {

namespace {

constexpr std::size_t kTokenFileMax = 4096;

std::string unit_of(Daemon daemon) { return "gestalt-" + std::string(daemon_name(daemon)); }

}  // namespace

std::string_view daemon_name(Daemon daemon) {
  switch (daemon) {
    case Daemon::master: return "masterd";
    case Daemon::agent: return "agentd";
    case Daemon::netfw: return "netfwd";
    case Daemon::dfs: return "dfs-meta";
    case Daemon::storage: return "dfs-storage";
    case Daemon::services: return "services";
  }
  return "masterd";
}

base::Result<rest::Endpoint> Session::own_endpoint(Daemon daemon) const {
  rest::Endpoint endpoint;
  endpoint.url = address(daemon);
  endpoint.ca_file = ca_file;
  if (!token.empty() && !token_file.empty()) {
    return base::Error{base::Code::invalid_argument, "give --token or --token-file, not both",
                       "option_invalid"};
  }
  if (!token.empty()) endpoint.token = base::Secret(token);
  if (!token_file.empty()) {
    const base::Secret text(TRY(base::read_file(token_file, kTokenFileMax)));
    endpoint.token = base::Secret(std::string(base::trim(text.reveal())));
  }
  return endpoint;
}

base::Result<rest::Endpoint> Session::endpoint(Daemon daemon) const {
  rest::Endpoint endpoint = TRY(own_endpoint(daemon));
  if (daemon == Daemon::services && endpoint.token.empty()) {
    const std::optional<StoredLogin> login = TRY(read_login());
    if (login && url.empty()) endpoint.url = login->url;
    if (login && login->url == endpoint.url) endpoint.token = login->token;
  }
  return endpoint;
}

std::string Session::address(Daemon daemon) const {
  if (!url.empty()) return url;
  return "unix:" + (run_folder / (std::string(daemon_name(daemon)) + ".sock")).string();
}

void Session::print_json(const base::Json& value) const {
  out << base::dump_json_pretty(value) << "\n";
}

void Session::show_progress(const std::string& line) const {
  const std::string text = printable(line);
  if (progress) {
    err << "\r\033[K" << text << std::flush;
  } else {
    err << text << "\n";
  }
}

void Session::end_progress() const {
  if (progress) err << "\r\033[K" << std::flush;
}

Status status_of(const base::Error& error) {
  using base::Code;
  switch (error.code) {
    case Code::not_found: return Status::not_found;
    case Code::unavailable: return Status::unavailable;
    case Code::unauthenticated:
    case Code::permission_denied: return Status::refused;
    case Code::already_exists:
    case Code::failed_precondition:
    case Code::conflict: return Status::conflict;
    case Code::timed_out: return Status::timed_out;
    case Code::invalid_argument:
    case Code::throttled:
    case Code::no_space:
    case Code::unsupported:
    case Code::too_large:
    case Code::corrupt:
    case Code::internal: return Status::failed;
  }
  return Status::failed;
}

std::string advice(const Session& session, Daemon daemon, const base::Error& error) {
  using base::Code;
  const bool local = session.url.empty();
  if (error.code == Code::unavailable && error.reason == "connect_failed") {
    return local ? "systemctl status " + unit_of(daemon)
                 : "check the address, and that " + unit_of(daemon) + " listens there";
  }
  if (error.reason == "app_locked") return "wait for that deployment, or override it with --force";
  if (error.reason == "deployment_timed_out") {
    return "it goes on: see gestalt deployment list, or wait longer with --timeout";
  }
  if (error.code == Code::unauthenticated) {
    return local ? "run as root, or give --token-file"
                 : "give --token-file FILE (on a node: /var/lib/gestalt/credentials/admin.token)";
  }
  if (error.code == Code::permission_denied) {
    return local && error.os_errno != 0 ? "run as root or as a member of group gestalt"
                                        : "use a token that has the scope named above";
  }
  return {};
}

Status report(const Session& session, Daemon daemon, const base::Error& error) {
  session.end_progress();
  std::string line;
  if (error.code == base::Code::unavailable && error.reason == "connect_failed") {
    line = std::string(daemon_name(daemon)) + " does not answer on " + session.address(daemon) +
           " (" + error.detail + ")";
  } else {
    line = error.detail.empty() ? std::string(error.reason) : error.detail;
    if (!error.pointer.empty()) line += " (at " + error.pointer + ")";
    if (line.find(error.reason) == std::string::npos)
      line += " [" + std::string(error.reason) + "]";
  }
  session.err << "gestalt: " << printable(line) << "\n";
  const std::string fix = advice(session, daemon, error);
  if (!fix.empty()) session.err << "    fix: " << fix << "\n";
  return status_of(error);
}

}  // namespace cli
