// SPDX-License-Identifier: Apache-2.0
// Scheduler: changes of the desired state and the deployments that carry them out.
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "node/master/dependencies.h"
#include "node/master/scheduler.h"
#include "node/master/views.h"

namespace node::master {

std::string Scheduler::next_version() {
  const std::int64_t now = clock_.wall().time_since_epoch().count();
  last_version_ms_ = std::max(now, last_version_ms_ + 1);
  return base::format_time(base::WallTime(std::chrono::milliseconds(last_version_ms_)));
}

std::vector<std::string> Scheduler::blocking(const Change& change) const {
  std::set<std::string> ids;
  const auto look_at = [&](const std::string& app) {
    const auto found = apps_.find(app);
    if (found != apps_.end() && !found->second.deployment.empty())
      ids.insert(found->second.deployment);
  };
  for (const App& app : change.put) look_at(app.id);
  for (const std::string& app : change.remove) look_at(app);
  for (const std::string& app : change.restart) look_at(app);
  return {ids.begin(), ids.end()};
}

Accepted Scheduler::deploy(Change change) {
  for (const std::string& id : blocking(change)) {
    emit_deployment("deployment_failed", deployments_.at(id));
    end(id);
  }
  Deployment deployment;
  deployment.id = rng_.uuid();
  deployment.version = next_version();
  deployment.started = clock_.now();
  deployment.started_wall = clock_.wall();
  for (const std::string& id : change.restart) {
    const auto found = apps_.find(id);
    const bool listed = std::any_of(change.put.begin(), change.put.end(),
                                    [&](const App& app) { return app.id == id; });
    if (found != apps_.end() && found->second.current != nullptr && !listed)
      change.put.push_back(*found->second.current);
  }
  GroupVersion record{deployment.version, {}, {}};
  for (const auto& [id, info] : change.groups) {
    const auto known = groups_.find(id);
    record.groups[id] = known == groups_.end() ? std::nullopt : std::optional(known->second);
    if (info) {
      groups_[id] = *info;
      groups_[id].version = deployment.version;
    } else {
      groups_.erase(id);
    }
  }
  for (App& app : change.put) {
    const bool restart = change.restart.contains(app.id);
    const std::string id = app.id;
    const AppPtr before = apps_[id].current;
    take_over(std::move(app), deployment.version, restart, deployment);
    if (before == nullptr || before->version != apps_[id].current->version)
      record.apps[id] = before;
  }
  for (const std::string& id : change.remove) {
    const auto found = apps_.find(id);
    const bool unreadable = find_unreadable(id) != nullptr;
    if (found == apps_.end() || (found->second.current == nullptr && !unreadable)) continue;
    found->second.unreadable.clear();
    deployment.originals[id] = found->second.current;
    deployment.removes.insert(id);
    record.apps[id] = found->second.current;
    found->second.current = nullptr;
    effects_.apps.insert(id);
  }
  keep_group_version(std::move(record));
  effects_.groups = true;
  effects_.services = true;
  const Accepted accepted{deployment.id, deployment.version};
  begin(std::move(deployment));
  settle();
  return accepted;
}

// Makes `app` the definition the API shows and notes the one before in the deployment.
void Scheduler::take_over(App app, const std::string& version, bool restart,
                          Deployment& deployment) {
  AppState& state = apps_[app.id];
  const std::string id = app.id;
  const AppPtr before = state.current;
  state.unreadable.clear();
  state.canary_healthy_since.reset();
  app = service_ports_.assign(std::move(app), before.get());
  Difference difference = Difference::restart;
  // A rollback brings a definition with the restart_version of instances that may still be there.
  const bool returns = !app.restart_version.empty() && !restart &&
                       (before == nullptr || app.restart_version != before->restart_version);
  if (before != nullptr) difference = restart ? Difference::restart : compare(*before, app);
  if (difference == Difference::live && !limits_fit(state, app)) difference = Difference::restart;
  if (difference == Difference::none && !returns) {
    app = *before;
  } else {
    app.version = version;
    app.last_scaling_at = version;
    const bool keeps = difference != Difference::restart && !returns;
    if (keeps) app.restart_version = before->restart_version;
    if (!keeps && !returns) app.restart_version = version;
    app.last_config_change_at =
        difference == Difference::scale ? before->last_config_change_at : version;
    if (difference == Difference::restart) state.backoff = {};
    effects_.apps.insert(id);
  }
  deployment.originals[id] = before;
  const auto definition = std::make_shared<const App>(std::move(app));
  state.current = definition;
  keep_history(state, definition);
}

// Whether the instances can take over the app's limits where they stand. If not they are replaced,
// by ones that are placed where there is room.
bool Scheduler::limits_fit(const AppState& state, const App& app) const {
  const Usage wanted = usage_of(app);
  std::map<std::string, Usage> more;
  for (const api::InstanceId& id : state.instances) {
    const Instance& instance = instances_.at(id);
    if (instance.goal != api::Goal::running) continue;
    Usage& on_node = more[instance.node];
    on_node.cpus += wanted.cpus - instance.usage.cpus;
    on_node.memory_bytes += wanted.memory_bytes - instance.usage.memory_bytes;
    on_node.disk_bytes += wanted.disk_bytes - instance.usage.disk_bytes;
  }
  return std::all_of(more.begin(), more.end(), [this](const auto& entry) {
    return takes_more(nodes_.at(entry.first), entry.second);
  });
}

void Scheduler::keep_history(AppState& state, AppPtr app) {
  if (state.versions.contains(app->version)) return;
  service_ports_.hold(*app);
  state.versions[app->version] = std::move(app);
  if (state.versions.size() <= settings_.versions_kept) return;
  // Versions that a deployment may go back to are young; the oldest goes.
  service_ports_.release(*state.versions.begin()->second);
  state.versions.erase(state.versions.begin());
}

void Scheduler::keep_group_version(GroupVersion version) {
  for (const auto& [id, app] : version.apps) {
    if (app != nullptr) service_ports_.remember(*app);
  }
  effects_.history.insert(version.version);
  for (const GroupVersion& gone : history_.add(std::move(version))) {
    effects_.history.insert(gone.version);
    for (const auto& [id, app] : gone.apps) {
      if (app != nullptr) service_ports_.forget(*app);
    }
  }
}

void Scheduler::begin(Deployment deployment) {
  std::set<std::string> started, scaled, restarted;
  for (const auto& [id, original] : deployment.originals) {
    AppState& state = apps_[id];
    state.deployment = deployment.id;
    if (state.current == nullptr) continue;
    const bool stale = std::any_of(
        state.instances.begin(), state.instances.end(), [&](const api::InstanceId& instance) {
          return instances_.at(instance).version != state.current->restart_version;
        });
    if (original == nullptr) started.insert(id);
    if (stale) {
      restarted.insert(id);
    } else if (original == nullptr || *original->document != *state.current->document) {
      scaled.insert(id);
    }
  }
  plan_steps(deployment, started, scaled, restarted);
  effects_.deployments.insert(deployment.id);
  for (const auto& [id, original] : deployment.originals) {
    if (apps_[id].current == nullptr) continue;
    const RolloutPolicy& policy = apps_[id].current->rollout;
    if (policy.deadline.count() > 0) wake_at(deployment.started + policy.deadline, "");
  }
  const std::string id = deployment.id;
  deployments_[id] = std::move(deployment);
  emit_deployment("deployment_info", deployments_[id]);
  advance(id);
}

// Removed apps first, then new ones at size 0, then the rest in the order of their dependencies.
void Scheduler::plan_steps(Deployment& deployment, const std::set<std::string>& started,
                           const std::set<std::string>& scaled,
                           const std::set<std::string>& restarted) {
  if (!deployment.removes.empty()) {
    Step step;
    for (const std::string& id : deployment.removes) step.push_back({ActionKind::stop, id});
    deployment.steps.push_back(std::move(step));
  }
  if (!started.empty()) {
    Step step;
    for (const std::string& id : started) step.push_back({ActionKind::start, id});
    deployment.steps.push_back(std::move(step));
  }
  std::map<std::string, int> layers;
  // One app alone has nobody to wait for.
  if (scaled.size() + restarted.size() > 1) {
    std::map<std::string, AppPtr> targets;
    for (const auto& [id, state] : apps_) {
      if (state.current != nullptr) targets[id] = state.current;
    }
    layers = make_layers(make_needs(targets, groups_));
  }
  std::map<int, Step> by_layer;
  const auto layer_of = [&](const std::string& id) {
    const auto found = layers.find(id);
    return found == layers.end() ? 0 : found->second;
  };
  for (const std::string& id : scaled) by_layer[layer_of(id)].push_back({ActionKind::scale, id});
  for (const std::string& id : restarted)
    by_layer[layer_of(id)].push_back({ActionKind::restart, id});
  for (auto& [layer, step] : by_layer) deployment.steps.push_back(std::move(step));
}

// Works out from the deployment's position what the app runs now.
void Scheduler::derive(const std::string& app, AppState& state) {
  state.replacing = false;
  const auto found = deployments_.find(state.deployment);
  if (found == deployments_.end()) {
    state.running = state.current;
    state.wanted = state.current == nullptr ? 0 : state.current->instances;
    return;
  }
  const Deployment& deployment = found->second;
  const auto original = deployment.originals.find(app);
  state.running = original == deployment.originals.end() ? nullptr : original->second;
  state.wanted = state.running == nullptr ? 0 : state.running->instances;
  for (std::size_t i = 0; i < deployment.steps.size() && i <= deployment.current; ++i) {
    for (const Action& action : deployment.steps[i]) {
      if (action.app != app) continue;
      // A paused deployment keeps what serves: mixed versions, the old one for what is missing.
      if (deployment.paused && i == deployment.current && state.running != nullptr) continue;
      switch (action.kind) {
        case ActionKind::start:
          state.running = state.current;
          state.wanted = 0;
          break;
        case ActionKind::scale:
        case ActionKind::restart:
          state.running = state.current;
          state.wanted = state.current == nullptr ? 0 : state.current->instances;
          state.replacing = action.kind == ActionKind::restart && i == deployment.current;
          break;
        case ActionKind::stop: state.wanted = 0; break;
      }
    }
  }
}

bool Scheduler::is_done(const Deployment& deployment, const Action& action) const {
  const auto found = apps_.find(action.app);
  if (found == apps_.end()) return true;
  const AppState& state = found->second;
  if (action.kind == ActionKind::start) return true;
  if (action.kind == ActionKind::stop) return state.instances.empty();
  std::int64_t count = 0;
  for (const api::InstanceId& id : state.instances) {
    const Instance& instance = instances_.at(id);
    if (is_inactive(instance)) continue;
    if (instance.goal != api::Goal::running || !instance.reported) return false;
    ++count;
    // A scale waits for the instances it started; old ones that are ill are not its business.
    const bool counts =
        action.kind == ActionKind::restart || instance.created_at >= deployment.version;
    if (counts && !instance.is_healthy()) return false;
    if (action.kind == ActionKind::restart &&
        (state.current == nullptr || instance.version != state.current->restart_version))
      return false;
  }
  return count == state.wanted;
}

// Begins with the action that was not done last time, so that a step of many apps costs each of
// their reports little.
bool Scheduler::step_is_done(const Deployment& deployment) const {
  const Step& step = deployment.steps[deployment.current];
  for (std::size_t i = 0; i < step.size(); ++i) {
    const std::size_t at = (deployment.open_action + i) % step.size();
    if (is_done(deployment, step[at])) continue;
    deployment.open_action = at;
    return false;
  }
  return true;
}

// Goes on to the next step as long as the current one is done. Looks again at every app of a new
// step first, because only then is its state known.
void Scheduler::advance(const std::string& id) {
  Deployment& deployment = deployments_.at(id);
  for (const std::string& app : deployment.affected()) {
    const auto found = apps_.find(app);
    if (found == apps_.end()) continue;
    derive(app, found->second);
    touch(app);
  }
  if (deployment.steps.empty()) {
    emit_deployment("deployment_success", deployment);
    end(id);
  }
}

// One failure of the first new instances is enough: they are there to be looked at. An app that was
// not there before has nothing to compare them with.
bool Scheduler::has_failed_canary(const Deployment& deployment, const std::string& id,
                                  const AppState& state) const {
  if (state.current->rollout.canary_instances == 0 || !state.replacing ||
      deployment.canary_passed.contains(id))
    return false;
  const auto original = deployment.originals.find(id);
  return original != deployment.originals.end() && original->second != nullptr &&
         deployment.failures.contains(id);
}

// Ends the app's deployment when it took too long or too many of its new instances failed. Runs
// before the app is looked at, so that nothing more is started for a deployment that is lost.
void Scheduler::check_limits(const std::string& id, const AppState& state) {
  const auto found = deployments_.find(state.deployment);
  if (found == deployments_.end() || state.current == nullptr) return;
  const Deployment& deployment = found->second;
  const RolloutPolicy& policy = state.current->rollout;
  if (deployment.paused || deployment.is_rollback || policy.on_failure == OnFailure::go_on) return;
  const auto failures = deployment.failures.find(id);
  const bool too_many = policy.failures_max > 0 && failures != deployment.failures.end() &&
                        failures->second > policy.failures_max;
  const bool too_late =
      policy.deadline.count() > 0 && clock_.now() >= deployment.started + policy.deadline;
  const bool canary = has_failed_canary(deployment, id, state);
  if (!too_many && !too_late && !canary) return;
  fail(std::string(deployment.id),
       id + (canary     ? ": one of the first new instances (canaryInstances) failed"
             : too_many ? ": more new instances failed than maxFailures allows"
                        : ": not done within deployDeadlineSeconds"));
}

void Scheduler::fail(const std::string& id, const std::string& why) {
  Deployment& deployment = deployments_.at(id);
  bool pause = false;
  for (const auto& [app, original] : deployment.originals) {
    const auto found = apps_.find(app);
    pause = pause || (found != apps_.end() && found->second.current != nullptr &&
                      found->second.current->rollout.on_failure == OnFailure::pause);
  }
  deployment.failure = why;
  if (!pause) {
    CHECK_THAT(roll_back(id).has_value());
    return;
  }
  deployment.paused = true;
  effects_.deployments.insert(id);
  emit_deployment("deployment_step_failure", deployment);
  advance(id);
}

base::Result<void> Scheduler::cancel(const std::string& id) {
  const auto found = deployments_.find(id);
  if (found == deployments_.end())
    return base::Error{base::Code::not_found, "there is no deployment " + id, "deployment_unknown"};
  emit_deployment("deployment_failed", found->second);
  end(id);
  settle();
  return {};
}

base::Result<Accepted> Scheduler::roll_back(const std::string& id) {
  const auto found = deployments_.find(id);
  if (found == deployments_.end())
    return base::Error{base::Code::not_found, "there is no deployment " + id, "deployment_unknown"};
  Change change;
  for (const auto& [app, original] : found->second.originals) {
    if (original == nullptr) {
      change.remove.insert(app);
    } else {
      change.put.push_back(*original);
    }
  }
  // Groups go back as well, but those that somebody else has changed since.
  if (const GroupVersion* made = history_.find(found->second.version)) {
    for (const auto& [group, before] : made->groups) {
      const auto now = groups_.find(group);
      if (now == groups_.end() || now->second.version == made->version)
        change.groups[group] = before;
    }
  }
  emit_deployment("deployment_failed", found->second);
  end(id);
  Accepted accepted = deploy(std::move(change));
  const auto back = deployments_.find(accepted.deployment);
  if (back != deployments_.end()) back->second.is_rollback = true;
  return accepted;
}

// The deployment is over; its apps are steady from now on.
void Scheduler::end(const std::string& id) {
  const std::set<std::string> affected = deployments_.at(id).affected();
  deployments_.erase(id);
  effects_.deployments.insert(id);
  for (const std::string& app : affected) {
    const auto found = apps_.find(app);
    if (found == apps_.end() || found->second.deployment != id) continue;
    found->second.deployment.clear();
    derive(app, found->second);
    touch(app);
  }
}

void Scheduler::forget_app(const std::string& id) {
  const auto found = apps_.find(id);
  if (found == apps_.end()) return;
  for (const auto& [version, app] : found->second.versions) service_ports_.release(*app);
  apps_.erase(found);
  effects_.apps.insert(id);
  effects_.services = true;
  emit("app_terminated_event", {{"appId", id}});
}

}  // namespace node::master
