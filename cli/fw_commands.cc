// SPDX-License-Identifier: Apache-2.0
#include "cli/fw_commands.h"

#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/api.h"
#include "cli/input.h"
#include "cli/netfw_views.h"
#include "cli/views.h"
#include "common/base/config.h"
#include "common/base/text.h"

namespace cli {

using base::Json;
using base::Result;

namespace {

constexpr std::string_view kSshLine = "SSH_CONNECTION=";
constexpr int kAncestorsMax = 16;

Status ended(const Session& session, const Result<void>& outcome) {
  return outcome ? Status::ok : report(session, Daemon::netfw, outcome.error());
}

void print_policy(const Session& session, const Json& policy, const std::string& in_words) {
  if (session.json) {
    session.print_json(policy);
  } else {
    session.out << in_words;
  }
}

// 0 when there is none.
pid_t parent_of(pid_t pid) {
  const auto stat = base::read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return 0;
  // "PID (NAME) STATE PPID …"; a name may hold anything.
  const std::size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos) return 0;
  const auto words = base::split(std::string_view(*stat).substr(name_end + 1), ' ');
  constexpr std::size_t kParent = 2;  // the first word is empty
  if (words.size() <= kParent) return 0;
  return static_cast<pid_t>(base::parse_int(words[kParent], 0, INT32_MAX).value_or(0));
}

std::string connection_of(pid_t pid) {
  const auto environment = base::read_file("/proc/" + std::to_string(pid) + "/environ");
  if (!environment) return {};
  for (const std::string_view line : base::split(*environment, '\0')) {
    if (line.starts_with(kSshLine)) return std::string(line.substr(kSshLine.size()));
  }
  return {};
}

// Of this process, else of the nearest one above it: sudo hands no such variable on.
std::string find_connection() {
  const char* const own = std::getenv("SSH_CONNECTION");
  if (own != nullptr) return own;
  std::string out;
  pid_t pid = ::getppid();
  for (int i = 0; i < kAncestorsMax && pid > 1 && out.empty(); ++i) {
    out = connection_of(pid);
    pid = parent_of(pid);
  }
  return out;
}

}  // namespace

Status firewall_apply(const Session& session, const std::string& file,
                      std::optional<std::int64_t> confirm_seconds) {
  const auto apply = [&]() -> Result<void> {
    const Json policy = TRY(read_json_input(file));
    Api api = TRY(Api::make(session, Daemon::netfw));
    std::string path = "/v1/policy";
    if (confirm_seconds) path += "?confirm_seconds=" + std::to_string(*confirm_seconds);
    const Json reply = TRY(api.put(path, policy));
    print_policy(session, reply, render_applied(reply));
    return {};
  };
  return ended(session, apply());
}

Status firewall_confirm(const Session& session) {
  const auto confirm = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::netfw));
    const Json policy = TRY(api.get("/v1/policy"));
    if (!flag_at(policy, "on_trial")) {
      return base::Error{.code = base::Code::failed_precondition,
                         .detail = "no policy is on trial",
                         .reason = "policy_no_trial"};
    }
    Json body = {{"trial", text_at(policy, "trial/id")}};
    const std::string client = ssh_client(find_connection());
    // Over TCP the request's own connection is the proof.
    if (!session.url.starts_with("http") && !client.empty()) body["connection"] = client;
    const Json reply = TRY(api.post("/v1/policy/confirm", body));
    print_policy(session, reply, "confirmed: the policy is in force and stored\n");
    return {};
  };
  return ended(session, confirm());
}

Status firewall_rollback(const Session& session) {
  const auto roll_back = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::netfw));
    const Json reply = TRY(api.post("/v1/policy/rollback", Json::object()));
    print_policy(session, reply, "taken back: the policy before is in force again\n");
    return {};
  };
  return ended(session, roll_back());
}

std::string ssh_client(std::string_view connection) {
  constexpr std::size_t kWords = 4;  // client's address and port, server's address and port
  const auto words = base::split(connection, ' ');
  if (words.size() != kWords || words[0].empty()) return {};
  if (!base::parse_int(words[1], 1, 65535)) return {};
  const std::string host(words[0]);
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::string(words[1]);
}

}  // namespace cli
