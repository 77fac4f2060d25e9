// SPDX-License-Identifier: Apache-2.0
// masterd as the daemon frame runs it: configuration, coordination, service, listeners.
#pragma once

#include "common/rest/daemon.h"
#include "node/master/service.h"

namespace node::master {

struct Config {
  std::string address = "127.0.0.1";  // told to clients as the leader's. reload: restart
  std::string coordination_folder = "/var/lib/gestalt/coordination";
  std::string tokens_file = "/var/lib/gestalt/credentials/tokens.json";
  std::string netfw_socket = "/run/gestalt/netfwd.sock";  // empty: no netfwd
  std::string agent_socket = "/run/gestalt/agentd.sock";  // asked what instances use
  std::vector<rest::ListenerOptions> listen;
  rest::ServerLimits limits;
  std::map<std::string, std::vector<std::string>> peer_scopes;  // by user name
};

// Errors: invalid_argument with the pointer of the field.
base::Result<Config> read_config(const base::Json& json);

// The first TCP port is Marathon's and the next other one Mesos'; both serve all routes, each
// perhaps on several addresses.
void use_ports(const std::vector<rest::ListenerOptions>& listen, ServiceOptions& options);

rest::DaemonSpec make_spec();

}  // namespace node::master
