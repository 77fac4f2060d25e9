// SPDX-License-Identifier: Apache-2.0
// HAProxy's configuration and map files, rendered from typed values.
//
// Used by the daemon. Whatever a label said, the text holds the directives below and no others.
// 1. The file is complete: a HAProxy that starts from it serves what was desired when it was
// written, with all members.
// 2. Equal input gives equal text.
// Threads: any. Source: HAProxy 2.6 configuration manual.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "netfw/model/balance.h"

namespace netfw {

// What only a reload can change.
struct LbSkeleton {
  std::filesystem::path folder = "/var/lib/gestalt/netfw/haproxy";  // configuration and maps
  std::filesystem::path admin_socket = "/run/gestalt/haproxy/admin.sock";
  std::string user = {};           // after binding; empty: stay who we are
  std::string bind_address = "*";  // "*" is every address of both families
  bool ipv6 = true;
  std::uint16_t http_port = 80;
  std::uint16_t https_port = 443;
  std::filesystem::path certificate_folder = {};  // certificates.h; empty: no https frontend
  std::uint16_t range_first = 10000;
  std::uint16_t range_last = 10099;
  std::set<std::uint16_t> extra_ports = {};
  std::map<PoolKind, unsigned> pools = {};
  unsigned connections_max = 4000;
  friend bool operator==(const LbSkeleton&, const LbSkeleton&) = default;
};

std::filesystem::path config_path(const LbSkeleton& skeleton);
std::filesystem::path map_path(const LbSkeleton& skeleton, MapId id);

std::string render_config(const LbSkeleton& skeleton, const LbState& state);
std::string render_map(const RouteMap& map);

// Tells skeletons apart. The configuration carries it, and `show info` tells which one runs.
std::string fingerprint(const LbSkeleton& skeleton);

// "10.0.0.2:3001" or "[fd00::2]:3001".
std::string host_and_port(const IpAddress& address, std::uint16_t port);
// The words behind a server's address, the same in the file and in `add server`.
std::string_view server_options();

// Whether such a path may stand in the configuration: no spaces, quotes or other bytes that mean
// something there. Errors: invalid_argument config_path_unusable.
base::Result<void> check_path(const std::filesystem::path& path);

}  // namespace netfw
