// SPDX-License-Identifier: Apache-2.0
// Scheduler: what happens to nodes and instances, and what is told about it.
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "node/master/scheduler.h"
#include "node/master/views.h"

namespace node::master {

using api::InstanceState;
using base::Json;

Scheduler::Scheduler(base::Clock& clock, base::Rng& rng, SchedulerSettings settings)
    : clock_(clock),
      rng_(rng),
      settings_(std::move(settings)),
      service_ports_(settings_.service_port_first, settings_.service_port_last) {}

void Scheduler::emit(const std::string& type, Json data) {
  data["eventType"] = type;
  data["timestamp"] = now_text();
  effects_.events.push_back({type, base::dump_json(data), ""});
}

void Scheduler::emit_deployment(const std::string& type, const Deployment& deployment) {
  Json data = {{"eventType", type}, {"timestamp", now_text()}};
  if (type == "deployment_success" || type == "deployment_failed") data["id"] = deployment.id;
  // Without what readiness checks got: that changes within a step, and Marathon leaves it out too.
  if (type != "deployment_success" && type != "deployment_failed")
    data["currentStep"] = {{"actions", current_actions_json(deployment, {})}};
  if (!deployment.failure.empty()) data["reason"] = deployment.failure;
  data["plan"] = plan_json(deployment, apps_, PlanFormat::full);
  Event event{type, base::dump_json(data), ""};
  data["plan"] = plan_json(deployment, apps_, PlanFormat::light);
  event.light = base::dump_json(data);
  effects_.events.push_back(std::move(event));
}

void Scheduler::emit_status(const Instance& instance) {
  const std::string& host = instance.status.address;
  Json addresses = Json::array();
  if (!host.empty()) addresses.push_back({{"ipAddress", host}, {"protocol", "IPv4"}});
  emit("status_update_event", {{"slaveId", instance.node},
                               {"taskId", instance.id.text()},
                               {"taskStatus", task_state(instance)},
                               {"message", instance.status.message},
                               {"appId", instance.app},
                               {"host", host},
                               {"ipAddresses", std::move(addresses)},
                               {"ports", instance.ports},
                               {"version", instance.version}});
  emit("instance_changed_event", {{"instanceId", instance_name(instance.id)},
                                  {"condition", condition(instance)},
                                  {"runSpecId", instance.app},
                                  {"agentId", instance.node},
                                  {"host", host},
                                  {"runSpecVersion", instance.version}});
}

void Scheduler::touch_waiting() { dirty_.insert(waiting_.begin(), waiting_.end()); }

// Something was freed on the node: only who fits there now has to be looked at. O(waiting apps).
void Scheduler::touch_waiting_for(const NodeState& node) {
  for (const std::string& id : waiting_) {
    const auto found = apps_.find(id);
    if (found == apps_.end() || found->second.running == nullptr ||
        has_room(*found->second.running, node))
      touch(id);
  }
}

void Scheduler::wake_at(base::Instant when, std::string app) {
  timers_.emplace(when, std::move(app));
}

std::optional<base::Instant> Scheduler::next_deadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

void Scheduler::tick() {
  while (!timers_.empty() && timers_.begin()->first <= clock_.now()) {
    const std::string app = timers_.begin()->second;
    timers_.erase(timers_.begin());
    if (!app.empty()) {
      touch(app);
      continue;
    }
    for (const auto& [id, deployment] : deployments_) {
      for (const auto& [affected, original] : deployment.originals) touch(affected);
    }
  }
  settle();
}

void Scheduler::node_info(const api::Node& info) {
  NodeState& node = nodes_[info.name];
  const bool other_ports = !node.known || node.info.port_first != info.port_first ||
                           node.info.port_last != info.port_last;
  node.info = info;
  node.known = true;
  if (other_ports) {
    node.ports = PortPool(info.port_first, info.port_last);
    for (const api::InstanceId& id : by_node_[info.name]) {
      for (const std::uint16_t port : instances_.at(id).ports) {
        if (node.ports.is_free(port)) node.ports.take_exactly(port);
      }
    }
  }
  for (const api::InstanceId& id : by_node_[info.name])
    instances_.at(id).status.address = info.address;
  touch_waiting();
  settle();
}

void Scheduler::node_live(const std::string& name, bool live) {
  NodeState& node = nodes_[name];
  if (node.info.name.empty()) node.info.name = name;
  if (node.live == live && node.live_known) return;
  node.live = live;
  node.live_known = true;
  if (live) {
    // Its instances may all be there still: they count again, and its agent says how they are.
    for (const api::InstanceId& id : by_node_[name]) {
      Instance& instance = instances_.at(id);
      if (!instance.unreachable) continue;
      instance.unreachable = false;
      instance.reported = false;
      instance.unknown = true;
      touch(instance.app);
    }
    touch_waiting();
  } else {
    node.synced = false;
    node.lost_at = clock_.now();
    for (const api::InstanceId& id : by_node_[name]) {
      Instance& instance = instances_.at(id);
      if (instance.unreachable) continue;
      instance.unreachable = true;
      instance.unreachable_since = node.lost_at;
      emit_status(instance);
      touch(instance.app);
      const auto found = apps_.find(instance.app);
      if (found == apps_.end() || found->second.running == nullptr) continue;
      wake_at(node.lost_at + found->second.running->inactive_after, instance.app);
      wake_at(node.lost_at + found->second.running->expunge_after, instance.app);
    }
  }
  settle();
}

base::Result<std::int64_t> Scheduler::report(const std::string& name,
                                             const api::StatusReport& report) {
  NodeState& node = nodes_[name];
  if (node.info.name.empty()) node.info.name = name;
  const bool same = node.synced && node.boot == report.boot;
  const bool repeated = same && report.sequence == node.sequence;
  const bool next = same && report.sequence == node.sequence + 1;
  if (!report.full && !repeated && !next)
    return base::Error{base::Code::failed_precondition,
                       "a full report of all instances is needed first", "resync_required"};
  node.boot = report.boot;
  node.sequence = report.sequence;
  node.synced = true;
  node.last_report_at = now_text();
  for (const api::InstanceStatus& status : report.instances) {
    const auto found = instances_.find(status.id);
    // Instances we do not know are not in the assignments either, so the agent removes them.
    if (found == instances_.end() || found->second.node != name) continue;
    if (found->second.epoch != status.epoch) continue;
    apply_status(found->second, status);
  }
  if (report.full) {
    // What the agent does not list it has not begun yet.
    for (const api::InstanceId& id : by_node_[name]) {
      Instance& instance = instances_.at(id);
      if (std::exchange(instance.unknown, false)) touch(instance.app);
    }
  }
  settle();
  return report.sequence;
}

void Scheduler::apply_status(Instance& instance, const api::InstanceStatus& status) {
  const std::string state_before = task_state(instance);
  const bool healthy_before = instance.is_healthy();
  const api::InstanceStatus before = std::exchange(instance.status, status);
  if (instance.status.address.empty()) instance.status.address = before.address;
  if (instance.status.staged_at.empty()) instance.status.staged_at = before.staged_at;
  // After a restart of masterd only the agent knows how old an instance is.
  if (!instance.reported && instance.created_at == instance.version && !status.staged_at.empty())
    instance.created_at = status.staged_at;
  instance.reported = true;
  instance.unknown = false;
  instance.unreachable = false;
  if (task_state(instance) != state_before) emit_status(instance);
  if (api::is_terminal(status.state)) {
    note_end(instance);
    return;
  }
  check_health(instance, before);
  if (instance.is_healthy() != healthy_before || task_state(instance) != state_before)
    touch(instance.app);
}

void Scheduler::check_health(Instance& instance, const api::InstanceStatus& before) {
  if (instance.status.healthy && instance.status.healthy != before.healthy) {
    emit("health_status_changed_event", {{"appId", instance.app},
                                         {"taskId", instance.id.text()},
                                         {"instanceId", instance_name(instance.id)},
                                         {"version", instance.version},
                                         {"alive", *instance.status.healthy}});
    emit("instance_health_changed_event", {{"instanceId", instance_name(instance.id)},
                                           {"runSpecId", instance.app},
                                           {"runSpecVersion", instance.version},
                                           {"healthy", *instance.status.healthy}});
  }
  if (instance.goal != api::Goal::running) return;
  const auto reason = give_up_reason(instance);
  if (!reason) return;
  emit("unhealthy_instance_kill_event", {{"appId", instance.app},
                                         {"taskId", instance.id.text()},
                                         {"instanceId", instance_name(instance.id)},
                                         {"version", instance.version},
                                         {"reason", *reason},
                                         {"host", instance.status.address},
                                         {"slaveId", instance.node}});
  stop(instance);
  // An instance that is killed for its health is a failure of its deployment, but like every kill
  // it starts no back-off.
  const auto found = apps_.find(instance.app);
  if (found != apps_.end()) {
    const auto deployment = deployments_.find(found->second.deployment);
    const AppPtr app = found->second.current;
    if (deployment != deployments_.end() && app != nullptr &&
        instance.version == app->restart_version)
      ++deployment->second.failures[instance.app];
  }
  touch(instance.app);
}

// Why an unhealthy instance has to go; nothing while its checks bear with it.
std::optional<std::string> Scheduler::give_up_reason(const Instance& instance) const {
  if (instance.status.state != InstanceState::running || instance.status.healthy.value_or(true))
    return std::nullopt;
  const auto found = apps_.find(instance.app);
  if (found == apps_.end() || found->second.running == nullptr) return std::nullopt;
  const std::vector<int>& limits = found->second.running->health_failures_max;
  const auto& results = instance.status.health_results;
  for (std::size_t i = 0; i < results.size() && i < limits.size(); ++i) {
    if (limits[i] > 0 && !results[i].alive && results[i].consecutive_failures >= limits[i])
      return results[i].last_failure_cause;
  }
  return std::nullopt;
}

// A terminal report: counts the failure, then lets the instance go.
void Scheduler::note_end(Instance& instance) {
  const auto found = apps_.find(instance.app);
  if (found != apps_.end()) {
    const bool wanted = instance.goal == api::Goal::running;
    const InstanceState state = instance.status.state;
    const bool failed = state == InstanceState::failed || state == InstanceState::finished ||
                        state == InstanceState::error;
    if (wanted && failed) note_failure(found->second, instance);
  }
  touch(instance.app);
  const api::InstanceId id = instance.id;
  release(id);
}

void Scheduler::note_failure(AppState& state, const Instance& instance) {
  state.last_failure = TaskFailure{instance.id.text(),
                                   task_state(instance),
                                   instance.status.message,
                                   instance.status.address,
                                   instance.node,
                                   instance.version,
                                   now_text()};
  const AppPtr app = state.running != nullptr ? state.running : state.current;
  if (app == nullptr || instance.version != app->restart_version) return;
  const auto deployment = deployments_.find(state.deployment);
  if (deployment != deployments_.end()) ++deployment->second.failures[instance.app];
  Backoff& backoff = state.backoff;
  const base::Instant now = clock_.now();
  const bool forgotten = backoff.delay.count() > 0 &&
                         now > backoff.last_failure + backoff.delay + app->launch_delay_max;
  if (backoff.delay.count() == 0 || forgotten) {
    backoff.delay = app->backoff;
  } else {
    backoff.delay =
        std::chrono::duration_cast<base::Duration>(std::chrono::duration<double, std::nano>(
            static_cast<double>(backoff.delay.count()) * app->backoff_factor));
  }
  backoff.delay = std::min(backoff.delay, app->launch_delay_max);
  backoff.last_failure = now;
  // The delay spaces launches: it counts from the launch of the instance that failed, so one that
  // had run longer than that is replaced at once.
  backoff.not_before = std::max(backoff.not_before, instance.launched + backoff.delay);
}

// Takes the instance out of everything and frees what it held.
void Scheduler::release(const api::InstanceId& id) {
  const auto found = instances_.find(id);
  CHECK_THAT(found != instances_.end());
  const Instance& instance = found->second;
  NodeState& node = nodes_[instance.node];
  vacate(instance.usage, instance.ports, node);
  drop_spec(instance.digest);
  effects_.nodes.insert(instance.node);
  by_node_[instance.node].erase(id);
  const auto app = apps_.find(instance.app);
  if (app != apps_.end()) app->second.instances.erase(id);
  instances_.erase(found);
  touch_waiting_for(node);
}

std::vector<api::InstanceId> Scheduler::kill(const std::vector<api::InstanceId>& ids) {
  std::vector<api::InstanceId> found;
  for (const api::InstanceId& id : ids) {
    const auto at = instances_.find(id);
    if (at == instances_.end()) continue;
    found.push_back(id);
    stop(at->second);
    touch(at->second.app);
  }
  settle();
  return found;
}

bool Scheduler::reset_delay(const std::string& app) {
  const auto found = apps_.find(app);
  if (found == apps_.end() || found->second.missing == 0) return false;
  found->second.backoff = {};
  touch(app);
  settle();
  return true;
}

Effects Scheduler::take_effects() { return std::exchange(effects_, {}); }

const AppState* Scheduler::find_app(const std::string& id) const {
  const auto found = apps_.find(id);
  if (found == apps_.end() || found->second.current == nullptr) return nullptr;
  return &found->second;
}

const AppState* Scheduler::find_unreadable(const std::string& id) const {
  const auto found = apps_.find(id);
  if (found == apps_.end() || found->second.unreadable.empty()) return nullptr;
  return &found->second;
}

const Instance* Scheduler::find_instance(const api::InstanceId& id) const {
  const auto found = instances_.find(id);
  return found == instances_.end() ? nullptr : &found->second;
}

GroupContent Scheduler::content_at(const std::string& version) const {
  GroupContent now;
  now.groups = groups_;
  for (const auto& [id, state] : apps_) {
    if (state.current != nullptr) now.apps[id] = state.current;
  }
  return history_.at(version, std::move(now));
}

api::Assignments Scheduler::assignments(const std::string& node) const {
  api::Assignments out;
  const auto found = by_node_.find(node);
  if (found == by_node_.end()) return out;
  for (const api::InstanceId& id : found->second) {
    const Instance& instance = instances_.at(id);
    out.instances.push_back(
        {instance.id, instance.digest, instance.epoch, instance.ports, instance.goal});
  }
  return out;
}

const std::string* Scheduler::find_spec(const std::string& digest) const {
  const auto found = specs_.find(digest);
  return found == specs_.end() ? nullptr : &found->second.text;
}

DeploymentAge Scheduler::age_of(const Deployment& deployment) const {
  return {settings_.boot, deployment.started, deployment.started_wall,
          clock_.now() - deployment.started};
}

std::int64_t Scheduler::delay_left_seconds(const AppState& app) const {
  const base::Duration left = app.backoff.not_before - clock_.now();
  if (left.count() <= 0) return 0;
  return std::chrono::ceil<std::chrono::seconds>(left).count();
}

}  // namespace node::master
