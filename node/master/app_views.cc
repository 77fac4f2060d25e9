// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "node/master/views.h"

namespace node::master {
namespace {

using api::InstanceState;
using base::Json;

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Counts count(const Scheduler& scheduler, const AppState& app) {
  Counts counts;
  for (const api::InstanceId& id : app.instances) {
    const Instance& instance = *scheduler.find_instance(id);
    if (instance.unreachable) continue;
    if (instance.status.state == InstanceState::staging ||
        instance.status.state == InstanceState::starting) {
      ++counts.staged;
    } else if (instance.status.state == InstanceState::running) {
      ++counts.running;
      if (instance.status.healthy && *instance.status.healthy) ++counts.healthy;
      if (instance.status.healthy && !*instance.status.healthy) ++counts.unhealthy;
    }
  }
  return counts;
}

Json stats_json(const Counts& counts) {
  const Json shown = {{"counts",
                       {{"staged", counts.staged},
                        {"running", counts.running},
                        {"healthy", counts.healthy},
                        {"unhealthy", counts.unhealthy}}}};
  return {{"totalSummary", {{"stats", shown}}}};
}

Json failure_json(const std::string& app, const TaskFailure& failure) {
  return {{"appId", app},
          {"host", failure.host},
          {"message", failure.message},
          {"slaveId", failure.node},
          {"state", failure.state},
          {"taskId", failure.instance},
          {"timestamp", failure.timestamp},
          {"version", failure.version}};
}

Json health_json(const Instance& instance) {
  Json results = Json::array();
  for (const api::HealthResult& result : instance.status.health_results) {
    results.push_back({{"alive", result.alive},
                       {"consecutiveFailures", result.consecutive_failures},
                       {"firstSuccess", text_or_null(result.first_success)},
                       {"lastSuccess", text_or_null(result.last_success)},
                       {"lastFailure", text_or_null(result.last_failure)},
                       {"lastFailureCause", text_or_null(result.last_failure_cause)},
                       {"instanceId", instance_name(instance.id)}});
  }
  return results;
}

}  // namespace

std::vector<InstanceReadiness> look_at_readiness(const Scheduler& scheduler, const AppState& app,
                                                 std::size_t count_max) {
  std::vector<InstanceReadiness> found;
  if (app.running == nullptr || !app.running->has_readiness_checks) return found;
  for (const api::InstanceId& id : app.instances) {
    if (found.size() >= count_max) break;
    const Instance& instance = *scheduler.find_instance(id);
    if (instance.version != app.running->restart_version) continue;
    if (!instance.status.readiness_results.empty())
      found.push_back({id, instance.status.readiness_results});
  }
  return found;
}

base::Json readiness_json(const std::vector<InstanceReadiness>& readiness) {
  Json results = Json::array();
  for (const InstanceReadiness& instance : readiness) {
    for (const api::ReadinessResult& result : instance.results) {
      Json shown = {{"name", result.name}, {"taskId", instance.id.text()}, {"ready", result.ready}};
      if (result.last_response)
        shown["lastResponse"] = {{"status", result.last_response->status},
                                 {"contentType", result.last_response->content_type},
                                 {"body", result.last_response->body}};
      results.push_back(std::move(shown));
    }
  }
  return results;
}

AppEmbed read_app_embed(const std::vector<std::string>& embed, AppEmbed start) {
  for (const std::string& value : embed) {
    const auto pieces = base::split(value, '.');
    const std::string_view last = pieces.back();
    if (last == "tasks") start.tasks = true;
    if (last == "counts") start.counts = true;
    if (last == "deployments") start.deployments = true;
    if (last == "lastTaskFailure" || last == "failures") start.last_failure = true;
    if (last == "failures") start.tasks = true;
    if (last == "taskStats") start.stats = true;
    if (last == "readiness") start.readiness = true;
  }
  return start;
}

base::Json version_json(const App& app) {
  Json shown = *app.document;
  shown["version"] = app.version;
  shown["versionInfo"] = {{"lastScalingAt", app.last_scaling_at},
                          {"lastConfigChangeAt", app.last_config_change_at}};
  return shown;
}

AppView look_at(const Scheduler& scheduler, const AppState& app, const AppEmbed& embed) {
  AppView view{app.current, app.deployment, {}, {}, {}};
  if (embed.counts || embed.stats) view.counts = count(scheduler, app);
  if (embed.last_failure) view.last_failure = app.last_failure;
  if (embed.readiness) view.readiness = look_at_readiness(scheduler, app);
  if (!embed.tasks) return view;
  view.instances.reserve(app.instances.size());
  for (const api::InstanceId& id : app.instances)
    view.instances.push_back(*scheduler.find_instance(id));
  return view;
}

base::Json app_json(const Scheduler& scheduler, const AppState& app, const AppEmbed& embed) {
  return app_json(look_at(scheduler, app, embed), embed);
}

base::Json app_json(const AppView& view, const AppEmbed& embed) {
  Json shown = version_json(*view.app);
  const Counts& counts = view.counts;
  if (embed.counts) {
    shown["tasksStaged"] = counts.staged;
    shown["tasksRunning"] = counts.running;
    shown["tasksHealthy"] = counts.healthy;
    shown["tasksUnhealthy"] = counts.unhealthy;
  }
  if (embed.deployments) {
    shown["deployments"] = Json::array();
    if (!view.deployment.empty()) shown["deployments"].push_back({{"id", view.deployment}});
  }
  if (embed.tasks) {
    shown["tasks"] = Json::array();
    for (const Instance& instance : view.instances)
      shown["tasks"].push_back(task_json(instance, view.app.get()));
  }
  if (view.last_failure) shown["lastTaskFailure"] = failure_json(view.app->id, *view.last_failure);
  if (embed.stats) shown["taskStats"] = stats_json(counts);
  if (embed.readiness) shown["readinessCheckResults"] = readiness_json(view.readiness);
  return shown;
}

base::Json task_json(const Scheduler& scheduler, const Instance& instance) {
  const AppState* app = scheduler.find_app(instance.app);
  return task_json(instance, app == nullptr ? nullptr : app->current.get());
}

base::Json task_json(const Instance& instance, const App* app) {
  const api::InstanceStatus& status = instance.status;
  Json addresses = Json::array();
  if (!status.address.empty())
    addresses.push_back({{"ipAddress", status.address}, {"protocol", "IPv4"}});
  Json service_ports = Json::array();
  if (app != nullptr) {
    for (const PortSlot& slot : app->ports) service_ports.push_back(slot.service_port);
  }
  Json shown = {{"id", instance.id.text()},
                {"appId", instance.app},
                {"slaveId", instance.node},
                {"host", status.address.empty() ? instance.node : status.address},
                {"ipAddresses", std::move(addresses)},
                {"ports", instance.ports},
                {"servicePorts", std::move(service_ports)},
                {"state", task_state(instance)},
                {"stagedAt", text_or_null(status.staged_at)},
                {"startedAt", text_or_null(status.started_at)},
                {"version", instance.version},
                {"localVolumes", Json::array()}};
  if (!status.degraded.empty()) shown["degraded"] = status.degraded;
  if (!status.health_results.empty()) shown["healthCheckResults"] = health_json(instance);
  return shown;
}

std::string tasks_text(const AppView& view) {
  std::string text;
  std::string name = view.app->id.substr(1);
  std::replace(name.begin(), name.end(), '/', '_');
  const auto& slots = view.app->ports;
  for (std::size_t i = 0; i < std::max<std::size_t>(slots.size(), 1); ++i) {
    text += name + "\t" + (slots.empty() ? " " : std::to_string(slots[i].service_port)) + "\t";
    for (const Instance& instance : view.instances) {
      if (task_state(instance) != "TASK_RUNNING") continue;
      text += instance.status.address;
      if (i < instance.ports.size()) text += ":" + std::to_string(instance.ports[i]);
      text += "\t";
    }
    text += "\n";
  }
  return text;
}

std::vector<QueueEntry> look_at_queue(const Scheduler& scheduler) {
  std::vector<QueueEntry> queue;
  for (const auto& [id, app] : scheduler.apps()) {
    if (app.missing == 0 || app.current == nullptr) continue;
    queue.push_back({app.current, app.missing, app.waiting_since, scheduler.delay_left_seconds(app),
                     app.refusals});
  }
  return queue;
}

base::Json queue_json(const std::vector<QueueEntry>& entries) {
  Json queue = Json::array();
  for (const QueueEntry& app : entries) {
    const std::int64_t left = app.delay_left_seconds;
    Json reasons = Json::array();
    int refused = 0;
    for (const auto& [reason, nodes] : app.refusals.reasons) {
      reasons.push_back(
          {{"reason", reason}, {"declined", nodes}, {"processed", app.refusals.nodes}});
      refused += nodes;
    }
    queue.push_back({{"app", version_json(*app.app)},
                     {"count", app.missing},
                     {"since", app.waiting_since},
                     {"delay", {{"timeLeftSeconds", left}, {"overdue", left == 0}}},
                     {"processedOffersSummary",
                      {{"processedOffersCount", app.refusals.nodes},
                       {"unusedOffersCount", refused},
                       {"rejectSummaryLastOffers", reasons},
                       {"rejectSummaryLaunchAttempt", reasons}}}});
  }
  return {{"queue", std::move(queue)}};
}

}  // namespace node::master
