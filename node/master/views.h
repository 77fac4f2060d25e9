// SPDX-License-Identifier: Apache-2.0
// The scheduler's state as Marathon's JSON: pure reads for the routes and the event stream.
//
// 1. Field names and shapes are those of Marathon 1.11. Clients with fixed schemas refuse fields
// they do not know, so nothing of ours is added unless the client sent it. Threads: the
// scheduler's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/json.h"
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

struct GroupEmbed {
  bool apps = true;
  bool groups = true;
  AppEmbed app;
};
GroupEmbed read_group_embed(const std::vector<std::string>& embed);

// One app as Marathon shows it. Requires: the app is not being removed.
base::Json app_json(const Scheduler& scheduler, const AppState& app, const AppEmbed& embed);
// A definition of the past: the document, its version and versionInfo.
base::Json version_json(const App& app);
base::Json task_json(const Scheduler& scheduler, const Instance& instance);
// GET /v2/tasks as text: app, service port, host:port of each running instance.
std::string tasks_text(const Scheduler& scheduler);
base::Json queue_json(const Scheduler& scheduler);
// Nothing when there is no such group.
std::optional<base::Json> group_json(const Scheduler& scheduler, const std::string& id,
                                     const GroupEmbed& embed);
bool has_group(const Scheduler& scheduler, const std::string& id);

base::Json steps_json(const Deployment& deployment);
base::Json current_actions_json(const Deployment& deployment);
// One entry of GET /v2/deployments.
base::Json deployment_json(const Deployment& deployment);
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
base::Json mesos_state(const Scheduler& scheduler, const MesosIdentity& identity);
base::Json mesos_summary(const Scheduler& scheduler, const MesosIdentity& identity);
base::Json mesos_slaves(const Scheduler& scheduler);
base::Json mesos_tasks(const Scheduler& scheduler, const MesosIdentity& identity);
base::Json mesos_frameworks(const Scheduler& scheduler, const MesosIdentity& identity);
base::Json mesos_metrics(const Scheduler& scheduler);

}  // namespace node::master
