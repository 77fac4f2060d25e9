// SPDX-License-Identifier: Apache-2.0
#include "netfw/model/firewall.h"

#include <algorithm>
#include <iterator>

namespace netfw {
namespace {

// RFC 4890: what IPv6 does not work without, and what tells a sender about errors.
constexpr std::uint8_t kIcmp6Types[] = {1, 2, 3, 4, 128, 130, 131, 132, 133, 134, 135, 136, 143};
constexpr std::uint8_t kIcmp4Types[] = {3, 8, 11, 12};

Rule state_rule(std::string_view name, Chain chain, std::uint8_t states, Verdict verdict) {
  Rule out{.name = name, .chain = chain, .verdict = verdict};
  out.states = states;
  return out;
}

Rule port_rule(std::string_view name, Protocol protocol, std::optional<SetId> source, SetId ports) {
  Rule out{.name = name};
  out.protocol = protocol;
  out.source = source;
  out.ports = ports;
  return out;
}

Rule endpoint_rule(Chain chain) {
  Rule out{.name = "instances", .chain = chain};
  out.source = SetId::cluster;
  out.endpoints = SetId::instances;
  return out;
}

void add_icmp(Family family, std::vector<Rule>& rules) {
  const auto add = [&](std::uint8_t type) {
    Rule rule{.name = "icmp"};
    rule.protocol = Protocol::icmp;
    rule.icmp_type = type;
    rules.push_back(rule);
  };
  if (family == Family::v4) {
    for (const std::uint8_t type : kIcmp4Types) add(type);
    return;
  }
  for (const std::uint8_t type : kIcmp6Types) add(type);
  // A DHCPv6 server answers a multicast from its own address, which is no reply to conntrack.
  Rule dhcp{.name = "dhcpv6"};
  dhcp.protocol = Protocol::udp;
  dhcp.source_net = *IpNet::parse("fe80::/10");
  dhcp.port = 546;
  rules.push_back(dhcp);
}

bool in_nets(const FirewallSets& sets, SetId id, const IpAddress& address) {
  const auto found = sets.nets.find(id);
  if (found == sets.nets.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(),
                     [&](const IpNet& net) { return net.contains(address); });
}

bool in_ports(const FirewallSets& sets, SetId id, std::uint16_t port) {
  const auto found = sets.ports.find(id);
  return found != sets.ports.end() && found->second.contains(port);
}

bool matches(const FirewallSets& sets, const Rule& rule, const Packet& packet) {
  if (rule.chain != packet.chain) return false;
  if (rule.from_loopback && !packet.from_loopback) return false;
  if (rule.states != 0 && (rule.states & packet.state) == 0) return false;
  if (rule.protocol != Protocol::any && rule.protocol != packet.protocol) return false;
  if (rule.source && !in_nets(sets, *rule.source, packet.source)) return false;
  if (rule.source_net && !rule.source_net->contains(packet.source)) return false;
  if (rule.ports && !in_ports(sets, *rule.ports, packet.port)) return false;
  if (rule.port && *rule.port != packet.port) return false;
  if (rule.icmp_type && *rule.icmp_type != packet.icmp_type) return false;
  if (rule.endpoints) {
    if (packet.protocol != Protocol::tcp && packet.protocol != Protocol::udp) return false;
    const Transport transport = packet.protocol == Protocol::tcp ? Transport::tcp : Transport::udp;
    if (!sets.instances.contains({transport, packet.destination, packet.port})) return false;
  }
  return true;
}

template <class T>
void split_difference(const std::set<T>& from, const std::set<T>& to, std::vector<T>& removed,
                      std::vector<T>& added) {
  std::set_difference(from.begin(), from.end(), to.begin(), to.end(), std::back_inserter(removed));
  std::set_difference(to.begin(), to.end(), from.begin(), from.end(), std::back_inserter(added));
}

template <class Map>
typename Map::mapped_type part(const Map& map, SetId id) {
  const auto found = map.find(id);
  return found == map.end() ? typename Map::mapped_type{} : found->second;
}

// A hash of networks in the kernel holds no /0: it becomes its two halves.
void add_net(std::set<IpNet>& out, const IpNet& net) {
  if (net.prefix != 0) {
    out.insert(net);
    return;
  }
  IpNet half = net;
  half.prefix = 1;
  out.insert(half);
  half.base.bytes[0] = 0x80;
  out.insert(half);
}

// Without those that lie within another: intervals of the kernel do not overlap.
void add_nets(std::set<IpNet>& out, const std::vector<IpNet>& nets) {
  for (const IpNet& net : nets) add_net(out, net);
  std::erase_if(out, [&](const IpNet& net) {
    return std::any_of(out.begin(), out.end(), [&](const IpNet& other) {
      return other.prefix < net.prefix && other.contains(net.base);
    });
  });
}

}  // namespace

SetKind set_kind(SetId id) {
  switch (id) {
    case SetId::management:
    case SetId::cluster: return SetKind::nets;
    case SetId::instances: return SetKind::endpoints;
    case SetId::public_tcp:
    case SetId::public_udp:
    case SetId::cluster_tcp:
    case SetId::management_tcp:
    case SetId::service_tcp:
    case SetId::internal_tcp: return SetKind::ports;
  }
  return SetKind::ports;
}

std::string_view set_name(SetId id) {
  constexpr std::string_view kNames[] = {"management",  "cluster",      "public-tcp",
                                         "public-udp",  "cluster-tcp",  "management-tcp",
                                         "service-tcp", "internal-tcp", "instances"};
  return kNames[static_cast<std::size_t>(id)];
}

bool is_policy_set(SetId id) {
  return id != SetId::service_tcp && id != SetId::internal_tcp && id != SetId::instances;
}

FirewallIr compile_policy(const Policy& policy) {
  FirewallIr out;
  add_nets(out.sets.nets[SetId::management], policy.management);
  add_nets(out.sets.nets[SetId::cluster], policy.cluster);
  const auto fill = [&](SetId id, const std::vector<std::uint16_t>& ports) {
    out.sets.ports[id].insert(ports.begin(), ports.end());
  };
  fill(SetId::public_tcp, policy.public_tcp);
  fill(SetId::public_udp, policy.public_udp);
  fill(SetId::cluster_tcp, policy.cluster_tcp);
  fill(SetId::management_tcp, policy.management_tcp);
  out.forward = policy.forward;
  return out;
}

std::vector<Rule> compile_rules(Family family, bool forward) {
  std::vector<Rule> out;
  Rule loopback{.name = "loopback"};
  loopback.from_loopback = true;
  out.push_back(loopback);
  out.push_back(state_rule("invalid", Chain::input, kInvalid, Verdict::drop));
  out.push_back(state_rule("established", Chain::input, kEstablished | kRelated, Verdict::accept));
  Rule ssh{.name = "ssh"};
  ssh.protocol = Protocol::tcp;
  ssh.source = SetId::management;
  ssh.port = kSshPort;
  out.push_back(ssh);
  add_icmp(family, out);
  out.push_back(port_rule("public", Protocol::tcp, std::nullopt, SetId::public_tcp));
  out.push_back(port_rule("public-udp", Protocol::udp, std::nullopt, SetId::public_udp));
  out.push_back(port_rule("services", Protocol::tcp, std::nullopt, SetId::service_tcp));
  out.push_back(port_rule("cluster", Protocol::tcp, SetId::cluster, SetId::cluster_tcp));
  out.push_back(port_rule("cluster-services", Protocol::tcp, SetId::cluster, SetId::internal_tcp));
  out.push_back(port_rule("management", Protocol::tcp, SetId::management, SetId::management_tcp));
  out.push_back(
      port_rule("management-services", Protocol::tcp, SetId::management, SetId::internal_tcp));
  out.push_back(endpoint_rule(Chain::input));
  out.push_back(Rule{.name = "default", .verdict = Verdict::drop});
  if (forward) return out;
  out.push_back(state_rule("invalid", Chain::forward, kInvalid, Verdict::drop));
  out.push_back(
      state_rule("established", Chain::forward, kEstablished | kRelated, Verdict::accept));
  out.push_back(endpoint_rule(Chain::forward));
  out.push_back(Rule{.name = "default", .chain = Chain::forward, .verdict = Verdict::drop});
  return out;
}

Judgement verdict(const FirewallIr& ir, const Packet& packet) {
  for (const Rule& rule : compile_rules(packet.source.family, ir.forward)) {
    if (matches(ir.sets, rule, packet)) return {rule.verdict, rule.name};
  }
  // Only the forward chain can come to its end: it then says nothing, and others decide.
  return {Verdict::accept, "none"};
}

base::Result<void> check_invariants(const FirewallIr& ir) {
  const auto refuse = [](std::string detail) -> base::Error {
    return {.code = base::Code::failed_precondition,
            .detail = std::move(detail),
            .reason = "policy_locks_out"};
  };
  const auto nets = part(ir.sets.nets, SetId::management);
  if (nets.empty()) return refuse("without a management network nobody could reach SSH");
  for (const IpNet& net : nets) {
    Packet packet;
    packet.source = net.base;
    packet.destination.family = net.base.family;
    packet.port = kSshPort;
    if (verdict(ir, packet).verdict != Verdict::accept) {
      return refuse("SSH from " + net.text() + " would be denied");
    }
    packet.state = kEstablished;
    packet.port = 40000;
    if (verdict(ir, packet).verdict != Verdict::accept) {
      return refuse("established flows from " + net.text() + " would be cut");
    }
  }
  return {};
}

bool SetChange::empty() const {
  return nets_removed.empty() && nets_added.empty() && ports_removed.empty() &&
         ports_added.empty() && endpoints_removed.empty() && endpoints_added.empty();
}

std::vector<SetChange> difference(const FirewallSets& from, const FirewallSets& to) {
  std::vector<SetChange> out;
  for (const SetId id : kSetIds) {
    SetChange change{.id = id};
    switch (set_kind(id)) {
      case SetKind::nets:
        split_difference(part(from.nets, id), part(to.nets, id), change.nets_removed,
                         change.nets_added);
        break;
      case SetKind::ports:
        split_difference(part(from.ports, id), part(to.ports, id), change.ports_removed,
                         change.ports_added);
        break;
      case SetKind::endpoints:
        split_difference(from.instances, to.instances, change.endpoints_removed,
                         change.endpoints_added);
        break;
    }
    if (!change.empty()) out.push_back(std::move(change));
  }
  return out;
}

}  // namespace netfw
