// SPDX-License-Identifier: Apache-2.0
#include "netfw/model/access.h"

#include <algorithm>
#include <iterator>

namespace netfw {
namespace {

bool includes_port(const FirewallSets& sets, SetId id, std::uint16_t port) {
  const auto found = sets.ports.find(id);
  return found != sets.ports.end() && found->second.contains(port);
}

void append_nets(const FirewallSets& sets, SetId id, std::vector<IpNet>& out) {
  const auto found = sets.nets.find(id);
  if (found != sets.nets.end()) out.insert(out.end(), found->second.begin(), found->second.end());
}

std::vector<IpNet> management_sources(const FirewallSets& sets) {
  std::vector<IpNet> out;
  append_nets(sets, SetId::management, out);
  return out;
}

std::vector<IpNet> ssh_sources(const FirewallSets& sets) {
  std::vector<IpNet> out = management_sources(sets);
  if (includes_port(sets, SetId::cluster_tcp, kSshPort)) append_nets(sets, SetId::cluster, out);
  if (includes_port(sets, SetId::public_tcp, kSshPort)) {
    for (const Family family : kFamilies) {
      IpNet everything;
      everything.base.family = family;
      out.push_back(everything);
    }
  }
  return out;
}

// Whether all of `net` lies in `nets` together. Goes down bit by bit only where some of them lie
// within it.
bool is_covered(const IpNet& net, const std::vector<IpNet>& nets) {
  std::vector<IpNet> within;
  for (const IpNet& other : nets) {
    if (other.prefix <= net.prefix) {
      if (other.contains(net.base)) return true;
    } else if (net.contains(other.base)) {
      within.push_back(other);
    }
  }
  if (within.empty()) return false;
  IpNet half = net;
  half.prefix = net.prefix + 1;
  if (!is_covered(half, within)) return false;
  half.base.bytes[net.prefix / 8] |= static_cast<std::uint8_t>(0x80U >> (net.prefix % 8));
  return is_covered(half, within);
}

std::vector<IpNet> uncovered(const std::vector<IpNet>& from, const std::vector<IpNet>& to) {
  std::vector<IpNet> out;
  std::copy_if(from.begin(), from.end(), std::back_inserter(out),
               [&](const IpNet& net) { return !is_covered(net, to); });
  return out;
}

}  // namespace

std::vector<AccessLoss> access_lost(const FirewallIr& from, const FirewallIr& to) {
  std::vector<AccessLoss> out;
  const auto add = [&](std::uint16_t port, const std::vector<IpNet>& sources) {
    for (const IpNet& source : sources) {
      if (out.size() < kLossesMax) out.push_back({port, source});
    }
  };
  add(kSshPort, uncovered(ssh_sources(from.sets), ssh_sources(to.sets)));
  const auto ports = from.sets.ports.find(SetId::management_tcp);
  if (ports == from.sets.ports.end()) return out;
  const std::vector<IpNet> before = management_sources(from.sets);
  const std::vector<IpNet> gone = uncovered(before, management_sources(to.sets));
  for (const std::uint16_t port : ports->second) {
    if (port == kSshPort) continue;  // the rule for SSH has it anyway
    add(port, includes_port(to.sets, SetId::management_tcp, port) ? gone : before);
  }
  return out;
}

}  // namespace netfw
