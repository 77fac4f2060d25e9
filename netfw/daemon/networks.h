// SPDX-License-Identifier: Apache-2.0
// The networks that manage this node when no operator has said which: those that its management
// interface is attached to.
//
// Used by the engine while no policy is stored and the configuration names no management networks.
// 1. The management interface is the configured one; without one, that of the default route with
// the lowest metric (IPv4 first); without such a route, the first that is up and not loopback.
// 2. A network of one address (/32, /128) and link-local ones do not count: nobody else is in the
// first, and the second are the same on each interface.
// Threads: any. Source: getifaddrs(3), /proc/net/route, /proc/net/ipv6_route.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "netfw/api/wire.h"

namespace netfw {

struct Attached {
  std::string interface;
  unsigned index = 0;
  IpNet net;
};
struct DefaultRoute {
  std::string interface;
  Family family = Family::v4;
  std::uint32_t metric = 0;
};

// Pure. `configured` is empty when no interface is configured.
std::vector<IpNet> choose_networks(const std::vector<Attached>& attached,
                                   const std::vector<DefaultRoute>& routes,
                                   std::string_view configured);
// Lines that do not look like routes are passed over.
std::vector<DefaultRoute> parse_routes4(std::string_view text);
std::vector<DefaultRoute> parse_routes6(std::string_view text);

// Empty while the interface is down or has no address.
std::vector<IpNet> find_management_networks(std::string_view configured);

}  // namespace netfw
