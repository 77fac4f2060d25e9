// SPDX-License-Identifier: Apache-2.0
// The command line of gestalt-dfs-mount, which mount(8) also calls as mount.gestalt:
//
//   gestalt-dfs-mount SERVER[:PORT][,SERVER[:PORT]…]:/VOLUME FOLDER [-o OPTION[,OPTION…]] [-f]
//   gestalt-dfs-mount --detach FOLDER
//
// Threads: stateless.
#pragma once

#include <string>
#include <vector>

#include "dfs/fuse/mount.h"

namespace dfs::fuse {

inline constexpr std::uint16_t kMetaPort = 7861;

struct Server {
  std::string host;  // a name or an IP address
  std::uint16_t port = kMetaPort;
  friend bool operator==(const Server&, const Server&) = default;
};

struct CommandLine {
  std::vector<Server> servers;
  std::string volume;
  MountOptions mount;
  VolumeEpoch epoch = 0;
  bool takeover = false;
  bool foreground = false;
  bool help = false;
  std::size_t inodes_max = 0;  // 0: the client's own
  std::uint64_t dirty_mib = 0;
  int debug = 0;
};

extern const char* const kUsage;

// Errors: invalid_argument mount_option_invalid, mount_source_invalid.
base::Result<CommandLine> parse_command_line(const std::vector<std::string>& words);

}  // namespace dfs::fuse
