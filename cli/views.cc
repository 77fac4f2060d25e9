// SPDX-License-Identifier: Apache-2.0
#include "cli/views.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace cli {

using base::Json;

namespace {

const Json kNull;

std::string join_ports(const Json& ports) {
  std::vector<std::string> texts;
  if (ports.is_array()) {
    for (const Json& port : ports) texts.push_back(base::dump_json(port));
  }
  return base::join(texts, ",");
}

Cell health_cell(const Json& app) {
  const double instances = number_at(app, "instances");
  const double running = number_at(app, "tasksRunning");
  const double unhealthy = number_at(app, "tasksUnhealthy");
  const bool checked =
      value_at(app, "healthChecks").is_array() && !value_at(app, "healthChecks").empty();
  if (instances == 0) return {"suspended", Tone::dim};
  if (unhealthy > 0) return {format_number(unhealthy) + " unhealthy", Tone::bad};
  if (running < instances) return {"short of " + format_number(instances - running), Tone::warning};
  if (!checked) return {"running", Tone::plain};
  const double healthy = number_at(app, "tasksHealthy");
  if (healthy < instances) return {format_number(healthy) + " healthy", Tone::warning};
  return {"healthy", Tone::good};
}

std::string virtual_hosts(const Json& app) { return text_at(app, "labels/HAPROXY_0_VHOST"); }

std::string image_or_command(const Json& app) {
  const std::string image = text_at(app, "container/docker/image");
  if (!image.empty()) return image;
  return text_at(app, "cmd");
}

std::string deployment_note(const Json& app) {
  const Json& deployments = value_at(app, "deployments");
  if (!deployments.is_array() || deployments.empty()) return {};
  return "deploying";
}

Tone state_tone(const std::string& state) {
  if (state == "TASK_RUNNING") return Tone::good;
  if (state == "TASK_STAGING" || state == "TASK_STARTING" || state == "TASK_KILLING") {
    return Tone::warning;
  }
  return Tone::bad;
}

std::string short_state(const std::string& state) {
  return base::lower(state.starts_with("TASK_") ? std::string_view(state).substr(5)
                                                : std::string_view(state));
}

// "ok", "failing" or nothing when there are no results.
Cell task_health(const Json& task) {
  const Json& results = value_at(task, "healthCheckResults");
  if (!results.is_array() || results.empty()) return {"", Tone::dim};
  for (const Json& result : results) {
    if (!flag_at(result, "alive")) return {"failing", Tone::bad};
  }
  return {"ok", Tone::good};
}

void append_pair(std::string& out, const std::string& name, const std::string& value) {
  constexpr std::size_t kNameWidth = 14;
  if (value.empty()) return;
  std::string padded = name;
  if (padded.size() < kNameWidth) padded.append(kNameWidth - padded.size(), ' ');
  out += padded + printable(value) + "\n";
}

// "memory_limit_not_effective" as a sentence; one line for all instances of which it is true.
std::string degraded_lines(const Json& tasks) {
  std::map<std::string, std::int64_t> counts;
  for (const auto& [at, task] : tasks.items()) {
    for (const auto& [number, token] : value_at(task, "degraded").items()) {
      if (token.is_string()) ++counts[token.get<std::string>()];
    }
  }
  std::string out;
  for (const auto& [token, count] : counts) {
    std::string words = printable(token);
    std::replace(words.begin(), words.end(), '_', ' ');
    out += "degraded: " + words + " (" + std::to_string(count) +
           (count == 1 ? " instance)\n" : " instances)\n");
  }
  return out;
}

}  // namespace

const Json& value_at(const Json& value, std::string_view path) {
  const Json* at = &value;
  for (const std::string_view step : base::split(path, '/')) {
    if (at->is_object()) {
      const auto found = at->find(std::string(step));
      if (found == at->end()) return kNull;
      at = &*found;
    } else if (at->is_array()) {
      const auto index = base::parse_int(step, 0, INT32_MAX);
      if (!index || static_cast<std::size_t>(*index) >= at->size()) return kNull;
      at = &(*at)[static_cast<std::size_t>(*index)];
    } else {
      return kNull;
    }
  }
  return *at;
}

std::string text_at(const Json& value, std::string_view path, std::string fallback) {
  const Json& found = value_at(value, path);
  return found.is_string() ? found.get<std::string>() : std::move(fallback);
}

double number_at(const Json& value, std::string_view path, double fallback) {
  const Json& found = value_at(value, path);
  return found.is_number() ? found.get<double>() : fallback;
}

bool flag_at(const Json& value, std::string_view path, bool fallback) {
  const Json& found = value_at(value, path);
  return found.is_boolean() ? found.get<bool>() : fallback;
}

double age_seconds(std::string_view time, base::WallTime now) {
  std::tm fields{};
  const std::string text(time);
  int milliseconds = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3d", &fields.tm_year, &fields.tm_mon,
                  &fields.tm_mday, &fields.tm_hour, &fields.tm_min, &fields.tm_sec,
                  &milliseconds) < 6) {
    return -1;
  }
  fields.tm_year -= 1900;
  fields.tm_mon -= 1;
  const std::time_t seconds = ::timegm(&fields);
  const auto since = std::chrono::duration<double>(now.time_since_epoch()).count();
  return std::max(0.0, since - static_cast<double>(seconds) - milliseconds / 1000.0);
}

std::string render_apps(const Json& reply, const Style& style) {
  const Json& apps = value_at(reply, "apps");
  Table table({{"ID"},
               {"RUNNING", Align::right},
               {"STATE"},
               {"CPUS", Align::right},
               {"MEM", Align::right},
               {"VHOST"},
               {"IMAGE"}});
  if (apps.is_array()) {
    for (const Json& app : apps) {
      Cell state = health_cell(app);
      if (!deployment_note(app).empty()) state = {deployment_note(app), Tone::warning};
      table.add({{text_at(app, "id")},
                 {format_number(number_at(app, "tasksRunning")) + "/" +
                  format_number(number_at(app, "instances"))},
                 state,
                 {format_number(number_at(app, "cpus"))},
                 {format_number(number_at(app, "mem")) + "M"},
                 {virtual_hosts(app)},
                 {image_or_command(app)}});
    }
  }
  if (table.empty())
    return "no applications; start one: gestalt app run --id /hello --image IMAGE\n";
  return table.render(style);
}

std::string render_tasks(const Json& tasks, base::WallTime now, const Style& style) {
  Table table({{"INSTANCE"}, {"STATE"}, {"HEALTH"}, {"AGE", Align::right}, {"HOST"}, {"PORTS"}});
  if (tasks.is_array()) {
    for (const Json& task : tasks) {
      const std::string state = text_at(task, "state");
      const std::string since = text_at(task, "startedAt", text_at(task, "stagedAt"));
      const double age = age_seconds(since, now);
      table.add({{text_at(task, "id")},
                 {short_state(state), state_tone(state)},
                 task_health(task),
                 {age < 0 ? "" : format_duration(age)},
                 {text_at(task, "host")},
                 {join_ports(value_at(task, "ports"))}});
    }
  }
  return table.empty() ? std::string("no instances\n")
                       : table.render(style) + degraded_lines(tasks);
}

std::string render_app(const Json& app, base::WallTime now, const Style& style) {
  std::string out;
  append_pair(out, "id", text_at(app, "id"));
  append_pair(out, "state", progress_line(app));
  append_pair(out, "image", text_at(app, "container/docker/image"));
  append_pair(out, "command", text_at(app, "cmd"));
  append_pair(out, "resources",
              format_number(number_at(app, "cpus")) + " cpus, " +
                  format_number(number_at(app, "mem")) + " MiB");
  append_pair(out, "vhost", virtual_hosts(app));
  std::vector<std::string> ports;
  const Json& definitions = value_at(app, "portDefinitions");
  if (definitions.is_array()) {
    for (const Json& port : definitions) ports.push_back(format_number(number_at(port, "port")));
  }
  append_pair(out, "ports", base::join(ports, ","));
  append_pair(out, "version", text_at(app, "version"));
  const Json& deployments = value_at(app, "deployments");
  if (deployments.is_array() && !deployments.empty()) {
    append_pair(out, "deployment", text_at(deployments, "0/id"));
  }
  const Json& failure = value_at(app, "lastTaskFailure");
  if (failure.is_object()) {
    append_pair(out, "last failure",
                short_state(text_at(failure, "state")) + ": " + text_at(failure, "message") + " (" +
                    text_at(failure, "timestamp") + ")");
  }
  return out + "\n" + render_tasks(value_at(app, "tasks"), now, style);
}

std::string render_deployments(const Json& reply, const Style& style) {
  Table table({{"ID"}, {"STEP", Align::right}, {"APPS"}, {"ACTION"}, {"VERSION"}});
  if (reply.is_array()) {
    for (const Json& deployment : reply) {
      std::vector<std::string> apps;
      std::vector<std::string> actions;
      const Json& affected = value_at(deployment, "affectedApps");
      if (affected.is_array()) {
        for (const Json& app : affected)
          apps.push_back(app.is_string() ? app.get<std::string>() : "?");
      }
      const Json& current = value_at(deployment, "currentActions");
      if (current.is_array()) {
        for (const Json& action : current) actions.push_back(text_at(action, "action"));
      }
      table.add({{text_at(deployment, "id")},
                 {format_number(number_at(deployment, "currentStep")) + "/" +
                  format_number(number_at(deployment, "totalSteps"))},
                 {base::join(apps, ",")},
                 {base::join(actions, ",")},
                 {text_at(deployment, "version")}});
    }
  }
  return table.empty() ? std::string("no deployments under way\n") : table.render(style);
}

std::string render_deployment(const Json& deployment, const Style& style) {
  std::string out;
  append_pair(out, "id", text_at(deployment, "id"));
  append_pair(out, "version", text_at(deployment, "version"));
  append_pair(out, "step",
              format_number(number_at(deployment, "currentStep")) + " of " +
                  format_number(number_at(deployment, "totalSteps")));
  Table table({{"ACTION"}, {"APP"}});
  const Json& current = value_at(deployment, "currentActions");
  if (current.is_array()) {
    for (const Json& action : current) {
      table.add({{text_at(action, "action")}, {text_at(action, "app")}});
    }
  }
  return table.empty() ? out : out + "\n" + table.render(style);
}

std::string waiting_reason(const Json& queue, const std::string& app) {
  const Json& list = value_at(queue, "queue");
  if (!list.is_array()) return {};
  for (const Json& entry : list) {
    if (text_at(entry, "app/id") != app) continue;
    const double delay = number_at(entry, "delay/timeLeftSeconds");
    if (delay > 0) return "waits " + format_duration(delay) + " after failures";
    std::vector<std::string> reasons;
    const Json& summary = value_at(entry, "processedOffersSummary/rejectSummaryLastOffers");
    if (!summary.is_array()) return {};
    for (const Json& reason : summary) {
      const double declined = number_at(reason, "declined");
      if (declined <= 0) continue;
      reasons.push_back(text_at(reason, "reason") + " (" + format_number(declined) +
                        (declined == 1 ? " node)" : " nodes)"));
    }
    return reasons.empty() ? std::string() : "no node takes it: " + base::join(reasons, ", ");
  }
  return {};
}

std::string progress_line(const Json& app) {
  const double unhealthy = number_at(app, "tasksUnhealthy");
  std::string line = format_number(number_at(app, "tasksRunning")) + " of " +
                     format_number(number_at(app, "instances")) + " running";
  const Json& checks = value_at(app, "healthChecks");
  if (checks.is_array() && !checks.empty()) {
    line += ", " + format_number(number_at(app, "tasksHealthy")) + " healthy";
  }
  if (unhealthy > 0) line += ", " + format_number(unhealthy) + " unhealthy";
  if (number_at(app, "tasksStaged") > 0) {
    line += ", " + format_number(number_at(app, "tasksStaged")) + " starting";
  }
  return line;
}

}  // namespace cli
