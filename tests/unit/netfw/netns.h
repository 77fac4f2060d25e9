// SPDX-License-Identifier: Apache-2.0
// A node and a client in two fresh network namespaces joined by a veth pair, for tests of the
// kernel's packet filter.
//
// 1. While it lives, the calling thread is in the node's namespace; everything it starts is too.
// 2. Nothing has a name outside: the namespaces go with the object.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/sys/handle.h"
#include "netfw/model/firewall.h"

namespace netfw_test {

// Runs a program to its end and returns its output; a status other than 0 ends the test.
std::string run_tool(const std::vector<std::string>& argv);

class TwoNodes {
 public:
  TwoNodes();
  ~TwoNodes();
  TwoNodes(const TwoNodes&) = delete;
  TwoNodes& operator=(const TwoNodes&) = delete;

  void enter_client() const;
  void enter_node() const;

 private:
  sys::Fd home_;
  sys::Fd node_;
  sys::Fd client_;
};

// Zones as addresses: the client and the node have one address each in every zone and family.
enum class Zone { management = 1, cluster = 2, outside = 3 };
netfw::IpAddress client_address(Zone zone, netfw::Family family);
netfw::IpAddress node_address(Zone zone, netfw::Family family);
netfw::IpNet zone_net(Zone zone, netfw::Family family);

struct Probe {
  netfw::Transport transport = netfw::Transport::tcp;
  netfw::IpAddress source;
  netfw::IpAddress destination;
  std::uint16_t port = 0;
};
// Sends one new packet per probe from the client and says for each whether the node let it in.
// Ports without a listener answer with a reset or an ICMP error, which is the sign.
std::vector<bool> send_probes(const TwoNodes& nodes, const std::vector<Probe>& probes);

}  // namespace netfw_test
