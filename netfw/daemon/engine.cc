// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/engine.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "netfw/iptables/conntrack.h"

namespace netfw {
namespace {

constexpr std::chrono::milliseconds kBalancerPatience{3000};
constexpr std::size_t kProblemsLoggedMax = 50;

std::set<std::uint16_t> reserved_ports(const Policy& policy, const LbLimits& limits) {
  std::set<std::uint16_t> out = limits.reserved;
  out.insert(kSshPort);
  out.insert(policy.cluster_tcp.begin(), policy.cluster_tcp.end());
  out.insert(policy.management_tcp.begin(), policy.management_tcp.end());
  for (unsigned port = kContainerPortFirst; port <= kContainerPortLast; ++port) {
    out.insert(static_cast<std::uint16_t>(port));
  }
  return out;
}

const ServicePort* find_port(const Service& service, std::size_t index) {
  const auto found = std::find_if(service.ports.begin(), service.ports.end(),
                                  [&](const ServicePort& port) { return port.index == index; });
  return found == service.ports.end() ? nullptr : &*found;
}

}  // namespace

Engine::Engine(Parts parts, Hooks hooks, StoredState state)
    : parts_(std::move(parts)), hooks_(std::move(hooks)), state_(std::move(state)) {
  policy_ = state_.policy.value_or(parts_.first_policy);
  follows_networks_ = !state_.policy && parts_.find_networks;
  if (follows_networks_ && !state_.networks.empty()) {
    policy_.management = state_.networks;
  } else if (follows_networks_) {
    // Whom to trust is not known yet: SSH from the private networks, and no more.
    policy_.management = minimal_policy().management;
    policy_.management_tcp.clear();
  }
  problems_ = state_.services.problems;
}

base::Result<std::unique_ptr<Engine>> Engine::make(Parts parts, Hooks hooks) {
  auto loaded = parts.store.load();
  if (!loaded) {
    // A node without its state still needs a firewall; agents and master send theirs again.
    base::log::failure("NETFW_STATE_UNREADABLE", "starting with the policy of the configuration",
                       {}, loaded.error());
  }
  StoredState state = std::move(loaded).value_or(StoredState{});
  auto out =
      std::unique_ptr<Engine>(new Engine(std::move(parts), std::move(hooks), std::move(state)));
  TRY(out->start());
  return out;
}

base::Result<void> Engine::start() {
  refresh_certificates();
  const std::lock_guard lock(mutex_);
  follow_networks();
  if (verify_firewall() && parts_.firewall) {
    remove_other_firewall(parts_.guardian_firewall, *parts_.firewall);
  }
  if (parts_.balancer) {
    TRY(parts_.balancer->prepare(desired_balance(), parts_.clock.now()));
    verify_balancer(true);
  }
  publish_names();
  note_figures();
  return {};
}

FirewallIr Engine::desired_firewall() {
  FirewallIr out = compile_policy(policy_);
  // A port that no load balancer serves, or that a label claimed in vain, stays closed.
  const LbDesired balance = parts_.balancer ? desired_balance() : LbDesired{};
  std::map<ServiceId, const Service*> services;
  for (const Service& service : state_.services.services) services.emplace(service.id, &service);
  for (const auto& [id, instance] : state_.instances) {
    const auto found = services.find(instance.service);
    const Service* const service = found == services.end() ? nullptr : found->second;
    for (std::size_t i = 0; i < instance.ports.size(); ++i) {
      const ServicePort* const port = service == nullptr ? nullptr : find_port(*service, i);
      if (port != nullptr) {
        const auto granted = balance.ports.find(port->service_port);
        const bool internal = service->group == kInternalGroup;
        if (granted != balance.ports.end() && granted->second == service->id) {
          out.sets.ports[internal ? SetId::internal_tcp : SetId::service_tcp].insert(
              port->service_port);
        }
      }
      if (instance.state == InstanceState::unhealthy || instance.ports[i] == 0) continue;
      if (port == nullptr || port->tcp) {
        out.sets.instances.insert({Transport::tcp, instance.address, instance.ports[i]});
      }
      if (port != nullptr && port->udp) {
        out.sets.instances.insert({Transport::udp, instance.address, instance.ports[i]});
      }
    }
  }
  return out;
}

std::set<Endpoint> Engine::unhealthy_endpoints() const {
  std::set<Endpoint> out;
  for (const auto& [id, instance] : state_.instances) {
    if (instance.state != InstanceState::unhealthy) continue;
    for (const std::uint16_t port : instance.ports) {
      out.insert({Transport::tcp, instance.address, port});
      out.insert({Transport::udp, instance.address, port});
    }
  }
  return out;
}

LbDesired Engine::desired_balance() {
  LbLimits limits = parts_.limits;
  limits.reserved = reserved_ports(policy_, parts_.limits);
  std::set<PoolName> occupied;
  if (parts_.balancer) {
    for (const auto& [pool, servers] : parts_.balancer->seen().pools) {
      if (!servers.empty()) occupied.insert(pool);
    }
  }
  LbDesired out =
      make_lb({state_.services.services, state_.instances, limits, occupied}, state_.assignments);
  if (!(out.assignments == state_.assignments)) {
    state_.assignments = out.assignments;
    unsaved_[StateStore::pools_key()] = StateStore::encode(state_.assignments);
  }
  return out;
}

std::optional<base::Error> Engine::carry_out(const std::vector<Step>& steps) {
  LbSeen none;
  for (const Step& step : steps) {
    base::Result<void> done;
    if (const auto* const open = std::get_if<OpenFirewall>(&step)) {
      done = parts_.firewall->change(open->changes);
    } else if (const auto* const close = std::get_if<CloseFirewall>(&step)) {
      done = parts_.firewall->change(close->changes);
    } else if (const auto* const revoke = std::get_if<RevokeFlows>(&step)) {
      unrevoked_endpoints_.insert(revoke->endpoints.begin(), revoke->endpoints.end());
      unrevoked_ports_.insert(revoke->tcp_ports.begin(), revoke->tcp_ports.end());
    }
    if (!done) {
      firewall_applied_ = false;  // the next tick reads the kernel again
      return done.error();
    }
    note_done(step, known_sets_, none);
  }
  return std::nullopt;
}

Engine::Round Engine::converge() {
  ++rounds_;
  Round out;
  end_trial_when_over();
  const FirewallIr firewall = desired_firewall();
  if (parts_.firewall && !firewall_applied_) verify_firewall();
  if (parts_.firewall && firewall_applied_) {
    out.firewall = carry_out(plan_firewall_open(firewall.sets, known_sets_));
  } else {
    out.firewall = firewall_error_;
  }
  problems_ = state_.services.problems;
  if (parts_.balancer) {
    // A member is put into rotation only when the firewall lets its traffic through.
    LbDesired desired = desired_balance();
    if (!out.firewall) {
      const Balancer::Outcome outcome = parts_.balancer->converge(desired, parts_.clock.now());
      out.balancer = outcome.error;
      if (outcome.busy || !parts_.balancer->is_connected()) hooks_.wake();
    }
    problems_.insert(problems_.end(), desired.problems.begin(), desired.problems.end());
    for (const std::uint16_t port : parts_.balancer->taken_ports()) {
      problems_.push_back({desired.ports.contains(port) ? desired.ports.at(port).text() : "", "",
                           "port " + std::to_string(port) + " is taken by another program"});
    }
    balancer_error_ = out.balancer;
  }
  // What is new can be reached by now; what is gone is not asked for any more when it is closed.
  publish_names();
  if (parts_.firewall && firewall_applied_ && !out.firewall) {
    out.firewall =
        carry_out(plan_firewall_close(firewall.sets, known_sets_, unhealthy_endpoints()));
  }
  firewall_error_ = out.firewall;
  if (out.firewall || out.balancer) hooks_.wake();
  note_figures();
  return out;
}

void Engine::publish_names() {
  if (!hooks_.publish_names) return;
  hooks_.publish_names(dns::Zone::make(state_.services.services, state_.instances, parts_.names,
                                       ++names_serial_, problems_));
}

base::Result<void> Engine::flush() {
  const std::lock_guard order(flush_mutex_);
  Writes writes;
  {
    const std::lock_guard lock(mutex_);
    writes.swap(unsaved_);
  }
  auto done = parts_.store.write(writes);
  if (!done) {
    const std::lock_guard lock(mutex_);
    unsaved_.merge(writes);  // values that came meanwhile are newer and stay
  }
  return done;
}

// The kernel walks its whole table for each dump, tens of milliseconds: one walk serves all callers
// that wait meanwhile.
base::Result<void> Engine::revoke_pending() {
  const std::lock_guard order(revoke_mutex_);
  std::vector<Endpoint> endpoints;
  std::vector<std::uint16_t> ports;
  {
    const std::lock_guard lock(mutex_);
    // What was opened again meanwhile keeps its flows.
    for (const Endpoint& endpoint : unrevoked_endpoints_) {
      if (!known_sets_.instances.contains(endpoint)) endpoints.push_back(endpoint);
    }
    for (const std::uint16_t port : unrevoked_ports_) {
      const bool open = known_sets_.ports[SetId::service_tcp].contains(port) ||
                        known_sets_.ports[SetId::internal_tcp].contains(port);
      if (!open) ports.push_back(port);
    }
    unrevoked_endpoints_.clear();
    unrevoked_ports_.clear();
  }
  const auto count = revoke_flows(endpoints, ports);
  if (count) return {};
  const std::lock_guard lock(mutex_);
  unrevoked_endpoints_.insert(endpoints.begin(), endpoints.end());
  unrevoked_ports_.insert(ports.begin(), ports.end());
  hooks_.wake();
  return count.error();
}

base::Result<void> Engine::finish(const Round& round, bool wait_for_balancer) {
  const auto revoked = revoke_pending();
  const auto saved = flush();
  if (round.firewall) return *round.firewall;
  if (round.balancer && round.balancer->reason != "haproxy_unreachable") return *round.balancer;
  if (!saved) return saved;
  if (!revoked) return revoked;
  if (!wait_for_balancer || !parts_.balancer) return {};
  std::unique_lock lock(mutex_);
  const bool back = balancer_back_.wait_for(
      lock, kBalancerPatience, [&] { return parts_.balancer->is_connected() && !balancer_error_; });
  if (back) return {};
  if (balancer_error_) return *balancer_error_;
  return base::Error{.code = base::Code::unavailable,
                     .detail = "HAProxy does not answer; it will be told when it does",
                     .reason = "haproxy_unreachable"};
}

bool Engine::is_served(const InstanceId& id) const {
  const auto found = state_.instances.find(id);
  if (found == state_.instances.end() || found->second.state != InstanceState::healthy) return true;
  if (!parts_.balancer || !parts_.balancer->is_connected()) return true;
  const SeenPools& seen = parts_.balancer->seen().pools;
  for (const auto& [pool, name] : members_of(found->second)) {
    const auto members = seen.find(pool);
    if (members == seen.end()) return false;
    const auto member = members->second.find(name);
    if (member == members->second.end()) return false;
    const LbServer& server = member->second.server;
    if (!server.ready || server.address != found->second.address) return false;
  }
  return true;
}

// An instance that comes back under its old name and address finds its predecessor still in HAProxy
// for as long as that has connections.
base::Result<void> Engine::wait_served(const InstanceId& id) {
  constexpr std::chrono::milliseconds kPauseMax{50};
  const base::Instant end = parts_.clock.now() + kBalancerPatience;
  std::unique_lock lock(mutex_);
  for (std::chrono::milliseconds pause{5}; !is_served(id); pause = std::min(pause * 2, kPauseMax)) {
    if (parts_.clock.now() >= end) {
      return base::Error{.code = base::Code::unavailable,
                         .detail = "the member of that name before it still has connections",
                         .reason = "haproxy_member_busy"};
    }
    balancer_back_.wait_for(lock, pause);
    converge();
  }
  return {};
}

void Engine::set_instance(Instance instance) {
  unsaved_[StateStore::instance_key(instance.id)] = base::dump_json(write_instance(instance));
  const InstanceId id = instance.id;
  state_.instances.insert_or_assign(id, std::move(instance));
}

base::Result<Engine::ServicesReply> Engine::put_services(ServiceSet set, std::string text) {
  Round round;
  ServicesReply reply;
  {
    const std::lock_guard lock(mutex_);
    reply.generation = set.generation;
    state_.services = std::move(set);
    unsaved_[StateStore::services_key()] = std::move(text);
    round = converge();
    reply.problems = problems_;
  }
  note_problems(reply.problems);
  TRY(finish(round, false));
  return reply;
}

void Engine::note_problems(const std::vector<Problem>& problems) {
  for (std::size_t i = 0; i < std::min(problems.size(), kProblemsLoggedMax); ++i) {
    const Problem& problem = problems[i];
    base::log::warning(
        "NETFW_LABEL_LEFT_OUT", "left out, the service's other labels count",
        {{"service", problem.service}, {"label", problem.label}, {"detail", problem.detail}});
  }
}

base::Result<void> Engine::put_instance(Instance instance) {
  Round round;
  const bool wait = instance.state == InstanceState::healthy;
  const InstanceId id = instance.id;
  {
    const std::lock_guard lock(mutex_);
    const auto known = state_.instances.find(instance.id);
    if (known == state_.instances.end() && state_.instances.size() >= kInstancesMax) {
      return base::Error{.code = base::Code::no_space,
                         .detail = "more instances than a node can have",
                         .reason = "instances_too_many"};
    }
    if (known == state_.instances.end() || !(known->second == instance)) {
      set_instance(std::move(instance));
    }
    round = converge();
  }
  TRY(finish(round, wait));
  if (!wait) return {};
  return wait_served(id);
}

base::Result<void> Engine::put_node_instances(const NodeName& node,
                                              std::vector<Instance> instances) {
  Round round;
  {
    const std::lock_guard lock(mutex_);
    std::set<InstanceId> named;
    for (Instance& instance : instances) {
      named.insert(instance.id);
      const auto known = state_.instances.find(instance.id);
      if (known == state_.instances.end() || !(known->second == instance)) {
        set_instance(std::move(instance));
      }
    }
    for (auto it = state_.instances.begin(); it != state_.instances.end();) {
      if (it->second.node == node && !named.contains(it->first)) {
        unsaved_[StateStore::instance_key(it->first)] = std::nullopt;
        it = state_.instances.erase(it);
      } else {
        ++it;
      }
    }
    round = converge();
    instance_gone_.notify_all();
  }
  return finish(round, false);
}

base::Result<void> Engine::remove_instance(const InstanceId& id) {
  Round round;
  {
    const std::lock_guard lock(mutex_);
    if (state_.instances.erase(id) != 0) unsaved_[StateStore::instance_key(id)] = std::nullopt;
    round = converge();
    instance_gone_.notify_all();
  }
  return finish(round, false);
}

}  // namespace netfw
