// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "common/rest/daemon.h"
#include "node/agent/agent.h"

int main(int argc, char** argv) {
  rest::DaemonSpec spec;
  spec.name = "agentd";
  spec.about = "Runs this node's instances: containers and processes as systemd units.";
  spec.check = [](const base::Json& json) -> base::Result<void> {
    TRY(node::agent::read_config(json));
    TRY(rest::read_listeners(json, "listen", {}));
    TRY(rest::read_limits(json));
    return {};
  };
  spec.start = node::agent::start_agent;
  spec.describe_routes = node::agent::describe_routes;
  return rest::run_daemon(argc, argv, spec);
}
