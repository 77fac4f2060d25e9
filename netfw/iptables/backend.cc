// SPDX-License-Identifier: Apache-2.0
#include "netfw/iptables/backend.h"

namespace netfw {
namespace {

// The kernel's sets behind one of ours: a port set serves both families.
std::vector<std::pair<std::string, Family>> kernel_sets(SetId id) {
  std::vector<std::pair<std::string, Family>> out = {{kernel_set_name(id, Family::v4), Family::v4}};
  if (set_kind(id) != SetKind::ports) out.emplace_back(kernel_set_name(id, Family::v6), Family::v6);
  return out;
}

ElementChange net_change(SetId id, const IpNet& net, bool add) {
  ElementChange out{kernel_set_name(id, net.base.family), add, {}};
  out.element.kind = SetKind::nets;
  out.element.net = net;
  return out;
}

ElementChange port_change(SetId id, std::uint16_t port, bool add) {
  ElementChange out{kernel_set_name(id, Family::v4), add, {}};
  out.element.kind = SetKind::ports;
  out.element.port = port;
  return out;
}

ElementChange endpoint_change(SetId id, const Endpoint& endpoint, bool add) {
  ElementChange out{kernel_set_name(id, endpoint.address.family), add, {}};
  out.element.kind = SetKind::endpoints;
  out.element.endpoint = endpoint;
  return out;
}

std::vector<ElementChange> to_elements(const std::vector<SetChange>& changes) {
  std::vector<ElementChange> out;
  for (const SetChange& c : changes) {
    for (const IpNet& net : c.nets_removed) out.push_back(net_change(c.id, net, false));
    for (const std::uint16_t port : c.ports_removed) out.push_back(port_change(c.id, port, false));
    for (const Endpoint& e : c.endpoints_removed) out.push_back(endpoint_change(c.id, e, false));
  }
  for (const SetChange& c : changes) {
    for (const IpNet& net : c.nets_added) out.push_back(net_change(c.id, net, true));
    for (const std::uint16_t port : c.ports_added) out.push_back(port_change(c.id, port, true));
    for (const Endpoint& e : c.endpoints_added) out.push_back(endpoint_change(c.id, e, true));
  }
  return out;
}

void store(FirewallSets& sets, SetId id, const SetElement& element) {
  switch (element.kind) {
    case SetKind::nets: sets.nets[id].insert(element.net); break;
    case SetKind::ports: sets.ports[id].insert(element.port); break;
    case SetKind::endpoints: sets.instances.insert(element.endpoint); break;
  }
}

}  // namespace

base::Result<std::unique_ptr<FwBackend>> IptablesBackend::make(Skeleton::Options options) {
  IpsetSocket sets = TRY(IpsetSocket::open());
  return std::unique_ptr<FwBackend>(new IptablesBackend(std::move(sets), std::move(options)));
}

base::Result<void> IptablesBackend::probe(const Skeleton::Options& options) {
  constexpr std::chrono::milliseconds kDeadline{5000};
  IpsetSocket sets = TRY(IpsetSocket::open());
  const auto listed = sets.list(kernel_set_name(SetId::public_tcp, Family::v4), SetKind::ports);
  if (!listed && listed.error().reason != "set_absent") return listed.error();
  Skeleton skeleton(options);
  for (const Family family : kFamilies) {
    TRY(skeleton.run(iptc::Operation::check, family, {}, kDeadline));
  }
  return {};
}

base::Result<void> IptablesBackend::make_sets() {
  for (const SetId id : kSetIds) {
    for (const auto& [name, family] : kernel_sets(id)) {
      TRY(sets_.create(name, set_kind(id), family));
    }
  }
  return {};
}

base::Result<FirewallSets> IptablesBackend::read_sets() {
  FirewallSets out;
  for (const SetId id : kSetIds) {
    for (const auto& [name, family] : kernel_sets(id)) {
      for (const SetElement& element : TRY(sets_.list(name, set_kind(id)))) store(out, id, element);
    }
  }
  return out;
}

base::Result<void> IptablesBackend::change(const std::vector<SetChange>& changes) {
  return sets_.change(to_elements(changes));
}

base::Result<FirewallApplied> IptablesBackend::apply(const FirewallIr& wanted, Scope scope,
                                                     std::chrono::milliseconds deadline) {
  TRY(make_sets());
  const FirewallSets observed = TRY(read_sets());
  std::vector<SetChange> changes = difference(observed, wanted.sets);
  if (scope == Scope::policy_sets) {
    std::erase_if(changes, [](const SetChange& change) { return !is_policy_set(change.id); });
  }
  FirewallApplied out;
  const std::vector<ElementChange> elements = to_elements(changes);
  out.elements_written = elements.size();
  TRY(sets_.change(elements));
  for (const Family family : kFamilies) {
    const std::vector<Rule> rules = compile_rules(family, wanted.forward);
    const auto outcome = TRY(skeleton_.run(iptc::Operation::apply, family, rules, deadline));
    out.rules_written = out.rules_written || outcome.changed;
    out.rules += rules.size();
    out.foreign_rules += outcome.foreign_rules;
  }
  return out;
}

base::Result<void> IptablesBackend::remove() {
  for (const Family family : kFamilies) {
    TRY(skeleton_.run(iptc::Operation::remove, family, {}, std::chrono::seconds(5)));
  }
  for (const SetId id : kSetIds) {
    for (const auto& [name, family] : kernel_sets(id)) TRY(sets_.destroy(name));
  }
  return {};
}

}  // namespace netfw
