// SPDX-License-Identifier: Apache-2.0
// gestalt-dfs-storage's configuration, /etc/gestalt/dfs-storage.json. Every field is `reload:
// restart`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/base/net.h"
#include "common/rest/server.h"

namespace dfs::storage {

struct DaemonConfig {
  std::vector<rest::ListenerOptions> listen;
  std::filesystem::path tokens_file = "/var/lib/gestalt/credentials/tokens.json";
  std::string cluster = "gestalt";
  std::filesystem::path folder = "/var/lib/gestalt/dfs/data";
  std::filesystem::path device;  // claimed and mounted at `folder` before the start; empty: none
  std::uint64_t device_bytes_min = std::uint64_t{15} * 1000 * 1000 * 1000;
  std::string address = "127.0.0.1";  // where clients and other servers reach this one
  std::uint16_t port = 7863;
  std::vector<base::Endpoint> metadata;
  std::size_t min_in_sync = 2;
  std::uint64_t reserve_bytes = std::uint64_t{1} << 30;
  std::uint64_t journal_segment_bytes = std::uint64_t{64} << 20;
  std::size_t journal_segments_max = 16;
  std::uint64_t scrub_bytes_per_second = std::uint64_t{32} << 20;
  std::uint64_t scrub_days = 7;
};

// Errors: those of Fields, with a pointer.
base::Result<DaemonConfig> read_daemon_config(const base::Json& json);
// "10.0.0.1:7861", "[fd00::1]:7861". Errors: invalid_argument endpoint_invalid.
base::Result<base::Endpoint> parse_endpoint(const std::string& text);

}  // namespace dfs::storage
