// SPDX-License-Identifier: Apache-2.0
// The scheduler's state as Marathon's JSON: pure reads for the routes and the event stream.
//
// In two steps, so that big lists cost the loop little: look_at() copies what a view needs on the
// scheduler's thread; what renders an AppView runs on any thread.
// 1. Field names and shapes are those of Marathon 1.11. Clients with fixed schemas refuse fields
// they do not know, so nothing of ours is added unless the client sent it. Threads: functions that
// take a Scheduler: the scheduler's; the others any.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "node/master/json_text.h"
#include "node/master/scheduler.h"

namespace node::master {

// Which parts of an app are shown besides its definition.
struct AppEmbed {
  bool tasks = false;
  bool counts = true;
  bool deployments = true;
  bool last_failure = false;
  bool stats = false;
  bool readiness = false;
};
// Reads ?embed=apps.tasks, app.tasks, group.apps.tasks, apps.failures, …
AppEmbed read_app_embed(const std::vector<std::string>& embed, AppEmbed start = {});

struct Counts {
  int staged = 0;
  int running = 0;
  int healthy = 0;
  int unhealthy = 0;
};

// What the readiness checks of one instance have said.
struct InstanceReadiness {
  api::InstanceId id;
  std::vector<api::ReadinessResult> results;
};
// Of the first `count_max` instances of the app's running definition. Cost: O(instances), nothing
// for an app without readiness checks.
std::vector<InstanceReadiness> look_at_readiness(const Scheduler& scheduler, const AppState& app,
                                                 std::size_t count_max = SIZE_MAX);
// Marathon's readinessCheckResults.
base::Json readiness_json(const std::vector<InstanceReadiness>& readiness);

// One app at one time. Instances are copied only for the parts that show them.
struct AppView {
  AppPtr app;
  std::string deployment;
  Counts counts;
  std::optional<TaskFailure> last_failure;
  std::vector<Instance> instances;
  std::vector<InstanceReadiness> readiness = {};
};
// Requires: the app is not being removed. Cost: O(instances).
AppView look_at(const Scheduler& scheduler, const AppState& app, const AppEmbed& embed);

struct GroupEmbed {
  bool apps = true;
  bool groups = true;
  AppEmbed app;
};
GroupEmbed read_group_embed(const std::vector<std::string>& embed);

// One app as Marathon shows it.
base::Json app_json(const AppView& view, const AppEmbed& embed);
base::Json app_json(const Scheduler& scheduler, const AppState& app, const AppEmbed& embed);
// A definition of the past: the document, its version and versionInfo.
base::Json version_json(const App& app);
// `app` is the instance's current definition, or null.
base::Json task_json(const Instance& instance, const App* app);
base::Json task_json(const Scheduler& scheduler, const Instance& instance);
// An app's lines of GET /v2/tasks as text: service port, host:port of each running instance.
std::string tasks_text(const AppView& view);

// An app that waits for a place or for its back-off.
struct QueueEntry {
  AppPtr app;
  std::int64_t missing = 0;
  std::string waiting_since;
  std::int64_t delay_left_seconds = 0;
  Refusals refusals;
};
std::vector<QueueEntry> look_at_queue(const Scheduler& scheduler);
base::Json queue_json(const std::vector<QueueEntry>& entries);

// A group and all in it at one time.
struct GroupView {
  std::string id;
  std::string version;                      // of the root; empty: the last change of anything in it
  std::map<std::string, GroupInfo> groups;  // in it
  std::vector<AppView> apps;                // in it, by id
};
// As JSON text. Cost: O((apps + groups) · depth).
std::string group_text(const GroupView& view, const GroupEmbed& embed);
bool has_group(const Scheduler& scheduler, const std::string& id);
bool has_group(const GroupContent& content, const std::string& id);

base::Json steps_json(const Deployment& deployment);
// By app: what the readiness checks of the current step's apps have said, of at most 100 instances
// each.
using DeploymentReadiness = std::map<std::string, std::vector<InstanceReadiness>>;
DeploymentReadiness look_at_readiness(const Scheduler& scheduler, const Deployment& deployment);
base::Json current_actions_json(const Deployment& deployment, const DeploymentReadiness& readiness);
// One entry of GET /v2/deployments.
base::Json deployment_json(const Deployment& deployment, const DeploymentReadiness& readiness);
enum class PlanFormat { full, light };
// "plan" of deployment events; the full format has the definitions before and after.
base::Json plan_json(const Deployment& deployment, const std::map<std::string, AppState>& apps,
                     PlanFormat format);

// --- Mesos' read-only state, port 5050.
struct MesosIdentity {
  std::string framework_id;
  std::string address;  // of this master
  int port = 5050;
};
struct MesosNode {
  api::Node info;
  bool known = false;
  bool live = false;
  Usage used;
};
// What Mesos' views need besides the tasks, at one time.
struct MesosView {
  MesosIdentity identity;
  std::vector<MesosNode> nodes;
  std::map<std::string, int> states;  // TASK_RUNNING → how many
};
MesosView look_at_mesos(const Scheduler& scheduler, MesosIdentity identity);
base::Json mesos_task(const Instance& instance, const App* app, const MesosIdentity& identity);
// The two lists of tasks that a framework has.
struct MesosTasks {
  ListText reachable;
  ListText unreachable;
  void add(const Instance& instance, const App* app, const MesosIdentity& identity);
};
// JSON texts; they take the tasks.
std::string mesos_state(const MesosView& view, MesosTasks& tasks);
std::string mesos_frameworks(const MesosView& view, MesosTasks& tasks);
base::Json mesos_summary(const MesosView& view);
base::Json mesos_slaves(const MesosView& view);
base::Json mesos_metrics(const MesosView& view);

}  // namespace node::master
