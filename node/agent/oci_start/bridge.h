// SPDX-License-Identifier: Apache-2.0
// A network namespace of the container's own on the node's bridge, and its ports on the node.
//
// 1. The pair of interfaces goes with the container's last process, as its namespace does: nobody
//    has to undo anything. The bridge itself stays with the node.
// 2. Ports of the bridge are isolated: containers reach the node, not each other. Nothing of the
//    node's packet filter changes; from a container the node looks as closed as from outside.
// 3. The node's ports are forwarded by systemd-socket-proxyd, a process per port in the unit of the
//    instance, as the user nobody. The container sees the bridge's address as its client.
// Threads: one. Source: rtnetlink(7), veth(4), systemd-socket-proxyd(8).
#pragma once

namespace oci_start {

constexpr int kForwardsMax = 100;

struct BridgeOptions {
  const char* name = nullptr;     // of the bridge; nullptr: the node's own network
  const char* address = nullptr;  // "a.b.c.d/n"
  const char* gateway = nullptr;
  const char* address6 = nullptr;
  const char* gateway6 = nullptr;
  const char* proxy = nullptr;              // systemd-socket-proxyd
  const char* forwards[kForwardsMax] = {};  // "3005:80"
  int forward_count = 0;
};

// Each prints one line on stderr when it fails.

// Enters a new network namespace and connects it to the bridge, which is made when it is not there.
bool enter_bridge(const BridgeOptions& options);
// The container's root is nobody in the network namespace, but has it to itself: it may listen on
// ports below 1024. Requires: a private mount namespace; `place` is a folder to mount on.
bool open_low_ports(const char* place);
// The listening sockets of the forwards, in `sockets`. Requires: the node's network namespace.
bool listen_forwards(const BridgeOptions& options, int* sockets);
// A proxy process for each; the sockets are closed here.
bool start_proxies(const BridgeOptions& options, const int* sockets);

}  // namespace oci_start
