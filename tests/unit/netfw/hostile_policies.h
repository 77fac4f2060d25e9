// SPDX-License-Identifier: Apache-2.0
// Random policies, most of which lock somebody out, and who can manage a node as the rules
// themselves say it.
#pragma once

#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netfw/model/firewall.h"

namespace netfw_test {

// Networks are made of blocks of 10.0.0.0/12 and fd00::/29, now and then of everything; each block
// has one address in Sources, so that these stand for all.
class HostilePolicies {
 public:
  explicit HostilePolicies(unsigned seed) : random_(seed) {}
  netfw::Policy draw() {
    netfw::Policy out;
    out.management = draw_nets(1 + random_() % 4);
    out.cluster = draw_nets(random_() % 3);
    out.management_tcp = draw_ports();
    out.cluster_tcp = draw_ports();
    out.public_tcp = random_() % 4 == 0 ? draw_ports() : std::vector<std::uint16_t>{80, 443};
    out.forward = random_() % 2 == 0;
    return out;
  }
  // One that gives at least what `before` gives.
  netfw::Policy widen(netfw::Policy before) {
    const netfw::Policy more = draw();
    const auto append = [](auto& to, const auto& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(before.management, more.management);
    append(before.cluster, more.cluster);
    append(before.management_tcp, more.management_tcp);
    append(before.cluster_tcp, more.cluster_tcp);
    append(before.public_tcp, more.public_tcp);
    return before;
  }
  unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }

 private:
  std::vector<netfw::IpNet> draw_nets(std::size_t count) {
    std::vector<netfw::IpNet> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(draw_net());
    return out;
  }
  netfw::IpNet draw_net() {
    const unsigned kind = below(20);
    if (kind == 0) return *netfw::IpNet::parse("0.0.0.0/0");
    if (kind == 1) return *netfw::IpNet::parse("::/0");
    if (kind < 6) {
      const unsigned prefix = 29 + below(4);
      const unsigned block = below(8) >> (32 - prefix) << (32 - prefix);
      return *netfw::IpNet::parse("fd00:" + std::to_string(block) + "::/" + std::to_string(prefix));
    }
    const unsigned prefix = 12 + below(5);
    const unsigned block = below(16) >> (16 - prefix) << (16 - prefix);
    return *netfw::IpNet::parse("10." + std::to_string(block) + ".0.0/" + std::to_string(prefix));
  }
  std::vector<std::uint16_t> draw_ports() {
    std::vector<std::uint16_t> out;
    for (const std::uint16_t port : {22, 443, 5050, 8080}) {
      if (below(2) == 0) out.push_back(port);
    }
    return out;
  }
  std::mt19937 random_;
};

inline const std::vector<netfw::IpAddress>& sources() {
  static const std::vector<netfw::IpAddress> kSources = [] {
    std::vector<netfw::IpAddress> out = {*netfw::IpAddress::parse("203.0.113.9"),
                                         *netfw::IpAddress::parse("2001:db8::9")};
    for (int block = 0; block < 16; ++block) {
      out.push_back(*netfw::IpAddress::parse("10." + std::to_string(block) + ".0.1"));
    }
    for (int block = 0; block < 8; ++block) {
      out.push_back(*netfw::IpAddress::parse("fd00:" + std::to_string(block) + "::1"));
    }
    return out;
  }();
  return kSources;
}

// Who manages: by SSH, as the evaluator of packets has it, and as a management network.
using Managers = std::set<std::pair<netfw::IpAddress, std::uint16_t>>;
inline Managers managers(const netfw::FirewallIr& ir) {
  Managers out;
  netfw::FirewallIr only_management = ir;
  only_management.sets.nets[netfw::SetId::cluster].clear();
  only_management.sets.ports[netfw::SetId::public_tcp].clear();
  for (const netfw::IpAddress& source : sources()) {
    netfw::Packet packet;
    packet.source = source;
    packet.destination.family = source.family;
    for (const std::uint16_t port : {22, 443, 5050, 8080}) {
      packet.port = port;
      const netfw::FirewallIr& rules = port == netfw::kSshPort ? ir : only_management;
      if (netfw::verdict(rules, packet).verdict == netfw::Verdict::accept) {
        out.emplace(source, port);
      }
    }
  }
  return out;
}

// Those of `before` that are missing in `after`.
inline Managers missing(const Managers& before, const Managers& after) {
  Managers out;
  for (const auto& one : before) {
    if (!after.contains(one)) out.insert(one);
  }
  return out;
}

}  // namespace netfw_test
