// SPDX-License-Identifier: Apache-2.0
// Whether a change of the policy takes the management of the node away from somebody who has it.
//
// Used by the daemon before it puts a policy into force. To manage is to open new connections to
// SSH, by whichever rule, or from a management network to a management port. Both families count,
// and what passes the node to others does not: the chain `forward` leads to no SSH of this node.
// 1. Nobody loses: what a policy gives is part of what the next one gives. So of any number of such
// changes one after the other none takes anything away from the first.
// Threads: any.
#pragma once

#include <cstdint>
#include <vector>

#include "netfw/model/firewall.h"

namespace netfw {

inline constexpr std::size_t kLossesMax = 100;

// New TCP connections from all of `source`, or from a part of it, to `port` are not let in any
// more.
struct AccessLoss {
  std::uint16_t port = 0;
  IpNet source;
  friend bool operator==(const AccessLoss&, const AccessLoss&) = default;
};
// The first kLossesMax of them, SSH before the other ports; empty: nobody loses.
// Cost: O(networks of `from` × networks of `to`).
std::vector<AccessLoss> access_lost(const FirewallIr& from, const FirewallIr& to);

}  // namespace netfw
