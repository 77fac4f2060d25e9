// SPDX-License-Identifier: Apache-2.0
// Configuration of gestalt-dfs-meta, as /etc/gestalt/dfs-meta.json has it. All: reload: restart.
// Threads: plain values.
#pragma once

#include <string>
#include <vector>

#include "common/rest/daemon.h"
#include "dfs/meta/server.h"

namespace dfs::meta {

struct MemberConfig {
  std::string name;  // 1 to 32 of a-z, 0-9 and -
  base::Endpoint clients;
  base::Endpoint peers;
};

struct Config {
  std::string name = "local";         // of this server; one of `members`
  std::vector<MemberConfig> members;  // all metadata servers; default: this one on 127.0.0.1
  std::size_t min_in_sync = 1;        // copies of what is acknowledged; default: the majority
  std::string state_folder = "/var/lib/gestalt/dfs-meta";
  std::string coordination_folder = "/var/lib/gestalt/coordination";
  std::string tokens_file = "/var/lib/gestalt/credentials/tokens.json";
  std::size_t map_bytes = std::size_t{64} << 30;  // most that the state may take; virtual memory
  std::uint64_t journal_segment_bytes = std::uint64_t{16} << 20;
  std::size_t journal_segments_max = 8;
  ServerOptions server;
  std::vector<rest::ListenerOptions> listen;

  const MemberConfig& self() const;
};

// Errors: invalid_argument with the pointer of the field.
base::Result<Config> read_config(const base::Json& json);

}  // namespace dfs::meta
