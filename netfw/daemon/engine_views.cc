// SPDX-License-Identifier: Apache-2.0
// The engine's state as JSON.
#include <nlohmann/json.hpp>
#include <utility>

#include "netfw/daemon/engine.h"

namespace netfw {
namespace {

base::Json error_json(const std::optional<base::Error>& error) {
  if (!error) return nullptr;
  return {{"reason", error->reason}, {"detail", error->detail}};
}

base::Json rule_json(const Rule& rule) {
  base::Json out = {{"name", rule.name},
                    {"chain", rule.chain == Chain::input ? "input" : "forward"},
                    {"verdict", rule.verdict == Verdict::accept ? "accept" : "drop"}};
  if (rule.from_loopback) out["loopback"] = true;
  constexpr std::pair<FlowState, std::string_view> kStates[] = {
      {kNew, "new"}, {kEstablished, "established"}, {kRelated, "related"}, {kInvalid, "invalid"}};
  for (const auto& [state, name] : kStates) {
    if ((rule.states & state) != 0) out["states"].push_back(name);
  }
  constexpr std::string_view kProtocols[] = {"any", "tcp", "udp", "icmp"};
  if (rule.protocol != Protocol::any) {
    out["protocol"] = kProtocols[static_cast<std::size_t>(rule.protocol)];
  }
  if (rule.source) out["source"] = set_name(*rule.source);
  if (rule.source_net) out["source_net"] = rule.source_net->text();
  if (rule.ports) out["ports"] = set_name(*rule.ports);
  if (rule.port) out["port"] = *rule.port;
  if (rule.endpoints) out["endpoints"] = set_name(*rule.endpoints);
  if (rule.icmp_type) out["icmp_type"] = *rule.icmp_type;
  return out;
}

base::Json sets_json(const FirewallSets& sets) {
  base::Json out = base::Json::object();
  for (const SetId id : kSetIds) {
    base::Json members = base::Json::array();
    if (set_kind(id) == SetKind::nets && sets.nets.contains(id)) {
      for (const IpNet& net : sets.nets.at(id)) members.push_back(net.text());
    } else if (set_kind(id) == SetKind::ports && sets.ports.contains(id)) {
      for (const std::uint16_t port : sets.ports.at(id)) members.push_back(port);
    } else if (set_kind(id) == SetKind::endpoints) {
      for (const Endpoint& endpoint : sets.instances) members.push_back(endpoint.text());
    }
    out[std::string(set_name(id))] = std::move(members);
  }
  return out;
}

base::Json change_json(const SetChange& change) {
  base::Json added = base::Json::array();
  base::Json removed = base::Json::array();
  for (const IpNet& net : change.nets_added) added.push_back(net.text());
  for (const IpNet& net : change.nets_removed) removed.push_back(net.text());
  for (const std::uint16_t port : change.ports_added) added.push_back(port);
  for (const std::uint16_t port : change.ports_removed) removed.push_back(port);
  for (const Endpoint& endpoint : change.endpoints_added) added.push_back(endpoint.text());
  for (const Endpoint& endpoint : change.endpoints_removed) removed.push_back(endpoint.text());
  return {{"added", std::move(added)}, {"removed", std::move(removed)}};
}

base::Json losses_json(const std::vector<AccessLoss>& losses) {
  base::Json out = base::Json::array();
  for (const AccessLoss& loss : losses) {
    out.push_back({{"port", loss.port}, {"source", loss.source.text()}});
  }
  return out;
}

base::Json trial_json(const Engine::Trial& trial) {
  return {{"id", trial.id},
          {"until", base::format_time(trial.until)},
          {"takes_away", losses_json(trial.takes_away)},
          {"confirm", trial.takes_away.empty()
                          ? "gestalt fw confirm"
                          : "gestalt fw confirm, in an SSH session that is opened from now on"}};
}

}  // namespace

base::Json Engine::status() {
  const std::lock_guard lock(mutex_);
  base::Json haproxy = nullptr;
  if (parts_.balancer) {
    haproxy = {{"connected", parts_.balancer->is_connected()},
               {"pid", parts_.balancer->pid()},
               {"reloads", parts_.balancer->reloads()},
               {"error", error_json(balancer_error_)}};
  }
  base::Json firewall = nullptr;
  if (parts_.firewall) {
    firewall = {{"backend", parts_.firewall->name()},
                {"applied", firewall_applied_},
                {"rules", last_applied_.rules},
                {"foreign_rules", last_applied_.foreign_rules},
                {"error", error_json(firewall_error_)}};
  }
  return {{"generation", state_.services.generation},
          {"services", state_.services.services.size()},
          {"instances", state_.instances.size()},
          {"problems", write_problems(problems_)},
          {"policy_on_trial", on_trial_.has_value()},
          {"changes", rounds_},
          {"haproxy", std::move(haproxy)},
          {"firewall", std::move(firewall)}};
}

base::Json Engine::services() {
  const std::lock_guard lock(mutex_);
  base::Json out = base::Json::array();
  for (const Service& service : state_.services.services) {
    base::Json json = write_service(service);
    for (base::Json& port : json["ports"]) {
      const auto pool = state_.assignments.find(PoolKey(service.id, port["index"].get<unsigned>()));
      if (pool != state_.assignments.end()) port["pool"] = pool->second.text();
    }
    out.push_back(std::move(json));
  }
  return {{"generation", state_.services.generation},
          {"services", std::move(out)},
          {"problems", write_problems(problems_)}};
}

base::Json Engine::instances() {
  const std::lock_guard lock(mutex_);
  base::Json out = base::Json::array();
  for (const auto& [id, instance] : state_.instances) {
    base::Json json = write_instance(instance);
    json["id"] = id.text();
    base::Json members = base::Json::array();
    for (const auto& [pool, name] : members_of(instance)) {
      if (!parts_.balancer) continue;
      const auto seen = parts_.balancer->seen().pools.find(pool);
      if (seen == parts_.balancer->seen().pools.end()) continue;
      const auto server = seen->second.find(name);
      if (server == seen->second.end()) continue;
      members.push_back({{"pool", pool.text()},
                         {"server", name.text()},
                         {"in_rotation", server->second.server.ready}});
    }
    json["members"] = std::move(members);
    out.push_back(std::move(json));
  }
  return {{"instances", std::move(out)}};
}

base::Json Engine::firewall() {
  const std::lock_guard lock(mutex_);
  const FirewallIr ir = desired_firewall();
  base::Json rules = base::Json::object();
  for (const Family family : kFamilies) {
    base::Json list = base::Json::array();
    for (const Rule& rule : compile_rules(family, ir.forward)) list.push_back(rule_json(rule));
    rules[family == Family::v4 ? "ipv4" : "ipv6"] = std::move(list);
  }
  return {{"backend", parts_.firewall ? parts_.firewall->name() : "off"},
          {"applied", firewall_applied_},
          {"rules", std::move(rules)},
          {"sets", sets_json(ir.sets)},
          {"rendered",
           {{"rules", last_applied_.rules}, {"foreign_rules", last_applied_.foreign_rules}}},
          {"error", error_json(firewall_error_)}};
}

base::Json Engine::policy() {
  const std::lock_guard lock(mutex_);
  base::Json out = write_policy(policy_);
  out["on_trial"] = on_trial_.has_value();
  if (on_trial_) out["trial"] = trial_json(on_trial_->trial);
  return out;
}

Judgement Engine::judge(const Packet& packet) {
  const std::lock_guard lock(mutex_);
  return verdict(desired_firewall(), packet);
}

base::Result<base::Json> Engine::plan(const Policy& policy) {
  TRY(check_invariants(compile_policy(policy)));
  const std::lock_guard lock(mutex_);
  const FirewallIr now = desired_firewall();
  // What services may claim depends on the policy as well.
  Policy in_force = std::exchange(policy_, policy);
  const FirewallIr wanted = desired_firewall();
  policy_ = std::move(in_force);
  base::Json sets = base::Json::object();
  for (const SetChange& change : difference(now.sets, wanted.sets)) {
    if (!change.empty()) sets[std::string(set_name(change.id))] = change_json(change);
  }
  base::Json out = {{"sets", std::move(sets)}};
  if (now.forward != wanted.forward) out["forward"] = wanted.forward;
  if (const auto lost = losses(policy); !lost.empty()) out["takes_away"] = losses_json(lost);
  return out;
}

base::Json Engine::health() const {
  base::Json problems = base::Json::array();
  if (!figures_.firewall_good) {
    problems.push_back("the packet filter is not as wanted; GET /v1/status says why");
  }
  if (!figures_.balancer_good) {
    problems.push_back(figures_.haproxy_connected
                           ? "HAProxy did not take a change; GET /v1/status says why"
                           : "HAProxy does not answer: systemctl status gestalt-haproxy");
  }
  return {{"status", problems.empty() ? "ok" : "degraded"}, {"problems", std::move(problems)}};
}

void Engine::note_figures() {
  figures_.firewall_good = !parts_.firewall || (firewall_applied_ && !firewall_error_);
  const bool connected = parts_.balancer && parts_.balancer->is_connected();
  figures_.balancer_good = !parts_.balancer || (connected && !balancer_error_);
  figures_.haproxy_connected = connected;
  figures_.haproxy_pid = connected ? parts_.balancer->pid() : 0;
  figures_.instances = state_.instances.size();
  figures_.services = state_.services.services.size();
  figures_.rules = last_applied_.rules;
  figures_.reloads = parts_.balancer ? parts_.balancer->reloads() : 0;
}

}  // namespace netfw
