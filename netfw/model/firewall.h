// SPDX-License-Identifier: Apache-2.0
// The firewall as a value: sets of members, a short fixed list of rules over them, and what both
// say about a packet.
//
// The daemon makes it from the policy and the running instances; the iptables backend puts it into
// the kernel; tests compare the kernel with verdict(). Nothing here knows iptables.
// 1. All that varies per application is membership in a set. The rule list depends on the family
// and on `forward` only and stays under kRulesMax, so that its cost per packet is constant.
// 2. SSH from the management networks and established flows are rules of the compiler, not data.
// 3. IPv4 and IPv6 come from the same list.
// Threads: any.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "netfw/api/grammar.h"
#include "netfw/api/wire.h"

namespace netfw {

inline constexpr std::size_t kRulesMax = 40;  // per family
inline constexpr std::uint16_t kSshPort = 22;
// Container ports of the product; an instance outside is opened as well, it was assigned.
inline constexpr std::uint16_t kContainerPortFirst = 3000;
inline constexpr std::uint16_t kContainerPortLast = 4000;

enum class SetId : std::uint8_t {
  management,      // source networks
  cluster,         // source networks
  public_tcp,      // ports, from the policy
  public_udp,      // ports, from the policy
  cluster_tcp,     // ports, from the policy
  management_tcp,  // ports, from the policy
  service_tcp,     // ports of services with an instance, for anyone
  internal_tcp,    // ports of services of group "internal" with an instance, for cluster and
                   // management
  instances,       // (address, port) of every instance that may be reached, for the cluster
};
inline constexpr std::array<SetId, 9> kSetIds = {
    SetId::management,  SetId::cluster,      SetId::public_tcp,
    SetId::public_udp,  SetId::cluster_tcp,  SetId::management_tcp,
    SetId::service_tcp, SetId::internal_tcp, SetId::instances};

enum class SetKind : std::uint8_t { nets, ports, endpoints };
SetKind set_kind(SetId id);
std::string_view set_name(SetId id);
// Sets of the policy are part of what is tried under confirmation; the others follow the instances.
bool is_policy_set(SetId id);

struct FirewallSets {
  std::map<SetId, std::set<IpNet>> nets = {};
  std::map<SetId, std::set<std::uint16_t>> ports = {};
  std::set<Endpoint> instances = {};
  friend bool operator==(const FirewallSets&, const FirewallSets&) = default;
};

struct FirewallIr {
  FirewallSets sets = {};
  bool forward = false;
  friend bool operator==(const FirewallIr&, const FirewallIr&) = default;
};

// The part of the IR that the policy decides; the instances' sets are empty.
FirewallIr compile_policy(const Policy& policy);

enum class Chain : std::uint8_t { input, forward };
enum class Verdict : std::uint8_t { accept, drop };
enum FlowState : std::uint8_t { kNew = 1, kEstablished = 2, kRelated = 4, kInvalid = 8 };
enum class Protocol : std::uint8_t { any, tcp, udp, icmp };  // icmp is ICMPv6 for that family

struct Rule {
  std::string_view name;
  Chain chain = Chain::input;
  Verdict verdict = Verdict::accept;
  bool from_loopback = false;
  std::uint8_t states = 0;  // 0: any
  Protocol protocol = Protocol::any;
  std::optional<SetId> source = {};  // a set of networks
  std::optional<IpNet> source_net = {};
  std::optional<SetId> ports = {};         // destination port in a set of ports
  std::optional<std::uint16_t> port = {};  // destination port
  std::optional<SetId> endpoints = {};     // destination (address, port) in a set
  std::optional<std::uint8_t> icmp_type = {};
};

// The fixed list for a family, input chain first, in order of evaluation.
std::vector<Rule> compile_rules(Family family, bool forward);

struct Packet {
  Chain chain = Chain::input;
  bool from_loopback = false;
  FlowState state = kNew;
  Protocol protocol = Protocol::tcp;
  IpAddress source;
  IpAddress destination;
  std::uint16_t port = 0;  // destination
  std::uint8_t icmp_type = 0;
};

struct Judgement {
  Verdict verdict;
  std::string_view rule;
};
// What the rules say about a packet. The family is that of its source.
Judgement verdict(const FirewallIr& ir, const Packet& packet);

// Errors: failed_precondition policy_locks_out when the rules would deny SSH from a management
// network or an established flow, or when there is no management network.
base::Result<void> check_invariants(const FirewallIr& ir);

struct SetChange {
  SetId id;
  std::vector<IpNet> nets_removed = {}, nets_added = {};
  std::vector<std::uint16_t> ports_removed = {}, ports_added = {};
  std::vector<Endpoint> endpoints_removed = {}, endpoints_added = {};
  bool empty() const;
};
// What turns `from` into `to`. Applied removals first, then additions, each state between is open
// for no packet that neither end lets through.
std::vector<SetChange> difference(const FirewallSets& from, const FirewallSets& to);

}  // namespace netfw
