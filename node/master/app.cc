// SPDX-License-Identifier: Apache-2.0
#include "node/master/app.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace node::master {
namespace {

using base::Json;

constexpr std::size_t kIdMax = 140;

// A DNS label, or several joined by dots, as Marathon's path pattern has it.
bool is_segment(std::string_view segment) {
  if (segment.empty() || segment.size() > 128) return false;
  for (const std::string_view label : base::split(segment, '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    for (const char c : label) {
      const bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      if (!fine) return false;
    }
  }
  return true;
}

// Fields whose change instances take without a restart. All others are part of what was started.
constexpr std::string_view kLive[] = {"labels",
                                      "constraints",
                                      "upgradeStrategy",
                                      "backoffSeconds",
                                      "backoffFactor",
                                      "maxLaunchDelaySeconds",
                                      "killSelection",
                                      "unreachableStrategy",
                                      "healthChecks",
                                      "readinessChecks",
                                      "cpus",
                                      "mem",
                                      "dependencies",
                                      "gestalt",
                                      "taskKillGracePeriodSeconds",
                                      "acceptedResourceRoles",
                                      "residency",
                                      "instances",
                                      "role"};

// Service ports and labels of ports are the load balancer's business, not the instance's.
Json without_balancer_fields(Json document) {
  for (const std::string_view name : kLive) document.erase(std::string(name));
  const bool pinned = document.value("requirePorts", false);
  if (document.contains("portDefinitions")) {
    for (Json& port : document["portDefinitions"]) {
      port.erase("labels");
      if (!pinned) port.erase("port");
    }
  }
  if (document.contains("container") && document["container"].contains("portMappings")) {
    for (Json& port : document["container"]["portMappings"]) {
      port.erase("labels");
      port.erase("servicePort");
    }
  }
  return document;
}

}  // namespace

std::int64_t healthy_min(const App& app, std::int64_t instances) {
  // The small term keeps 10 · 0.7 = 7.000000000000001 from becoming 8.
  return static_cast<std::int64_t>(
      std::ceil(static_cast<double>(instances) * app.health_capacity_min - 1e-9));
}

std::int64_t total_max(const App& app, std::int64_t instances) {
  return static_cast<std::int64_t>(
      std::floor(static_cast<double>(instances) * (1 + app.over_capacity_max) + 1e-9));
}

std::optional<std::string> resolve_id(std::string_view id, std::string_view base) {
  std::vector<std::string> segments;
  const auto append = [&segments](std::string_view path) {
    for (const std::string_view segment : base::split(path, '/')) {
      if (segment.empty() || segment == ".") continue;
      if (segment == "..") {
        if (segments.empty()) return false;
        segments.pop_back();
      } else if (is_segment(segment)) {
        segments.emplace_back(segment);
      } else {
        return false;
      }
    }
    return true;
  };
  if (!id.starts_with('/') && !append(base)) return std::nullopt;
  if (!append(id)) return std::nullopt;
  const std::string absolute = "/" + base::join(segments, "/");
  if (absolute.size() > kIdMax) return std::nullopt;
  return absolute;
}

bool is_within(std::string_view id, std::string_view group) {
  if (group == "/" || id == group) return true;
  return id.size() > group.size() && id.starts_with(group) && id[group.size()] == '/';
}

std::string parent_of(std::string_view id) {
  const std::size_t slash = id.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return "/";
  return std::string(id.substr(0, slash));
}

base::Json merge_update(const base::Json& current, const base::Json& update) {
  Json merged = current;
  if (!update.is_object()) return update;
  for (const auto& [name, value] : update.items()) {
    if (value.is_null()) {
      merged.erase(name);
    } else {
      merged[name] = value;
    }
  }
  // A new way to say the same thing replaces the old one.
  if (update.contains("cmd") && !update.contains("args")) merged.erase("args");
  if (update.contains("args") && !update.contains("cmd")) merged.erase("cmd");
  if (update.contains("ports") && !update.contains("portDefinitions"))
    merged.erase("portDefinitions");
  const bool has_network = update.contains("container") && update["container"].is_object() &&
                           update["container"].contains("docker") &&
                           update["container"]["docker"].is_object() &&
                           update["container"]["docker"].contains("network");
  if (has_network && !update.contains("networks")) {
    merged.erase("networks");
    if (!update.contains("portDefinitions")) merged.erase("portDefinitions");
  }
  return merged;
}

App with_service_ports(App app, const std::vector<int>& service_ports) {
  Json document = *app.document;
  const bool bridge =
      document.contains("container") && document["container"].contains("portMappings");
  Json& shown = bridge ? document["container"]["portMappings"] : document["portDefinitions"];
  for (std::size_t i = 0; i < service_ports.size() && i < app.ports.size(); ++i) {
    app.ports[i].service_port = service_ports[i];
    shown[i][bridge ? "servicePort" : "port"] = service_ports[i];
  }
  app.document = std::make_shared<const Json>(std::move(document));
  return app;
}

App with_instances(App app, std::int64_t instances) {
  Json document = *app.document;
  document["instances"] = instances;
  app.instances = instances;
  app.document = std::make_shared<const Json>(std::move(document));
  return app;
}

Difference compare(const App& before, const App& after) {
  if (*before.document == *after.document) return Difference::none;
  Json a = *before.document;
  Json b = *after.document;
  a.erase("instances");
  b.erase("instances");
  if (a == b) return Difference::scale;
  return without_balancer_fields(std::move(a)) == without_balancer_fields(std::move(b))
             ? Difference::live
             : Difference::restart;
}

base::Json to_record(const App& app) {
  return {{"document", *app.document},
          {"version", app.version},
          {"restart_version", app.restart_version},
          {"last_scaling_at", app.last_scaling_at},
          {"last_config_change_at", app.last_config_change_at}};
}

base::Result<App> from_record(const base::Json& record) {
  base::Fields fields(record);
  std::string version, restart, scaling, change;
  const Json* document = fields.find_object("document");
  fields.required("version", version);
  fields.required("restart_version", restart);
  fields.required("last_scaling_at", scaling);
  fields.required("last_config_change_at", change);
  TRY(fields.finish(base::UnknownFields::ignore));
  Problems problems;
  std::optional<App> app;
  if (document != nullptr) {
    // Versions of before kept this field and did nothing with it. Its application goes on.
    Json known = *document;
    known.erase("secrets");
    app = make_app(known, "/", "/document", problems);
  }
  if (!app)
    return base::Error{base::Code::corrupt, "application record: " + problems.text(),
                       "record_corrupt"};
  app->version = version;
  app->restart_version = restart;
  app->last_scaling_at = scaling;
  app->last_config_change_at = change;
  return std::move(*app);
}

}  // namespace node::master
