// SPDX-License-Identifier: Apache-2.0
// Ends flows that the kernel knows already: a closed rule does not stop them by itself.
//
// Used by the daemon when it closes an instance or a service port, after the set was changed.
// Threads: one at a time. Source: ctnetlink through libnl-nf 3.
#pragma once

#include <vector>

#include "common/base/result.h"
#include "netfw/api/grammar.h"

namespace netfw {

// Deletes every tracked flow whose original destination is one of `endpoints`, or one of
// `tcp_ports` on any address, and returns how many there were. Cost: one dump of the table.
base::Result<std::size_t> revoke_flows(const std::vector<Endpoint>& endpoints,
                                       const std::vector<std::uint16_t>& tcp_ports);

}  // namespace netfw
