// SPDX-License-Identifier: Apache-2.0
// An application definition: what a client asked for, checked, completed and ready to schedule.
//
// Made by make_app() from Marathon's JSON; used by the scheduler, the views and the store.
// 1. `document` is the whole definition with every default filled in, without what only the master
// knows (versions, task counts). Two definitions are the same when their documents are equal.
// 2. The other fields are read from the document once; nothing edits them apart from it.
// 3. Values are immutable once they are in the scheduler: an AppPtr is shared by the current state,
// by running deployments and by views, none of which outlives the others in a fixed order.
// Source: Marathon 1.11 REST API.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "node/master/problems.h"

namespace node::master {

using Document = std::shared_ptr<const base::Json>;

enum class Operator { unique, cluster, group_by, like, unlike, max_per, is };

struct Constraint {
  std::string field;  // "hostname" or the name of a node attribute
  Operator op = Operator::unique;
  std::string value;  // empty when absent
};

// One port of an instance, in the order of PORT0, PORT1, …
struct PortSlot {
  std::string name;
  std::string protocol = "tcp";  // "tcp", "udp" or "udp,tcp"
  int container_port = 0;        // 0: the same as the host port
  int host_port = 0;             // 0: any
  int service_port = 0;          // 0: none wanted (bridge ports may say so), set by the scheduler
  friend bool operator==(const PortSlot&, const PortSlot&) = default;
};

enum class KillSelection { youngest_first, oldest_first };
enum class OnFailure { rollback, pause, go_on };

// What Marathon cannot say: when a deployment has failed and what happens then.
struct RolloutPolicy {
  std::chrono::seconds deadline{0};  // 0: none
  int failures_max = 0;              // failed new instances a deployment bears; 0: any number
  OnFailure on_failure = OnFailure::rollback;
  int canary_instances = 0;  // replaced first, and looked at before the others are; 0: none
  std::chrono::seconds canary_time{60};  // for which all of them must be healthy
};

struct App {
  std::string id;  // "/demo/web"
  Document document;

  std::string version;          // of this definition
  std::string restart_version;  // the version since which instances need no restart
  std::string last_scaling_at;
  std::string last_config_change_at;

  std::int64_t instances = 1;
  double cpus = 1;
  std::int64_t memory_bytes = 0;
  std::int64_t disk_bytes = 0;
  std::vector<Constraint> constraints;
  std::vector<PortSlot> ports;
  bool require_ports = false;
  std::vector<std::string> dependencies;
  double health_capacity_min = 1;  // upgradeStrategy.minimumHealthCapacity
  double over_capacity_max = 1;    // upgradeStrategy.maximumOverCapacity
  base::Duration backoff{};
  double backoff_factor = 1.15;
  base::Duration launch_delay_max{};
  KillSelection kill_selection = KillSelection::youngest_first;
  bool unreachable_disabled = false;
  std::chrono::seconds inactive_after{0};
  std::chrono::seconds expunge_after{0};
  bool has_health_checks = false;
  std::vector<int> health_failures_max;  // per health check; 0: never kill
  bool has_readiness_checks = false;
  bool has_persistent_volumes = false;
  RolloutPolicy rollout;
};

using AppPtr = std::shared_ptr<const App>;

// ceil(n·minimumHealthCapacity) and floor(n·(1+maximumOverCapacity)).
std::int64_t healthy_min(const App& app, std::int64_t instances);
std::int64_t total_max(const App& app, std::int64_t instances);

// Absolute form of an app or group id seen from `base` ("/" at the top): "web" in "/demo" is
// "/demo/web", "../db" is "/db"; empty segments are left out. Nothing when it is no valid id.
std::optional<std::string> resolve_id(std::string_view id, std::string_view base = "/");
// "/demo/web" is in "/demo" and in "/".
bool is_within(std::string_view id, std::string_view group);
std::string parent_of(std::string_view id);

// Reads, checks and completes a definition. `base` is the group that relative ids start from.
// Notes what is wrong in `problems` under `pointer` and returns nothing then. Service ports that
// are 0 stay 0 in the result.
std::optional<App> make_app(const base::Json& wanted, std::string_view base,
                            const std::string& pointer, Problems& problems);

// `update` over `current` as PUT with partialUpdate does it: a field that is given replaces the
// whole old one, null removes it.
base::Json merge_update(const base::Json& current, const base::Json& update);

// The app with other service ports, in `ports` and in the document alike.
App with_service_ports(App app, const std::vector<int>& service_ports);
App with_instances(App app, std::int64_t instances);

// What a change asks of running instances.
enum class Difference {
  none,
  scale,    // only the number of instances
  live,     // labels, checks, limits, strategies: applied without a restart
  restart,  // instances have to be replaced
};
Difference compare(const App& before, const App& after);

// The record as it is kept: document and versions.
base::Json to_record(const App& app);
// Errors: corrupt record_corrupt.
base::Result<App> from_record(const base::Json& record);

}  // namespace node::master
