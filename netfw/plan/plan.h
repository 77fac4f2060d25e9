// SPDX-License-Identifier: Apache-2.0
// From what should be and what is to the ordered steps between: pure, and most of what there is to
// test.
//
// 1. Opening goes firewall, member, route; closing goes route, member, firewall, flows. So a member
// in rotation can always be reached, and what can be reached has been drained.
// 2. What is opened comes before what is closed: a replacement serves before its predecessor goes.
// 3. Equal sides give no steps.
// Threads: any.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "netfw/model/balance.h"
#include "netfw/model/firewall.h"

namespace netfw {

// Members of sets that are added; what is removed comes in CloseFirewall.
struct OpenFirewall {
  std::vector<SetChange> changes;
};
struct AddServer {
  PoolName pool;
  ServerName name;
  unsigned id;
  LbServer server;
};
struct SetReady {
  PoolName pool;
  ServerName name;
  bool ready;
};
struct SetRoute {
  MapId map;
  RouteKey key;
  PoolName pool;
  bool replaces;  // the key is there with another pool
};
struct DropRoute {
  MapId map;
  RouteKey key;
};
// Takes the place of more than kRouteStepsMax single changes to one map: one atomic commit.
struct ReplaceMap {
  MapId map;
  RouteMap entries;
};
struct RemoveServer {
  PoolName pool;
  ServerName name;
};
struct CloseFirewall {
  std::vector<SetChange> changes;
};
// Flows to these are ended even though they are established.
struct RevokeFlows {
  std::vector<Endpoint> endpoints;
  std::vector<std::uint16_t> tcp_ports;  // on any address of this node
};
using Step = std::variant<OpenFirewall, AddServer, SetReady, SetRoute, ReplaceMap, DropRoute,
                          RemoveServer, CloseFirewall, RevokeFlows>;

inline constexpr std::size_t kRouteStepsMax = 64;

std::vector<Step> plan_firewall_open(const FirewallSets& desired, const FirewallSets& observed);
std::vector<Step> plan_balance(const LbState& desired, const LbSeen& observed);
// `kept` are endpoints whose flows may go on although their port is closed: instances that are
// unhealthy, not gone.
std::vector<Step> plan_firewall_close(const FirewallSets& desired, const FirewallSets& observed,
                                      const std::set<Endpoint>& kept);

// All three in order.
std::vector<Step> plan(const FirewallSets& desired_sets, const FirewallSets& observed_sets,
                       const LbState& desired_lb, const LbSeen& observed_lb,
                       const std::set<Endpoint>& kept);

std::string describe(const Step& step);

// What `seen` is once the step has been carried out.
void note_done(const Step& step, FirewallSets& sets, LbSeen& seen);

}  // namespace netfw
