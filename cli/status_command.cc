// SPDX-License-Identifier: Apache-2.0
#include "cli/status_command.h"

#include <nlohmann/json.hpp>

#include "cli/api.h"
#include "cli/views.h"

namespace cli {

using base::Json;

namespace {

Tone tone_of(const std::string& state) {
  if (state == "ok") return Tone::good;
  return state == "degraded" ? Tone::warning : Tone::bad;
}

void add(std::string& list, const std::string& text) {
  if (text.empty()) return;
  list += (list.empty() ? "" : "; ") + text;
}

// What a daemon says of itself beside "status", as one line. Each has some of: "connected"
// {"masterd": false}, "problems" or "reasons" ["…"], "detail", "coordination" "writes fail",
// "unreadable_apps" [{"app", "problem"}], "services" {"event": {"status": "degraded", …}}.
std::string detail_of(const Json& health) {
  std::string detail;
  std::string away;
  for (const auto& [name, there] : value_at(health, "connected").items()) {
    if (there.is_boolean() && !there.get<bool>()) away += (away.empty() ? "" : ", ") + name;
  }
  if (!away.empty()) add(detail, "not connected to " + away);
  for (const char* field : {"problems", "reasons"}) {
    for (const auto& [at, problem] : value_at(health, field).items()) {
      add(detail, problem.is_string() ? problem.get<std::string>() : base::dump_json(problem));
    }
  }
  if (const std::string writes = text_at(health, "coordination", "ok"); writes != "ok") {
    add(detail, "coordination: " + writes);
  }
  for (const auto& [field, what] :
       {std::pair("unreadable_apps", "app"), {"unreadable_nodes", "node"}}) {
    for (const auto& [at, entry] : value_at(health, field).items()) {
      add(detail, text_at(entry, what) + ": " + text_at(entry, "problem"));
    }
  }
  for (const auto& [name, part] : value_at(health, "services").items()) {
    const std::string state = text_at(part, "status", "ok");
    if (state == "ok") continue;
    const std::string why = detail_of(part);
    add(detail, name + ": " + (why.empty() ? state : why));
  }
  return detail.empty() ? text_at(health, "detail") : detail;
}

// Asked on this node's own socket, also when a login for other services is stored.
DaemonHealth ask(const Session& session, Daemon daemon) {
  DaemonHealth health;
  health.name = daemon_name(daemon);
  auto api = Api::make_own(session, daemon);
  const auto reply = api ? api->get("/health") : base::Result<Json>(api.error());
  if (reply) {
    health.state = text_at(*reply, "status", "ok");
    health.detail = detail_of(*reply);
    if (health.state != "ok" && session.url.empty()) {
      health.fix = "journalctl -u gestalt-" + health.name + " says more";
    }
    return health;
  }
  const base::Error& error = reply.error();
  const bool down = error.code == base::Code::unavailable && error.reason == "connect_failed";
  health.state = down ? "down" : std::string(code_name(error.code));
  health.detail = down ? "does not answer on " + session.address(daemon) : error.detail;
  health.fix = advice(session, daemon, error);
  if (down && session.url.empty()) {
    health.fix = "systemctl restart gestalt-" + health.name +
                 "; why it ended: journalctl -u gestalt-" + health.name;
  }
  return health;
}

Json to_json(const std::vector<DaemonHealth>& daemons, const Json& apps) {
  Json list = Json::array();
  for (const DaemonHealth& daemon : daemons) {
    list.push_back({{"name", daemon.name},
                    {"status", daemon.state},
                    {"detail", daemon.detail},
                    {"fix", daemon.fix}});
  }
  return {{"daemons", list}, {"applications", apps.is_null() ? Json() : count_apps(apps)}};
}

}  // namespace

Json count_apps(const Json& apps) {
  Json counts = {{"apps", 0},    {"instances", 0}, {"running", 0},
                 {"healthy", 0}, {"unhealthy", 0}, {"deploying", 0}};
  const Json& list = value_at(apps, "apps");
  if (!list.is_array()) return counts;
  const auto count = [&counts](const char* name, double amount) {
    counts[name] = counts[name].get<std::int64_t>() + static_cast<std::int64_t>(amount);
  };
  for (const Json& app : list) {
    count("apps", 1);
    count("instances", number_at(app, "instances"));
    count("running", number_at(app, "tasksRunning"));
    count("healthy", number_at(app, "tasksHealthy"));
    count("unhealthy", number_at(app, "tasksUnhealthy"));
    const Json& deployments = value_at(app, "deployments");
    count("deploying", deployments.is_array() && !deployments.empty() ? 1 : 0);
  }
  return counts;
}

std::string render_status(const std::vector<DaemonHealth>& daemons, const Json& apps,
                          const Style& style) {
  Table table({{"DAEMON"}, {"STATE"}, {"DETAIL"}});
  for (const DaemonHealth& daemon : daemons) {
    table.add({{daemon.name}, {daemon.state, tone_of(daemon.state)}, {daemon.detail}});
  }
  std::string out = table.render(style);
  for (const DaemonHealth& daemon : daemons) {
    if (!daemon.fix.empty()) out += "fix " + daemon.name + ": " + daemon.fix + "\n";
  }
  out += "\n";
  if (apps.is_null()) return out + "applications: unknown, masterd does not tell\n";
  const Json counts = count_apps(apps);
  const auto number = [&counts](const char* name) { return counts[name].get<std::int64_t>(); };
  out += "applications: " + std::to_string(number("apps")) +
         ", instances: " + std::to_string(number("running")) + " of " +
         std::to_string(number("instances")) + " running";
  if (number("unhealthy") > 0) out += ", " + std::to_string(number("unhealthy")) + " unhealthy";
  if (number("deploying") > 0) out += ", " + std::to_string(number("deploying")) + " deploying";
  return out + "\n";
}

Status show_status(const Session& session) {
  std::vector<DaemonHealth> daemons = {ask(session, Daemon::master)};
  if (session.url.empty()) {
    for (const Daemon daemon :
         {Daemon::agent, Daemon::netfw, Daemon::dfs, Daemon::storage, Daemon::services}) {
      daemons.push_back(ask(session, daemon));
    }
  }
  Json apps;
  if (auto api = Api::make(session, Daemon::master)) {
    auto reply = api->get("/v2/apps?embed=apps.counts&embed=apps.deployments");
    if (reply) apps = *std::move(reply);
  }
  if (session.json) {
    session.print_json(to_json(daemons, apps));
  } else {
    session.out << render_status(daemons, apps, session.style);
  }
  for (const DaemonHealth& daemon : daemons) {
    if (daemon.state != "ok") return Status::failed;
  }
  if (apps.is_null()) return Status::failed;
  const Json counts = count_apps(apps);
  return counts["running"] < counts["instances"] ? Status::failed : Status::ok;
}

}  // namespace cli
