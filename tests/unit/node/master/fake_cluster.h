// SPDX-License-Identifier: Apache-2.0
// A scheduler with virtual time and nodes whose agents do what they are told, fail when told to,
// and refuse what no agent could do (a port twice, an unknown spec).
#pragma once

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "node/api/run_spec.h"
#include "node/master/scheduler.h"
#include "tests/support/check_result.h"

namespace node::master {

class FakeClock final : public base::Clock {
 public:
  base::Instant now() const override { return {time_}; }
  base::WallTime wall() const override {
    return base::WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(time_) +
                          std::chrono::milliseconds(1'767'225'600'000)) +  // 2026-01-01
           jumped_;
  }
  void advance(base::Duration by) { time_ += by; }
  // Somebody sets the wall clock.
  void jump(std::chrono::seconds by) { jumped_ += by; }

 private:
  base::Duration time_ = std::chrono::hours(1);
  std::chrono::seconds jumped_{0};
};

// SplitMix64: small, fast, the same on every machine.
class SeededRng final : public base::Rng {
 public:
  explicit SeededRng(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    for (std::size_t i = 0; i < out.size(); i += 8) {
      state_ += 0x9e3779b97f4a7c15U;
      std::uint64_t z = state_;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
      z ^= z >> 31;
      std::memcpy(out.data() + i, &z, std::min<std::size_t>(8, out.size() - i));
    }
  }

 private:
  std::uint64_t state_;
};

inline std::string fake_digest(std::string_view text) {
  const std::size_t hash = std::hash<std::string_view>{}(text);
  char out[65];
  std::snprintf(out, sizeof out, "%064zx", hash);
  return out;
}

inline App app_of(const std::string& json) {
  Problems problems;
  const base::Json parsed = UNWRAP(base::parse_json(json));
  auto app = make_app(parsed, "/", "", problems);
  if (!app) FAIL(problems.text().c_str());
  return std::move(*app);
}

struct FakeNode {
  api::Node info;
  bool live = false;
  std::string boot = "boot-1";
  std::int64_t sequence = 0;
  std::map<api::InstanceId, api::InstanceStatus> instances;
};

class FakeCluster {
 public:
  explicit FakeCluster(std::uint64_t seed = 1)
      : rng(seed), scheduler(clock, rng, SchedulerSettings{.digest = fake_digest}) {}

  void add_node(const std::string& name, double cpus = 100, std::int64_t ports = 1000) {
    FakeNode node;
    node.info.name = name;
    node.info.address = "10.0.0." + std::to_string(nodes.size() + 1);
    node.info.resources = {cpus, std::int64_t{1} << 40, std::int64_t{1} << 40};
    node.info.port_first = 3000;
    node.info.port_last = 3000 + ports - 1;
    node.info.attributes["rack"] = "r" + std::to_string(nodes.size() % 3);
    nodes[name] = node;
    scheduler.node_info(node.info);
    set_live(name, true);
  }
  void set_live(const std::string& name, bool live) {
    nodes[name].live = live;
    scheduler.node_live(name, live);
    if (live) send_full(name);
  }
  void send_full(const std::string& name) {
    FakeNode& node = nodes[name];
    api::StatusReport report{node.boot, ++node.sequence, true, {}};
    for (const auto& [id, status] : node.instances) report.instances.push_back(status);
    CHECK_OK(scheduler.report(name, report));
  }
  void send(const std::string& name, const api::InstanceStatus& status) {
    FakeNode& node = nodes[name];
    CHECK_OK(scheduler.report(name, {node.boot, ++node.sequence, false, {status}}));
  }

  Accepted put(const std::string& json) {
    Change change;
    change.put.push_back(app_of(json));
    return scheduler.deploy(std::move(change));
  }

  // Agents take over their assignments: new instances begin, those that left are forgotten.
  void sync(const std::string& name) {
    FakeNode& node = nodes[name];
    std::map<api::InstanceId, api::InstanceStatus> kept;
    for (const api::Assignment& wanted : scheduler.assignments(name).instances) {
      CHECK(scheduler.find_spec(wanted.spec) != nullptr);
      const auto found = node.instances.find(wanted.id);
      if (found != node.instances.end()) {
        kept[wanted.id] = found->second;
        continue;
      }
      api::InstanceStatus status;
      status.id = wanted.id;
      status.epoch = wanted.epoch;
      status.ports = wanted.ports;
      status.address = node.info.address;
      kept[wanted.id] = status;
    }
    node.instances = std::move(kept);
  }

  // One step of an instance towards its goal; false when it has arrived.
  bool work_on(const std::string& name, const api::InstanceId& id) {
    sync(name);
    FakeNode& node = nodes[name];
    const auto found = node.instances.find(id);
    const Instance* instance = scheduler.find_instance(id);
    if (found == node.instances.end() || instance == nullptr) return false;
    api::InstanceStatus& status = found->second;
    if (instance->goal == api::Goal::stopped) {
      status.state = status.state == api::InstanceState::killing ? api::InstanceState::killed
                                                                 : api::InstanceState::killing;
    } else if (status.state == api::InstanceState::staging) {
      status.state = api::InstanceState::running;
      if (!instance->has_health_checks && !instance->has_readiness_checks) status.ready = true;
    } else if (instance->has_health_checks && !status.healthy.value_or(false)) {
      status.healthy = true;
    } else if (!status.ready) {
      status.ready = true;
    } else {
      return false;
    }
    const api::InstanceStatus copy = status;
    send(name, copy);
    return true;
  }

  // Ends an instance as `state`.
  void die(const api::InstanceId& id, api::InstanceState state = api::InstanceState::failed) {
    const Instance* instance = scheduler.find_instance(id);
    CHECK(instance != nullptr);
    const std::string name = instance->node;
    sync(name);
    api::InstanceStatus status = nodes[name].instances[id];
    status.state = state;
    send(name, status);
    sync(name);
  }

  // Every agent does a little. False: nothing moves any more.
  bool work() {
    bool moved = false;
    for (auto& [name, node] : nodes) {
      if (!node.live) continue;
      sync(name);
      std::vector<api::InstanceId> ids;
      for (const auto& [id, status] : node.instances) ids.push_back(id);
      for (const api::InstanceId& id : ids) moved = work_on(name, id) || moved;
    }
    return moved;
  }
  // Lets everything happen that happens without time passing.
  void settle() {
    while (work()) {
    }
  }
  // Lets everything happen until nothing moves, with time passing for back-offs.
  void run(int rounds = 2000) {
    for (int round = 0; round < rounds; ++round) {
      if (work()) continue;
      const auto next = scheduler.next_deadline();
      if (!next || *next > clock.now() + std::chrono::hours(1)) return;
      if (*next > clock.now()) clock.advance(*next - clock.now());
      scheduler.tick();
    }
  }

  std::vector<const Instance*> instances_of(const std::string& app) const {
    std::vector<const Instance*> list;
    const auto found = scheduler.apps().find(app);
    if (found == scheduler.apps().end()) return list;
    for (const api::InstanceId& id : found->second.instances)
      list.push_back(scheduler.find_instance(id));
    return list;
  }
  long healthy(const std::string& app) const {
    long count = 0;
    for (const Instance* instance : instances_of(app)) count += instance->is_healthy() ? 1 : 0;
    return count;
  }
  std::vector<std::string> event_types() {
    std::vector<std::string> types;
    for (const Event& event : scheduler.take_effects().events) types.push_back(event.type);
    return types;
  }

  FakeClock clock;
  SeededRng rng;
  Scheduler scheduler;
  std::map<std::string, FakeNode> nodes;
};

}  // namespace node::master
