// SPDX-License-Identifier: Apache-2.0
// Scheduler: the state after a restart of masterd, rebuilt from what was written.
#include "node/api/run_spec.h"
#include "node/master/scheduler.h"

namespace node::master {
namespace {

// Milliseconds of a version as format_time writes it; 0 for anything else.
std::int64_t version_ms(const std::string& version) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0;
  if (std::sscanf(version.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &year, &month, &day, &hour,
                  &minute, &second, &ms) != 7)
    return 0;
  const auto date = std::chrono::year_month_day{std::chrono::year(year),
                                                std::chrono::month(static_cast<unsigned>(month)),
                                                std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return 0;
  const auto time = std::chrono::sys_days(date) + std::chrono::hours(hour) +
                    std::chrono::minutes(minute) + std::chrono::seconds(second);
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count() +
         ms;
}

}  // namespace

std::vector<std::string> Scheduler::restore(Snapshot snapshot) {
  std::vector<std::string> unusable;
  const auto seen_version = [this](const std::string& version) {
    last_version_ms_ = std::max(last_version_ms_, version_ms(version));
  };
  groups_ = std::move(snapshot.groups);
  for (GroupVersion& version : snapshot.history) {
    seen_version(version.version);
    keep_group_version(std::move(version));
  }
  effects_.history.clear();
  for (Snapshot::AppRecord& record : snapshot.apps) {
    AppState& state = apps_[record.app.id];
    state.unreadable = record.unreadable;
    for (App& old : record.versions) {
      if (old.version == record.app.version) continue;
      seen_version(old.version);
      keep_history(state, std::make_shared<const App>(std::move(old)));
    }
    if (!state.unreadable.empty()) continue;
    seen_version(record.app.version);
    const auto app = std::make_shared<const App>(std::move(record.app));
    if (!record.removed) state.current = app;
    keep_history(state, app);
  }
  for (const auto& [node, why] : snapshot.unreadable_nodes) {
    nodes_[node].info.name = node;
    nodes_[node].unreadable = why;
  }
  for (auto& [deployment, originals, age] : snapshot.deployments) {
    const std::string id = deployment.id;
    seen_version(deployment.version);
    restart_clock(deployment, age);
    for (const auto& [app, version] : originals) {
      AppState& state = apps_[app];
      state.deployment = id;
      const auto found = state.versions.find(version);
      deployment.originals[app] = found == state.versions.end() ? nullptr : found->second;
      if (!version.empty() && found == state.versions.end())
        unusable.push_back("deployment " + id + ": version " + version + " of " + app);
      const bool timed = state.current != nullptr && state.current->rollout.deadline.count() > 0;
      if (timed) wake_at(deployment.started + state.current->rollout.deadline, "");
    }
    deployments_[id] = std::move(deployment);
  }
  restore_instances(snapshot, unusable);
  for (auto& [id, state] : apps_) {
    derive(id, state);
    touch(id);
  }
  effects_.services = true;
  settle();
  return unusable;
}

// The deadline of a deployment goes on across a restart of masterd. While the machine has not been
// booted anew its own clock tells how long; otherwise wall time must, which may have been set
// meanwhile: it never makes the deployment younger than it was known to be.
void Scheduler::restart_clock(Deployment& deployment, const DeploymentAge& age) const {
  const bool same_boot = !settings_.boot.empty() && age.boot == settings_.boot;
  deployment.started_wall = age.started_wall;
  if (same_boot && age.started <= clock_.now()) {
    deployment.started = age.started;
    return;
  }
  // A record of before there were ages has none: the deployment begins anew.
  const bool has_wall = age.started_wall != base::WallTime{};
  const base::Duration by_wall = has_wall ? clock_.wall() - age.started_wall : base::Duration{};
  deployment.started = clock_.now() - std::max(age.known, by_wall);
}

// Instances are what the assignments say; how they are is for the agents to report.
void Scheduler::restore_instances(const Snapshot& snapshot, std::vector<std::string>& unusable) {
  for (const auto& [node, assignments] : snapshot.assignments) {
    NodeState& state = nodes_[node];
    if (state.info.name.empty()) state.info.name = node;
    state.generation = assignments.generation;
    for (const api::Assignment& assignment : assignments.instances) {
      const auto text = snapshot.specs.find(assignment.spec);
      base::Result<api::RunSpec> spec = base::Error{};
      if (text != snapshot.specs.end()) spec = api::decode_run_spec(text->second);
      if (!spec) {
        unusable.push_back("instance " + assignment.id.text() + ": its specification");
        effects_.nodes.insert(node);
        continue;
      }
      Instance instance;
      instance.id = assignment.id;
      instance.app = spec->app;
      instance.version = spec->version;
      instance.digest = assignment.spec;
      instance.node = node;
      instance.ports = assignment.ports;
      instance.epoch = assignment.epoch;
      instance.goal = assignment.goal;
      instance.status.id = assignment.id;
      instance.has_health_checks = !spec->health_checks.empty();
      instance.has_readiness_checks = !spec->readiness_checks.empty();
      instance.usage = {spec->resources.cpus, spec->resources.memory_bytes,
                        spec->resources.disk_bytes};
      instance.unknown = true;
      instance.launched = clock_.now();
      instance.created_at = spec->version;  // until the agent tells
      instance.slot = slot_of(*spec);
      ++state.instances;
      state.used.cpus += instance.usage.cpus;
      state.used.memory_bytes += instance.usage.memory_bytes;
      state.used.disk_bytes += instance.usage.disk_bytes;
      add_spec(assignment.spec, text->second);
      apps_[instance.app].instances.insert(instance.id);
      by_node_[node].insert(instance.id);
      instances_.emplace(instance.id, std::move(instance));
    }
  }
  // They are all in the tree already, except those that nothing uses any more.
  effects_.specs.clear();
  for (const auto& [digest, text] : snapshot.specs) {
    if (!specs_.contains(digest)) effects_.specs.insert(digest);
  }
}

// "<app>.<slot>.<path>": the number after the app's name.
int Scheduler::slot_of(const api::RunSpec& spec) {
  for (const api::VolumeSpec& volume : spec.volumes) {
    if (volume.shared) continue;
    const std::size_t at = spec.app.size();  // the name without '/' and the dot behind it
    if (volume.persistent.size() > at) return std::atoi(volume.persistent.c_str() + at);
  }
  return 0;
}

}  // namespace node::master
