// SPDX-License-Identifier: Apache-2.0
// gestalt-netfwd's configuration, /etc/gestalt/netfwd.json. Every field is `reload: restart`.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/rest/server.h"
#include "netfw/api/wire.h"
#include "netfw/daemon/firewalls.h"
#include "netfw/dns/zone.h"
#include "netfw/haproxy/config.h"

namespace netfw {

// unit: systemd runs HAProxy (gestalt-haproxy.service). child: the daemon runs it. off: there is
// none on this node.
enum class HaproxyMode { unit, child, off };

struct Config {
  std::vector<rest::ListenerOptions> listen;
  rest::ServerLimits limits;
  std::filesystem::path state_folder = "/var/lib/gestalt/netfw";
  std::filesystem::path tokens_file = "/var/lib/gestalt/credentials/tokens.json";
  // User names on this machine and what they may do on the unix socket.
  std::map<std::string, std::vector<std::string>> peer_scopes = {
      {"gestalt-master", {"netfw:deploy", "netfw:read"}}};

  FirewallOptions firewall;          // kind off: leave the packet filter alone
  Policy policy = default_policy();  // until one is stored
  // No management networks are configured: those of this interface manage. Empty: daemon/networks.h
  // finds it.
  bool follows_networks = true;
  std::string management_interface = {};

  HaproxyMode haproxy_mode = HaproxyMode::unit;
  std::filesystem::path haproxy_binary = "/usr/sbin/haproxy";
  std::filesystem::path haproxy_run_folder = "/run/gestalt/haproxy";
  std::filesystem::path certificates = "/etc/gestalt/certificates";
  // Empty: names are not served.
  std::vector<IpAddress> dns_listen;
  std::uint16_t dns_port = 53;
  dns::ZoneOptions names;

  LbSkeleton skeleton;  // without extra ports and pools, which the services decide
};

// Errors: those of Fields, with a pointer.
base::Result<Config> read_config(const base::Json& json);

}  // namespace netfw
