// SPDX-License-Identifier: Apache-2.0
// The frame of every daemon: command line, configuration, log, loop, signals, readiness, watchdog,
// clean end.
//
//   int main(int argc, char** argv) {
//     return rest::run_daemon(argc, argv, {.name = "agentd", .check = check_config, .start =
//     start});
//   }
//
// --config FILE (default /etc/gestalt/NAME.json), --check-config, --print-openapi, --dump-routes,
// --debug, --version, --help. SIGTERM and SIGINT end it cleanly, SIGHUP reloads. READY=1 is sent
// when start() has succeeded, RELOADING=1 around a reload, STOPPING=1 at the end; the watchdog is
// fed by the loop. The umask is 007. The clean end takes at most 5 s, then the daemon ends at once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/rest/metrics.h"
#include "common/rest/route.h"
#include "common/rest/server.h"
#include "common/sys/event_loop.h"

namespace rest {

struct DaemonContext {
  sys::EventLoop& loop;
  sys::WorkerPool& workers;
  Metrics& metrics;
  const base::Json& config;
};

// What a daemon is made of once it runs. Destroyed on the loop thread after the server has shut
// down.
class DaemonBody {
 public:
  virtual ~DaemonBody() = default;
  // The new configuration has been checked. Fields that do not change under way are left as they
  // are; the log names those that wait for a restart.
  virtual base::Result<void> reload(const base::Json& config) = 0;
  // Begins the clean end; `done` once nothing is under way.
  virtual void stop(std::function<void()> done) = 0;
};

struct DaemonSpec {
  std::string
      name;  // "agentd": configuration /etc/gestalt/agentd.json, metrics prefix, log identifier
  std::string about;  // one sentence for --help
  // Checks the whole configuration. Errors carry a JSON pointer; also used by --check-config.
  std::function<base::Result<void>(const base::Json&)> check;
  std::function<base::Result<std::unique_ptr<DaemonBody>>(DaemonContext)> start;
  // JSON pointers of what reload() takes over, beside the rates of "limits".
  std::vector<std::string_view> live_fields = {};
  // The table without a service behind it, for --print-openapi and --dump-routes:
  // `table.describe(kRoutes)`. The standard routes are added when they are missing.
  std::function<void(RouteTable&)> describe_routes;
  std::size_t worker_threads = 4;
};

// Exit status: 0 clean end, 1 failed to start or run, 2 wrong usage or configuration.
int run_daemon(int argc, char** argv, const DaemonSpec& spec);

// Listener options as every daemon's configuration has them:
// "listen": [{"unix": "/run/gestalt/x.sock"}, {"address": "127.0.0.1", "port": 5051, "certificate":
// …, "key": …, "client_ca": …}]. An address that stands for every network of the node is refused.
// Errors: invalid_argument field_*, each with a pointer.
base::Result<std::vector<ListenerOptions>> read_listeners(const base::Json& config,
                                                          std::string_view field,
                                                          std::vector<ListenerOptions> fallback);
// "limits": {"requests_per_second", "requests_burst", "address_requests_per_second",
// "address_requests_burst", "connections_max", "connections_per_address_max"} as every daemon's
// configuration has it; what is absent keeps its default. Errors: invalid_argument field_*.
base::Result<ServerLimits> read_limits(const base::Json& config, std::string_view field = "limits");

}  // namespace rest
