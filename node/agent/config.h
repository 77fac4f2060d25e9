// SPDX-License-Identifier: Apache-2.0
// The agent's configuration: /etc/gestalt/agentd.json. Every field is optional.
// Threads: a plain value, read once; a change needs a restart, which no instance notices.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "node/agent/bridge.h"
#include "node/api/node.h"

namespace node::agent {

enum class UserNamespaces { automatic, on, off };

struct ImageLimits {
  std::chrono::seconds unused_min{24 * 3600};  // an image without instances is kept this long
  std::int64_t disk_used_percent_max = 80;     // above it unused images go, oldest first
  std::chrono::seconds pull_deadline{1800};
  // For registries: containers-auth.json(5). Empty: no credentials, wherever the node keeps some.
  std::filesystem::path credentials_file;
  std::vector<std::string> plain_registries;  // host[:port] that are spoken to without TLS
};

enum class VolumeEngine { dfs, folder };

// Where the volumes of applications lie.
struct VolumesConfig {
  VolumeEngine engine = VolumeEngine::dfs;
  std::vector<std::string> servers{"127.0.0.1:7861"};  // metadata servers: host[:port]
  std::filesystem::path meta_socket = "/run/gestalt/dfs-meta.sock";
  std::string mount = "/usr/libexec/gestalt/gestalt-dfs-mount";
  std::int64_t inodes_max = 20'000;  // that each mount remembers
  std::int64_t dirty_mib = 16;       // that each mount may hold back
};

struct Config {
  std::string name;     // default: the host name
  std::string address;  // default: the first address that is not loopback, else 127.0.0.1
  api::Zone zone = api::Zone::core;
  std::map<std::string, std::string> attributes;
  api::NodeResources resources;  // 0: what the machine has
  std::int64_t port_first = 3000;
  std::int64_t port_last = 4000;
  std::filesystem::path state_folder = "/var/lib/gestalt/agent";
  std::filesystem::path run_folder = "/run/gestalt";
  std::filesystem::path volumes_folder = "/var/lib/gestalt/volumes";
  std::filesystem::path coordination_folder = "/var/lib/gestalt/coordination";
  std::filesystem::path tokens_file = "/var/lib/gestalt/credentials/tokens.json";
  std::string master_socket = "/run/gestalt/masterd.sock";
  std::string netfw_socket = "/run/gestalt/netfwd.sock";
  std::map<std::string, std::vector<std::string>> peer_scopes{{"gestalt-master", {"node:read"}}};
  ImageLimits images;
  BridgeConfig bridge;
  VolumesConfig volumes;
  std::int64_t starts_max = 0;  // at the same time; 0: twice the number of processors
  std::int64_t pids_default = 4096;
  UserNamespaces user_namespaces = UserNamespaces::automatic;
  std::string oci_start = "/usr/libexec/gestalt/gestalt-oci-start";
  std::string crun = "/usr/bin/crun";
  std::string skopeo = "/usr/bin/skopeo";
  std::string umoci = "/usr/bin/umoci";
  std::string socket_proxy = "/usr/lib/systemd/systemd-socket-proxyd";
  std::string mkfs = "/usr/sbin/mkfs.ext4";  // for the file systems of disk limits
};

// Errors: invalid_argument with the pointer of the field.
base::Result<Config> read_config(const base::Json& json);

// Fills in what depends on the machine: name, address, resources, starts_max.
base::Result<void> complete_from_machine(Config& config);

}  // namespace node::agent
