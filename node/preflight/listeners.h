// SPDX-License-Identifier: Apache-2.0
// Who listens on which TCP port of this machine. Reads /proc/net/tcp, /proc/net/tcp6 and the
// processes' descriptors.
// Source: proc(5); Documentation/networking/proc_net_tcp.rst.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "node/preflight/tree.h"

namespace node::preflight {

struct Listener {
  std::uint16_t port = 0;
  std::uint64_t inode = 0;
  int pid = 0;          // 0 when no process that we may look at holds the socket
  std::string process;  // its name, as in /proc/PID/comm
  std::string unit;     // its systemd unit, from /proc/PID/cgroup
};

// Sorted by port, one entry for each port. Cost: O(descriptors of all processes).
std::vector<Listener> list_listeners(const Tree& tree);

// Whether the listener is one of Gestalt's daemons or an engine that Gestalt drives.
bool is_ours(const Listener& listener);

}  // namespace node::preflight
