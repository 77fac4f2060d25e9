// SPDX-License-Identifier: Apache-2.0
// The values the scheduler keeps: instances, applications, groups, deployments, and what changed.
//
// Written by the scheduler alone; read by the views and by the persister on the same thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "node/api/assignments.h"
#include "node/api/status.h"
#include "node/master/app.h"
#include "node/master/placement.h"

namespace node::master {

struct Instance {
  api::InstanceId id;
  std::string app;
  std::string version;  // restart_version of the definition it was started from
  std::string digest;   // of its RunSpec
  std::string node;
  std::vector<std::uint16_t> ports;
  std::int64_t epoch = 1;
  api::Goal goal = api::Goal::running;
  api::InstanceStatus status;  // as reported last; staging before the first report
  bool reported = false;
  // Assigned before masterd restarted or its node was away, and not heard of since: it may serve,
  // so it is never stopped for being ill.
  bool unknown = false;
  bool unreachable = false;  // its node is gone
  base::Instant unreachable_since{};
  bool has_health_checks = false;
  bool has_readiness_checks = false;
  Usage usage;
  base::Instant launched{};
  std::string created_at;
  int slot = 0;  // which set of persistent volumes is its own

  // Serves: counts against minimumHealthCapacity and completes a deployment.
  bool is_healthy() const;
};

struct TaskFailure {
  std::string instance;
  std::string state;  // TASK_FAILED, …
  std::string message;
  std::string host;
  std::string node;
  std::string version;
  std::string timestamp;
};

struct Backoff {
  base::Duration delay{};  // 0: no failure is remembered
  base::Instant not_before{};
  base::Instant last_failure{};
};

struct SpecText {
  std::string digest;
  std::string text;
};

struct AppState {
  AppPtr current;  // what the API shows; null while the app is being removed
  AppPtr running;  // what new instances are started from; null when none are
  std::int64_t wanted = 0;
  bool replacing = false;  // instances of another restart_version are being replaced
  std::string deployment;  // that holds the app, or empty
  // Since when the first new instances of a deployment with a canary are healthy.
  std::optional<base::Instant> canary_healthy_since;
  // Why the stored definition cannot be used; empty when it can. Such an app is held as it is: its
  // instances are neither stopped nor replaced, and its record stays until somebody decides.
  std::string unreadable;
  std::map<std::string, AppPtr> versions;
  std::set<api::InstanceId> instances;
  Backoff backoff;
  std::optional<TaskFailure> last_failure;
  std::int64_t missing = 0;   // instances that could not be placed or wait for their back-off
  std::string waiting_since;  // set while missing > 0
  Refusals refusals;
  // RunSpecs of `specs_of`, by slot (0 for apps without persistent volumes).
  AppPtr specs_of;
  std::map<int, SpecText> specs;
};

struct GroupInfo {
  std::vector<std::string> dependencies;
  std::string version;
  bool enforce_role = false;
  friend bool operator==(const GroupInfo&, const GroupInfo&) = default;
};

enum class ActionKind { start, scale, restart, stop };
std::string_view action_word(ActionKind kind);  // StartApplication, …

struct Action {
  ActionKind kind = ActionKind::scale;
  std::string app;
};
using Step = std::vector<Action>;

struct Deployment {
  std::string id;
  std::string version;
  std::vector<Step> steps;
  std::size_t current = 0;
  // The definition before the deployment; null when there was none.
  std::map<std::string, AppPtr> originals;
  std::set<std::string> removes;
  std::map<std::string, int> failures;  // of new instances, per app
  std::set<std::string> canary_passed;  // apps whose first new instances have shown themselves
  std::string failure;                  // why it was paused or rolled back, for people
  bool paused = false;
  bool is_rollback = false;
  base::Instant started{};
  base::WallTime started_wall{};
  // Where to begin looking for an action that is not done: the one that was not done last time.
  mutable std::size_t open_action = 0;
  std::set<std::string> affected() const;
};

// How old a deployment is, for the time after a restart.
struct DeploymentAge {
  std::string boot;  // of the machine, that `started` belongs to
  base::Instant started{};
  base::WallTime started_wall{};
  base::Duration known{};  // when the record was written
};

// A change of the desired state, as the API asks for it.
struct Change {
  std::vector<App> put;  // versions are filled in by the scheduler
  std::set<std::string> remove;
  std::map<std::string, std::optional<GroupInfo>> groups;  // nothing: the group goes
  std::set<std::string> restart;                           // replaced even when nothing differs
};

// For GET /v2/events. `data` is the JSON text; `light` replaces it for plan-format=light.
struct Event {
  std::string type;
  std::string data;
  std::string light;  // empty: the same as data
};

// What has to be written and told since the last time somebody asked.
struct Effects {
  std::set<std::string> nodes;  // whose assignments changed
  std::set<std::string> apps;
  std::set<std::string> deployments;
  std::set<std::string> specs;
  std::set<std::string> history;  // versions of the root group
  bool groups = false;
  bool services = false;
  std::vector<Event> events;
  bool must_write() const {
    return groups || !nodes.empty() || !apps.empty() || !deployments.empty() || !specs.empty() ||
           !history.empty();
  }
};

std::string task_state(const Instance& instance);  // TASK_RUNNING, …
std::string condition(const Instance& instance);   // Running, …: Marathon's word for an instance
// Marathon's id of the instance that a task belongs to: ours without "._app.1".
std::string instance_name(const api::InstanceId& id);

}  // namespace node::master
