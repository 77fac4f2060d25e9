// SPDX-License-Identifier: Apache-2.0
#include "netfw/plan/plan.h"

#include <iterator>

namespace netfw {
namespace {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

enum class Half { additions, removals };

std::vector<SetChange> half_of(const FirewallSets& from, const FirewallSets& to, Half half) {
  std::vector<SetChange> out;
  for (SetChange& change : difference(from, to)) {
    if (half == Half::additions) {
      change.nets_removed.clear();
      change.ports_removed.clear();
      change.endpoints_removed.clear();
    } else {
      change.nets_added.clear();
      change.ports_added.clear();
      change.endpoints_added.clear();
    }
    if (!change.empty()) out.push_back(std::move(change));
  }
  return out;
}

const LbServers& members_of(const LbState& state, const PoolName& pool) {
  static const LbServers kNone;
  const auto found = state.pools.find(pool);
  return found == state.pools.end() ? kNone : found->second;
}

const RouteMap& map_of(const std::map<MapId, RouteMap>& maps, MapId id) {
  static const RouteMap kNone;
  const auto found = maps.find(id);
  return found == maps.end() ? kNone : found->second;
}

// A member that is being removed has lost its address; it cannot come back, only anew.
bool is_at(const SeenServer& seen, const LbServer& wanted) {
  return seen.server.address == wanted.address && seen.server.port == wanted.port;
}

void plan_arrivals(const LbState& desired, const LbSeen& observed, std::vector<Step>& out) {
  static const std::map<ServerName, SeenServer> kNone;
  for (const auto& [pool, servers] : desired.pools) {
    const auto found = observed.pools.find(pool);
    const auto& seen = found == observed.pools.end() ? kNone : found->second;
    unsigned id = 0;
    for (const auto& [name, server] : seen) id = std::max(id, server.id);
    for (const auto& [name, server] : servers) {
      const auto there = seen.find(name);
      if (there == seen.end()) {
        out.push_back(AddServer{pool, name, ++id, server});
      } else if (server.ready && !there->second.server.ready && is_at(there->second, server)) {
        out.push_back(SetReady{pool, name, true});
      }
    }
  }
}

void plan_routes(const LbState& desired, const LbSeen& observed, std::vector<Step>& arrivals,
                 std::vector<Step>& departures) {
  for (const MapId id : kMapIds) {
    const RouteMap& wanted = map_of(desired.maps, id);
    const RouteMap& seen = map_of(observed.maps, id);
    std::vector<Step> sets;
    std::vector<Step> drops;
    for (const auto& [key, pool] : wanted) {
      const auto there = seen.find(key);
      if (there == seen.end() || there->second != pool) {
        sets.push_back(SetRoute{id, key, pool, there != seen.end()});
      }
    }
    for (const auto& [key, pool] : seen) {
      if (!wanted.contains(key)) drops.push_back(DropRoute{id, key});
    }
    if (sets.size() + drops.size() > kRouteStepsMax) {
      arrivals.push_back(ReplaceMap{id, wanted});
      continue;
    }
    arrivals.insert(arrivals.end(), sets.begin(), sets.end());
    departures.insert(departures.end(), drops.begin(), drops.end());
  }
}

void plan_departures(const LbState& desired, const LbSeen& observed, std::vector<Step>& out) {
  std::vector<Step> removals;
  for (const auto& [pool, seen] : observed.pools) {
    const LbServers& wanted = members_of(desired, pool);
    for (const auto& [name, server] : seen) {
      const auto there = wanted.find(name);
      const bool gone = there == wanted.end() || !is_at(server, there->second);
      if (server.server.ready && (gone || !there->second.ready)) {
        out.push_back(SetReady{pool, name, false});
      }
      if (gone) removals.push_back(RemoveServer{pool, name});
    }
  }
  out.insert(out.end(), removals.begin(), removals.end());
}

void note_sets(const std::vector<SetChange>& changes, FirewallSets& sets) {
  for (const SetChange& c : changes) {
    for (const IpNet& net : c.nets_removed) sets.nets[c.id].erase(net);
    for (const IpNet& net : c.nets_added) sets.nets[c.id].insert(net);
    for (const std::uint16_t port : c.ports_removed) sets.ports[c.id].erase(port);
    for (const std::uint16_t port : c.ports_added) sets.ports[c.id].insert(port);
    for (const Endpoint& endpoint : c.endpoints_removed) sets.instances.erase(endpoint);
    for (const Endpoint& endpoint : c.endpoints_added) sets.instances.insert(endpoint);
  }
}

std::string member(const PoolName& pool, const ServerName& name) {
  return pool.text() + "/" + name.text();
}

std::string describe_sets(const std::vector<SetChange>& changes) {
  std::string out;
  for (const SetChange& c : changes) {
    out +=
        " " + std::string(set_name(c.id)) + " +" +
        std::to_string(c.nets_added.size() + c.ports_added.size() + c.endpoints_added.size()) +
        " -" +
        std::to_string(c.nets_removed.size() + c.ports_removed.size() + c.endpoints_removed.size());
  }
  return out;
}

}  // namespace

std::vector<Step> plan_firewall_open(const FirewallSets& desired, const FirewallSets& observed) {
  std::vector<SetChange> changes = half_of(observed, desired, Half::additions);
  if (changes.empty()) return {};
  return {OpenFirewall{std::move(changes)}};
}

std::vector<Step> plan_balance(const LbState& desired, const LbSeen& observed) {
  std::vector<Step> out;
  std::vector<Step> departures;
  plan_arrivals(desired, observed, out);
  plan_routes(desired, observed, out, departures);
  plan_departures(desired, observed, departures);
  out.insert(out.end(), departures.begin(), departures.end());
  return out;
}

std::vector<Step> plan_firewall_close(const FirewallSets& desired, const FirewallSets& observed,
                                      const std::set<Endpoint>& kept) {
  std::vector<SetChange> changes = half_of(observed, desired, Half::removals);
  if (changes.empty()) return {};
  RevokeFlows revoke;
  for (const SetChange& change : changes) {
    if (change.id == SetId::instances) {
      for (const Endpoint& endpoint : change.endpoints_removed) {
        if (!kept.contains(endpoint)) revoke.endpoints.push_back(endpoint);
      }
    } else if (change.id == SetId::service_tcp || change.id == SetId::internal_tcp) {
      revoke.tcp_ports.insert(revoke.tcp_ports.end(), change.ports_removed.begin(),
                              change.ports_removed.end());
    }
  }
  std::vector<Step> out = {CloseFirewall{std::move(changes)}};
  if (!revoke.endpoints.empty() || !revoke.tcp_ports.empty()) out.push_back(std::move(revoke));
  return out;
}

std::vector<Step> plan(const FirewallSets& desired_sets, const FirewallSets& observed_sets,
                       const LbState& desired_lb, const LbSeen& observed_lb,
                       const std::set<Endpoint>& kept) {
  std::vector<Step> out = plan_firewall_open(desired_sets, observed_sets);
  for (Step& step : plan_balance(desired_lb, observed_lb)) out.push_back(std::move(step));
  for (Step& step : plan_firewall_close(desired_sets, observed_sets, kept)) {
    out.push_back(std::move(step));
  }
  return out;
}

std::string describe(const Step& step) {
  return std::visit(Overloaded{
                        [](const OpenFirewall& s) { return "open" + describe_sets(s.changes); },
                        [](const AddServer& s) {
                          return "add " + member(s.pool, s.name) + (s.server.ready ? " ready" : "");
                        },
                        [](const SetReady& s) {
                          return (s.ready ? "ready " : "maintenance ") + member(s.pool, s.name);
                        },
                        [](const SetRoute& s) {
                          return "route " + std::string(map_name(s.map)) + " " + s.key.text() +
                                 " " + s.pool.text();
                        },
                        [](const ReplaceMap& s) {
                          return "replace " + std::string(map_name(s.map)) + " " +
                                 std::to_string(s.entries.size());
                        },
                        [](const DropRoute& s) {
                          return "unroute " + std::string(map_name(s.map)) + " " + s.key.text();
                        },
                        [](const RemoveServer& s) { return "remove " + member(s.pool, s.name); },
                        [](const CloseFirewall& s) { return "close" + describe_sets(s.changes); },
                        [](const RevokeFlows& s) {
                          return "revoke " +
                                 std::to_string(s.endpoints.size() + s.tcp_ports.size());
                        },
                    },
                    step);
}

void note_done(const Step& step, FirewallSets& sets, LbSeen& seen) {
  std::visit(Overloaded{
                 [&](const OpenFirewall& s) { note_sets(s.changes, sets); },
                 [&](const AddServer& s) {
                   seen.pools[s.pool][s.name] = SeenServer{s.id, s.server, true};
                 },
                 [&](const SetReady& s) { seen.pools[s.pool][s.name].server.ready = s.ready; },
                 [&](const SetRoute& s) { seen.maps[s.map].insert_or_assign(s.key, s.pool); },
                 [&](const ReplaceMap& s) { seen.maps[s.map] = s.entries; },
                 [&](const DropRoute& s) { seen.maps[s.map].erase(s.key); },
                 [&](const RemoveServer& s) {
                   seen.pools[s.pool].erase(s.name);
                   if (seen.pools[s.pool].empty()) seen.pools.erase(s.pool);
                 },
                 [&](const CloseFirewall& s) { note_sets(s.changes, sets); },
                 [](const RevokeFlows&) {},
             },
             step);
}

}  // namespace netfw
