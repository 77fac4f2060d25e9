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

// Reasons of a degraded daemon: {"problems": ["…"]}, {"connected": {"masterd": false}}, "detail".
std::string detail_of(const Json& health) {
  std::string detail;
  const Json& connected = value_at(health, "connected");
  if (connected.is_object()) {
    for (const auto& [name, there] : connected.items()) {
      if (there.is_boolean() && !there.get<bool>()) {
        detail += (detail.empty() ? "not connected to " : ", ") + name;
      }
    }
  }
  const Json& problems = value_at(health, "problems");
  if (problems.is_array()) {
    for (const Json& problem : problems) {
      if (!detail.empty()) detail += "; ";
      detail += problem.is_string() ? problem.get<std::string>() : base::dump_json(problem);
    }
  }
  return detail.empty() ? text_at(health, "detail") : detail;
}

DaemonHealth ask(const Session& session, Daemon daemon) {
  DaemonHealth health{std::string(daemon_name(daemon)), "ok", ""};
  auto api = Api::make(session, daemon);
  const auto reply = api ? api->get("/health") : base::Result<Json>(api.error());
  if (reply) {
    health.state = text_at(*reply, "status", "ok");
    health.detail = detail_of(*reply);
    return health;
  }
  const base::Error& error = reply.error();
  const bool down = error.code == base::Code::unavailable && error.reason == "connect_failed";
  health.state = down ? "down" : std::string(code_name(error.code));
  const std::string fix = advice(session, daemon, error);
  health.detail = fix.empty() ? error.detail : fix;
  return health;
}

Json to_json(const std::vector<DaemonHealth>& daemons, const Json& apps) {
  Json list = Json::array();
  for (const DaemonHealth& daemon : daemons) {
    list.push_back({{"name", daemon.name}, {"status", daemon.state}, {"detail", daemon.detail}});
  }
  return {{"daemons", list}, {"applications", apps.is_null() ? Json() : count_apps(apps)}};
}

}  // namespace

Json count_apps(const Json& apps) {
  Json counts = {{"apps", 0},    {"instances", 0}, {"running", 0},
                 {"healthy", 0}, {"unhealthy", 0}, {"deploying", 0}};
  const Json& list = value_at(apps, "apps");
  if (!list.is_array()) return counts;
  const auto add = [&counts](const char* name, double amount) {
    counts[name] = counts[name].get<std::int64_t>() + static_cast<std::int64_t>(amount);
  };
  for (const Json& app : list) {
    add("apps", 1);
    add("instances", number_at(app, "instances"));
    add("running", number_at(app, "tasksRunning"));
    add("healthy", number_at(app, "tasksHealthy"));
    add("unhealthy", number_at(app, "tasksUnhealthy"));
    const Json& deployments = value_at(app, "deployments");
    add("deploying", deployments.is_array() && !deployments.empty() ? 1 : 0);
  }
  return counts;
}

std::string render_status(const std::vector<DaemonHealth>& daemons, const Json& apps,
                          const Style& style) {
  Table table({{"DAEMON"}, {"STATE"}, {"DETAIL"}});
  for (const DaemonHealth& daemon : daemons) {
    table.add({{daemon.name}, {daemon.state, tone_of(daemon.state)}, {daemon.detail}});
  }
  std::string out = table.render(style) + "\n";
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
    daemons.push_back(ask(session, Daemon::agent));
    daemons.push_back(ask(session, Daemon::netfw));
    daemons.push_back(ask(session, Daemon::dfs));
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
