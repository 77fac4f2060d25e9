// SPDX-License-Identifier: Apache-2.0
// The scheduler: desired applications on one side, nodes and reported instances on the other, and
// between them the decisions that make the second fit the first.
//
// A pure state machine: events and commands come in, `take_effects()` says what to write and tell.
// It does no I/O and knows no threads; time and chance come from Clock and Rng, so the simulator
// runs the code that production runs.
// 1. During a rolling upgrade the scheduler never stops an instance when that would leave fewer
// than ceil(n·minimumHealthCapacity) healthy ones, and never has more than floor(n·(1+
// maximumOverCapacity)) instances, or n+1 when both limits are n.
// 2. An app belongs to at most one deployment.
// 3. Everything is level-triggered: reconcile() looks at what is, never at what happened.
// 4. Versions are strictly increasing ISO times with milliseconds.
// An instance's way: launched (goal running) by launch() → reported → stop() (goal stopped) or
// dies → a terminal report → release(). deploy() starts a deployment, settle() advances it,
// finish() or fail() end it.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "node/api/run_spec.h"
#include "node/master/group_history.h"
#include "node/master/service_ports.h"
#include "node/master/state.h"

namespace node::master {

enum class Force { no, yes };
enum class Scale { no, yes };

struct SchedulerSettings {
  int service_port_first = 10'000;
  int service_port_last = 20'000;
  std::size_t versions_kept = 25;
  std::string boot = {};  // which boot of the machine this is; empty: not known
  // SHA-256 in lower-case hex; a parameter so that this module needs no library for it.
  std::function<std::string(std::string_view)> digest;
};

// What a restart of masterd begins with. Apps that are being removed have removed = true.
struct Snapshot {
  struct AppRecord {
    App app;  // nothing but the id when it is unreadable
    bool removed = false;
    std::string unreadable;  // why
    std::vector<App> versions;
  };
  std::vector<AppRecord> apps;
  std::map<std::string, GroupInfo> groups;
  std::vector<GroupVersion> history;  // oldest first
  struct DeploymentRecord {
    Deployment deployment;
    std::map<std::string, std::string> originals;  // app → version in its history, "" for none
    DeploymentAge age;
  };
  std::vector<DeploymentRecord> deployments;
  std::map<std::string, api::Assignments> assignments;  // by node
  std::map<std::string, std::string> unreadable_nodes;  // node → why its assignments are
  std::map<std::string, std::string> specs;             // digest → text
};

struct Accepted {
  std::string deployment;
  std::string version;
};

class Scheduler {
 public:
  Scheduler(base::Clock& clock, base::Rng& rng, SchedulerSettings settings);

  // Requires: nothing happened yet. Returns what could not be used, for the log.
  std::vector<std::string> restore(Snapshot snapshot);

  // --- Commands.
  // Deployments that hold an app the change touches.
  std::vector<std::string> blocking(const Change& change) const;
  // Takes the change over as the desired state and starts its deployment; deployments in the way
  // are cancelled. Requires: dependencies run in no circle (dependencies.h).
  Accepted deploy(Change change);
  // Ends a deployment where it stands. Errors: not_found deployment_unknown.
  base::Result<void> cancel(const std::string& id);
  // Ends a deployment and starts one that goes back. Errors: not_found deployment_unknown.
  base::Result<Accepted> roll_back(const std::string& id);
  // Stops instances; they are replaced at once. Unknown ids are skipped; returns those found.
  std::vector<api::InstanceId> kill(const std::vector<api::InstanceId>& ids);
  bool reset_delay(const std::string& app);

  // --- Events.
  void node_info(const api::Node& node);
  void node_live(const std::string& name, bool live);
  // Returns the sequence that is acknowledged. Errors: failed_precondition resync_required.
  base::Result<std::int64_t> report(const std::string& node, const api::StatusReport& report);
  void tick();
  // When tick() has something to do next.
  std::optional<base::Instant> next_deadline() const;

  Effects take_effects();

  // --- What is.
  const std::map<std::string, AppState>& apps() const { return apps_; }
  const AppState* find_app(const std::string& id) const;
  // An app whose stored definition cannot be used. find_app() does not know it.
  const AppState* find_unreadable(const std::string& id) const;
  const std::map<std::string, GroupInfo>& groups() const { return groups_; }
  const GroupHistory& history() const { return history_; }
  // Apps and groups as they were after the change that made `version`. Requires: the history has
  // it.
  GroupContent content_at(const std::string& version) const;
  const std::map<std::string, Deployment>& deployments() const { return deployments_; }
  const std::map<api::InstanceId, Instance>& instances() const { return instances_; }
  const Instance* find_instance(const api::InstanceId& id) const;
  const std::map<std::string, NodeState>& nodes() const { return nodes_; }
  api::Assignments assignments(const std::string& node) const;
  // The text of a spec that instances use; nothing when none does.
  const std::string* find_spec(const std::string& digest) const;
  DeploymentAge age_of(const Deployment& deployment) const;
  base::Instant now() const { return clock_.now(); }
  std::string now_text() const { return base::format_time(clock_.wall()); }
  // Seconds until the app may launch again, 0 when it may now.
  std::int64_t delay_left_seconds(const AppState& app) const;

 private:
  struct Rollout;  // one look at an app's instances

  std::string next_version();
  void emit(const std::string& type, base::Json data);
  void emit_deployment(const std::string& type, const Deployment& deployment);
  void emit_status(const Instance& instance);
  void touch(const std::string& app) { dirty_.insert(app); }
  void touch_waiting();
  void touch_waiting_for(const NodeState& node);
  void wake_at(base::Instant when, std::string app);

  // deploy.cc
  void take_over(App app, const std::string& version, bool restart, Deployment& deployment);
  void plan_steps(Deployment& deployment, const std::set<std::string>& started,
                  const std::set<std::string>& scaled, const std::set<std::string>& restarted);
  void begin(Deployment deployment);
  void end(const std::string& id);
  void keep_history(AppState& state, AppPtr app);
  void keep_group_version(GroupVersion version);
  void derive(const std::string& app, AppState& state);
  bool limits_fit(const AppState& state, const App& app) const;
  bool is_done(const Deployment& deployment, const Action& action) const;
  bool step_is_done(const Deployment& deployment) const;
  void advance(const std::string& id);
  bool has_failed_canary(const Deployment& deployment, const std::string& id,
                         const AppState& state) const;
  void check_limits(const std::string& id, const AppState& state);
  void look_at_deployment(const std::string& id);
  void fail(const std::string& id, const std::string& why);
  void forget_app(const std::string& id);

  // reconcile.cc
  void settle();
  void reconcile(const std::string& id, AppState& state);
  Rollout look(const AppState& state);
  void hold_steady(AppState& state, Rollout& seen);
  void replace(AppState& state, Rollout& seen);
  bool holds_canary(AppState& state, const Rollout& seen);
  void launch(AppState& state, std::int64_t count, Rollout& seen);
  void start_instance(AppState& state, NodeState& node);
  void stop(Instance& instance);
  void give_up(Instance& instance);
  bool is_expunged(const Instance& instance) const;
  bool is_inactive(const Instance& instance) const;
  void refresh_specs(AppState& state);
  bool use_spec(Instance& instance, AppState& state);
  void add_spec(const std::string& digest, const std::string& text);
  void drop_spec(const std::string& digest);
  int free_slot(const AppState& state) const;

  // restore.cc
  void restore_instances(const Snapshot& snapshot, std::vector<std::string>& unusable);
  static int slot_of(const api::RunSpec& spec);
  void restart_clock(Deployment& deployment, const DeploymentAge& age) const;

  // events.cc
  void apply_status(Instance& instance, const api::InstanceStatus& status);
  void note_end(Instance& instance);
  void note_failure(AppState& state, const Instance& instance);
  void release(const api::InstanceId& id);
  void check_health(Instance& instance, const api::InstanceStatus& before);
  std::optional<std::string> give_up_reason(const Instance& instance) const;

  base::Clock& clock_;
  base::Rng& rng_;
  SchedulerSettings settings_;
  std::int64_t last_version_ms_ = 0;
  std::map<std::string, AppState> apps_;
  std::map<std::string, GroupInfo> groups_;
  GroupHistory history_;
  std::map<std::string, Deployment> deployments_;
  std::map<api::InstanceId, Instance> instances_;
  std::map<std::string, NodeState> nodes_;
  std::map<std::string, std::set<api::InstanceId>> by_node_;
  struct Spec {
    std::string text;
    std::int64_t users = 0;
  };
  std::map<std::string, Spec> specs_;
  ServicePorts service_ports_;
  std::set<std::string> dirty_;    // apps to look at
  std::set<std::string> waiting_;  // apps with instances that found no place
  bool settling_ = false;
  // When to look at an app again; "" for the limits of deployments.
  std::set<std::pair<base::Instant, std::string>> timers_;
  Effects effects_;
};

}  // namespace node::master
