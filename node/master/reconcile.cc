// SPDX-License-Identifier: Apache-2.0
// Scheduler: makes an app's instances fit what is wanted. Looks at what is, each time anew.
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "node/master/run_spec_of.h"
#include "node/master/scheduler.h"

namespace node::master {

// One look at an app's instances. An instance is in exactly one of the lists.
struct Scheduler::Rollout {
  std::vector<Instance*> fresh;     // of the running definition, to be kept
  std::vector<Instance*> stale;     // of another version
  std::vector<Instance*> stopping;  // told to stop, not gone yet
  std::vector<Instance*> inactive;  // on a lost node, to be replaced
  std::int64_t healthy = 0;         // among fresh and stale

  std::int64_t active() const { return static_cast<std::int64_t>(fresh.size() + stale.size()); }
  std::int64_t total() const { return active() + static_cast<std::int64_t>(stopping.size()); }
};

void Scheduler::settle() {
  if (settling_) return;
  settling_ = true;
  std::set<std::string> deployments;
  while (!dirty_.empty() || !deployments.empty()) {
    if (dirty_.empty()) {
      const std::string id = *deployments.begin();
      deployments.erase(deployments.begin());
      look_at_deployment(id);
      continue;
    }
    const std::string id = *dirty_.begin();
    dirty_.erase(dirty_.begin());
    const auto found = apps_.find(id);
    if (found == apps_.end()) continue;
    check_limits(id, found->second);
    reconcile(id, found->second);
    const auto after = apps_.find(id);
    if (after != apps_.end() && !after->second.deployment.empty())
      deployments.insert(after->second.deployment);
  }
  settling_ = false;
}

void Scheduler::look_at_deployment(const std::string& id) {
  const auto found = deployments_.find(id);
  if (found == deployments_.end() || found->second.paused) return;
  Deployment& deployment = found->second;
  if (!step_is_done(deployment)) return;
  emit_deployment("deployment_step_success", deployment);
  ++deployment.current;
  effects_.deployments.insert(id);
  if (deployment.current < deployment.steps.size()) {
    emit_deployment("deployment_info", deployment);
    advance(id);
    return;
  }
  --deployment.current;
  emit_deployment("deployment_success", deployment);
  end(id);
}

Scheduler::Rollout Scheduler::look(const AppState& state) {
  Rollout seen;
  for (const api::InstanceId& id : state.instances) {
    Instance& instance = instances_.at(id);
    if (is_inactive(instance)) {
      seen.inactive.push_back(&instance);
    } else if (instance.goal == api::Goal::stopped) {
      seen.stopping.push_back(&instance);
    } else {
      const bool current =
          state.running != nullptr && instance.version == state.running->restart_version;
      (current ? seen.fresh : seen.stale).push_back(&instance);
      if (instance.is_healthy()) ++seen.healthy;
    }
  }
  return seen;
}

void Scheduler::reconcile(const std::string& id, AppState& state) {
  state.missing = 0;
  waiting_.erase(id);
  if (!state.unreadable.empty()) return;
  refresh_specs(state);
  Rollout seen = look(state);
  if (state.replacing && state.running != nullptr) {
    replace(state, seen);
  } else {
    hold_steady(state, seen);
  }
  if (state.missing == 0) state.waiting_since.clear();
  if (state.current == nullptr && state.deployment.empty() && state.instances.empty())
    forget_app(id);
}

namespace {

// Those that are missed least come first: on a lost node, ill, young or old as the app says.
void sort_for_stop(std::vector<Instance*>& list, KillSelection selection) {
  std::sort(list.begin(), list.end(), [selection](const Instance* a, const Instance* b) {
    if (a->is_healthy() != b->is_healthy()) return b->is_healthy();
    if (a->created_at != b->created_at)
      return selection == KillSelection::youngest_first ? a->created_at > b->created_at
                                                        : a->created_at < b->created_at;
    return a->id < b->id;
  });
}

KillSelection selection_of(const AppState& state) {
  return state.running == nullptr ? KillSelection::youngest_first : state.running->kill_selection;
}

}  // namespace

void Scheduler::hold_steady(AppState& state, Rollout& seen) {
  std::vector<Instance*> all = seen.fresh;
  all.insert(all.end(), seen.stale.begin(), seen.stale.end());
  std::int64_t surplus = seen.active() - state.wanted;
  const bool guesses = std::any_of(all.begin(), all.end(), [](const Instance* instance) {
    return instance->unknown && !instance->unreachable;
  });
  if (surplus > 0 && (!guesses || state.wanted == 0)) {
    sort_for_stop(all, selection_of(state));
    for (std::int64_t i = 0; i < surplus; ++i) stop(*all[static_cast<std::size_t>(i)]);
  }
  if (surplus < 0 && state.running != nullptr) launch(state, -surplus, seen);
  // What is left on lost nodes has been replaced, or is not wanted any more.
  if (state.missing > 0) return;
  for (Instance* instance : seen.inactive) {
    if (state.wanted == 0 || is_expunged(*instance)) give_up(*instance);
  }
}

// Whether the first new instances have still to show that they stay healthy. That they have is
// written down with the deployment; their time begins anew after a restart of masterd.
bool Scheduler::holds_canary(AppState& state, const Rollout& seen) {
  const std::string& id = state.running->id;
  const RolloutPolicy& policy = state.running->rollout;
  const auto found = deployments_.find(state.deployment);
  if (policy.canary_instances == 0 || seen.stale.empty() || found == deployments_.end())
    return false;
  Deployment& deployment = found->second;
  if (deployment.is_rollback || deployment.canary_passed.contains(id)) return false;
  const auto fresh = static_cast<std::int64_t>(seen.fresh.size());
  const std::int64_t wanted = std::min<std::int64_t>(policy.canary_instances, state.wanted);
  const bool good =
      fresh >= wanted && std::all_of(seen.fresh.begin(), seen.fresh.end(),
                                     [](const Instance* one) { return one->is_healthy(); });
  if (!good) {
    state.canary_healthy_since.reset();
    return true;
  }
  if (!state.canary_healthy_since) {
    state.canary_healthy_since = clock_.now();
    wake_at(clock_.now() + policy.canary_time, id);
  }
  if (clock_.now() < *state.canary_healthy_since + policy.canary_time) return true;
  deployment.canary_passed.insert(id);
  effects_.deployments.insert(deployment.id);
  return false;
}

void Scheduler::replace(AppState& state, Rollout& seen) {
  const App& app = *state.running;
  const std::int64_t least = healthy_min(app, state.wanted);
  std::int64_t most = total_max(app, state.wanted);
  // With both limits at n nothing could ever move: one more is allowed, or one fewer where the
  // volumes of an instance cannot be in two places.
  std::int64_t floor = least;
  if (least == most && state.wanted > 0) {
    if (app.has_persistent_volumes) {
      floor = least - 1;
    } else {
      most += 1;
    }
  }
  const bool held = holds_canary(state, seen);
  const std::int64_t canaries = std::min<std::int64_t>(app.rollout.canary_instances, state.wanted);
  // Of the old ones only as many go as canaries take their place.
  const auto stale = static_cast<std::int64_t>(seen.stale.size());
  std::int64_t spare = held ? stale - (state.wanted - canaries) : stale;
  sort_for_stop(seen.stale, app.kill_selection);
  std::int64_t healthy = seen.healthy;
  for (Instance* instance : seen.stale) {
    if (instance->unknown) continue;
    const bool serves = instance->is_healthy();
    if (spare <= 0 || (serves && healthy <= floor)) continue;
    if (serves) --healthy;
    --spare;
    stop(*instance);
  }
  const std::int64_t fresh = static_cast<std::int64_t>(seen.fresh.size());
  sort_for_stop(seen.fresh, app.kill_selection);
  for (std::int64_t i = 0; i < fresh - state.wanted; ++i) {
    Instance& instance = *seen.fresh[static_cast<std::size_t>(i)];
    if (instance.unknown || (instance.is_healthy() && healthy-- <= floor)) break;
    stop(instance);
  }
  const std::int64_t room = most - seen.total();
  const std::int64_t needed = (held ? canaries : state.wanted) - fresh;
  if (needed > 0) launch(state, std::min(room, needed), seen);
}

void Scheduler::launch(AppState& state, std::int64_t count, Rollout& seen) {
  if (count <= 0) return;
  const App& app = *state.running;
  if (clock_.now() < state.backoff.not_before) {
    state.missing = count;
    if (state.waiting_since.empty()) state.waiting_since = now_text();
    wake_at(state.backoff.not_before, app.id);
    return;
  }
  std::vector<std::string> stand_on;
  for (const auto* list : {&seen.fresh, &seen.stale, &seen.stopping}) {
    for (const Instance* instance : *list) stand_on.push_back(instance->node);
  }
  Spread spread(app, nodes_, stand_on);
  for (std::int64_t i = 0; i < count; ++i) {
    NodeState* node = choose_node(app, nodes_, spread, state.refusals);
    if (node == nullptr) {
      state.missing = count - i;
      if (state.waiting_since.empty()) state.waiting_since = now_text();
      waiting_.insert(app.id);
      return;
    }
    // The instance on the lost node is given up only now that another takes its place.
    if (!seen.inactive.empty() && is_expunged(*seen.inactive.back())) {
      give_up(*seen.inactive.back());
      seen.inactive.pop_back();
    }
    start_instance(state, *node);
    spread.add(*node);
  }
}

void Scheduler::start_instance(AppState& state, NodeState& node) {
  const App& app = *state.running;
  Instance instance;
  std::string name = app.id.substr(1);
  std::replace(name.begin(), name.end(), '/', '_');
  instance.id = api::InstanceId(name + ".instance-" + rng_.uuid() + "._app.1");
  instance.app = app.id;
  instance.version = app.restart_version;
  instance.node = node.info.name;
  instance.slot = free_slot(state);
  instance.has_health_checks = app.has_health_checks;
  instance.has_readiness_checks = app.has_readiness_checks;
  instance.usage = usage_of(app);
  instance.launched = clock_.now();
  // Not before the version of the deployment that asks for it, which may run ahead of the clock.
  const base::WallTime last_version{std::chrono::milliseconds(last_version_ms_)};
  instance.created_at = base::format_time(std::max(clock_.wall(), last_version));
  instance.ports = occupy(app, node);
  instance.status.id = instance.id;
  instance.status.address = node.info.address;
  instance.status.staged_at = instance.created_at;
  use_spec(instance, state);
  const api::InstanceId id = instance.id;
  state.instances.insert(id);
  by_node_[instance.node].insert(id);
  effects_.nodes.insert(instance.node);
  emit_status(instances_.emplace(id, std::move(instance)).first->second);
}

void Scheduler::stop(Instance& instance) {
  if (instance.goal == api::Goal::stopped) return;
  instance.goal = api::Goal::stopped;
  effects_.nodes.insert(instance.node);
}

// Its node may come back and find that the instance is not assigned any more.
void Scheduler::give_up(Instance& instance) {
  instance.status.state = api::InstanceState::lost;
  instance.unreachable = false;
  emit_status(instance);
  const api::InstanceId id = instance.id;
  release(id);
}

bool Scheduler::is_expunged(const Instance& instance) const {
  const auto found = apps_.find(instance.app);
  if (found == apps_.end() || found->second.running == nullptr) return true;
  return clock_.now() >= instance.unreachable_since + found->second.running->expunge_after;
}

bool Scheduler::is_inactive(const Instance& instance) const {
  if (!instance.unreachable) return false;
  const auto found = apps_.find(instance.app);
  if (found == apps_.end()) return true;
  const AppPtr app =
      found->second.running != nullptr ? found->second.running : found->second.current;
  if (app == nullptr) return true;
  if (app->unreachable_disabled) return false;
  return clock_.now() >= instance.unreachable_since + app->inactive_after;
}

// Limits, checks and labels that changed reach running instances as a new spec of the same epoch.
void Scheduler::refresh_specs(AppState& state) {
  if (state.running == nullptr || state.specs_of == state.running) return;
  const App& app = *state.running;
  state.specs.clear();
  state.specs_of = state.running;
  for (const api::InstanceId& id : state.instances) {
    Instance& instance = instances_.at(id);
    if (instance.version != app.restart_version || instance.goal != api::Goal::running) continue;
    if (!use_spec(instance, state)) continue;
    instance.has_health_checks = app.has_health_checks;
    instance.has_readiness_checks = app.has_readiness_checks;
    NodeState& node = nodes_[instance.node];
    const Usage usage = usage_of(app);
    node.used.cpus += usage.cpus - instance.usage.cpus;
    node.used.memory_bytes += usage.memory_bytes - instance.usage.memory_bytes;
    node.used.disk_bytes += usage.disk_bytes - instance.usage.disk_bytes;
    instance.usage = usage;
    effects_.nodes.insert(instance.node);
  }
}

// Points the instance at the spec of the app's running definition. True when that is another one.
// Requires: refresh_specs has run for this definition.
bool Scheduler::use_spec(Instance& instance, AppState& state) {
  SpecText& spec = state.specs[instance.slot];
  if (spec.digest.empty()) {
    spec.text = api::encode(make_run_spec(*state.running, instance.slot));
    spec.digest = settings_.digest(spec.text);
  }
  if (spec.digest == instance.digest) return false;
  if (!instance.digest.empty()) drop_spec(instance.digest);
  add_spec(spec.digest, spec.text);
  instance.digest = spec.digest;
  return true;
}

void Scheduler::add_spec(const std::string& digest, const std::string& text) {
  const auto [at, is_new] = specs_.try_emplace(digest);
  ++at->second.users;
  if (!is_new) return;
  at->second.text = text;
  effects_.specs.insert(digest);
}

void Scheduler::drop_spec(const std::string& digest) {
  const auto found = specs_.find(digest);
  if (found == specs_.end() || --found->second.users > 0) return;
  specs_.erase(found);
  effects_.specs.insert(digest);
}

int Scheduler::free_slot(const AppState& state) const {
  if (state.running == nullptr || !state.running->has_persistent_volumes) return 0;
  std::set<int> taken;
  for (const api::InstanceId& id : state.instances) taken.insert(instances_.at(id).slot);
  int slot = 0;
  while (taken.contains(slot)) ++slot;
  return slot;
}

}  // namespace node::master
