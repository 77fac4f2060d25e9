// SPDX-License-Identifier: Apache-2.0
#include "netfw/plan/plan.h"

#include <CppUTest/TestHarness.h>

#include <random>

#include "tests/support/check_result.h"

using namespace netfw;

namespace {

Service web(const std::string& id, std::uint16_t port, const std::string& vhost) {
  Service out{.id = ServiceId(id), .group = "external"};
  out.ports = {{.index = 0, .service_port = port}};
  if (!vhost.empty()) out.ports[0].vhosts = {*Vhost::parse(vhost)};
  return out;
}

Instance running(const std::string& id, const std::string& service, std::uint16_t port,
                 InstanceState state) {
  return {InstanceId(id), ServiceId(service), NodeName("n1"), *IpAddress::parse("10.0.0.2"), {port},
          state};
}

struct World {
  std::vector<Service> services;
  std::map<InstanceId, Instance> instances;
  LbLimits limits = {};
  std::set<PoolName> occupied = {};
  PoolAssignments before = {};
  void add(const Instance& instance) { instances.insert_or_assign(instance.id, instance); }
  LbDesired make() { return make_lb({services, instances, limits, occupied}, before); }
};

LbSeen seen_of(const LbState& state) {
  LbSeen out;
  out.maps = state.maps;
  for (const auto& [pool, servers] : state.pools) {
    unsigned id = 0;
    for (const auto& [name, server] : servers) out.pools[pool][name] = {++id, server, true};
  }
  return out;
}

// Carries out steps in the model and checks after each that what is in rotation is reachable.
void walk(const std::vector<Step>& steps, FirewallSets& sets, LbSeen& seen) {
  for (const Step& step : steps) {
    note_done(step, sets, seen);
    for (const auto& [pool, servers] : seen.pools) {
      for (const auto& [name, server] : servers) {
        if (!server.server.ready) continue;
        const Endpoint endpoint{Transport::tcp, server.server.address, server.server.port};
        CHECK_TRUE_TEXT(sets.instances.contains(endpoint), describe(step).c_str());
      }
    }
  }
}

FirewallSets sets_of(const World& world) {
  FirewallSets out;
  for (const auto& [id, instance] : world.instances) {
    if (instance.state == InstanceState::unhealthy) continue;
    for (const std::uint16_t port : instance.ports) {
      out.instances.insert({Transport::tcp, instance.address, port});
    }
    for (const Service& service : world.services) {
      if (service.id == instance.service) {
        out.ports[SetId::service_tcp].insert(service.ports[0].service_port);
      }
    }
  }
  return out;
}

std::string all(const std::vector<Step>& steps) {
  std::string out;
  for (const Step& step : steps) out += describe(step).substr(0, 9) + "\n";
  return out;
}

}  // namespace

TEST_GROUP(Plan){};

TEST(Plan, opening_goes_firewall_member_route_and_closing_the_other_way) {
  World world;
  world.services = {web("/demo/web", 10001, "web.demo")};
  world.add(running("i1", "/demo/web", 3001, InstanceState::healthy));
  const LbDesired lb = world.make();
  const FirewallSets sets = sets_of(world);
  STRCMP_EQUAL("open serv\nadd http_\nroute hos\nroute por\n",
               all(plan(sets, {}, lb.state, {}, {})).c_str());
  STRCMP_EQUAL("unroute h\nunroute p\nmaintenan\nremove ht\nclose ser\nrevoke 2\n",
               all(plan({}, sets, {}, seen_of(lb.state), {})).c_str());
  CHECK_TRUE(plan(sets, sets, lb.state, seen_of(lb.state), {}).empty());
}

TEST(Plan, any_two_worlds_are_joined_by_steps_that_never_route_to_a_closed_port) {
  std::mt19937 random(7);
  constexpr InstanceState kStates[] = {InstanceState::starting, InstanceState::healthy,
                                       InstanceState::unhealthy, InstanceState::draining};
  World world;
  FirewallSets sets;
  LbSeen seen;
  for (int round = 0; round < 300; ++round) {
    world.services.clear();
    world.instances.clear();
    for (int s = 0; s < 4; ++s) {
      if (random() % 4 == 0) continue;
      const std::string id = "/app/" + std::to_string(s);
      Service service = web(id, static_cast<std::uint16_t>(10001 + random() % 4),
                            random() % 2 == 0 ? "a.demo" : "");
      if (random() % 3 == 0) {
        service.ports[0].mode = Mode::tcp;
        service.ports[0].vhosts.clear();
      }
      world.services.push_back(service);
      for (int i = 0; i < 3; ++i) {
        world.add(running(id.substr(5) + "-" + std::to_string(i), id,
                          static_cast<std::uint16_t>(3000 + s * 10 + i), kStates[random() % 4]));
      }
    }
    world.occupied.clear();
    for (const auto& [pool, servers] : seen.pools) world.occupied.insert(pool);
    const LbDesired lb = world.make();
    world.before = lb.assignments;
    const FirewallSets wanted = sets_of(world);
    walk(plan(wanted, sets, lb.state, seen, {}), sets, seen);
    CHECK_TRUE(difference(sets, wanted).empty());
    CHECK_TRUE(plan(wanted, sets, lb.state, seen, {}).empty());
  }
}

TEST(Plan, a_service_keeps_its_pool_and_a_new_one_never_gets_one_that_is_occupied) {
  World world;
  world.services = {web("/b", 10001, "")};
  world.before = world.make().assignments;
  const PoolName pool = world.before.begin()->second;
  world.services.insert(world.services.begin(), web("/a", 10002, ""));
  const LbDesired lb = world.make();
  CHECK_TRUE(lb.assignments.at({ServiceId("/b"), 0}) == pool);
  CHECK_FALSE(lb.assignments.at({ServiceId("/a"), 0}) == pool);
  World other;
  other.services = {web("/c", 10003, "")};
  other.occupied = {pool};
  CHECK_FALSE(other.make().assignments.begin()->second == pool);
}

TEST(Plan, of_two_that_claim_a_host_or_port_the_heavier_gets_it_and_the_other_is_a_problem) {
  World world;
  world.services = {web("/a", 10001, "x.demo"), web("/b", 10001, "x.demo")};
  world.services[1].ports[0].weight = 5;
  const LbDesired lb = world.make();
  CHECK_EQUAL(2, lb.problems.size());
  STRCMP_EQUAL("/a", lb.problems[0].service.c_str());
  const PoolName winner = lb.assignments.at({ServiceId("/b"), 0});
  CHECK_TRUE(lb.state.maps.at(MapId::hosts).at(RouteKey::host(*Vhost::parse("x.demo"))) == winner);
  CHECK_TRUE(lb.state.maps.at(MapId::ports).at(RouteKey::port(10001)) == winner);
}

TEST(Plan, reserved_ports_cannot_be_claimed) {
  World world;
  world.limits.reserved = {8080};
  world.services = {web("/a", 22, ""), web("/b", 8080, ""), web("/c", 31000, "")};
  const LbDesired lb = world.make();
  CHECK_EQUAL(2, lb.problems.size());
  CHECK_EQUAL(1, lb.extra_ports.size());
  CHECK_TRUE(lb.extra_ports.contains(31000));
}

TEST(Plan, pools_grow_by_doubling_before_they_run_out) {
  PoolAssignments assignments;
  const PoolKind kind{};
  CHECK_EQUAL(32, count_pools(assignments)[kind]);
  assignments.emplace(PoolKey(ServiceId("/a"), 0), PoolName(kind, 31));
  CHECK_EQUAL(64, count_pools(assignments)[kind]);
  assignments.emplace(PoolKey(ServiceId("/b"), 0), PoolName(kind, 999));
  CHECK_EQUAL(2048, count_pools(assignments)[kind]);
}

TEST(Plan, a_thousand_routes_become_one_replacement) {
  LbState state;
  for (std::uint16_t port = 10000; port < 11000; ++port) {
    state.maps[MapId::ports].emplace(RouteKey::port(port), PoolName({}, 0));
  }
  const std::vector<Step> steps = plan_balance(state, {});
  CHECK_EQUAL(1, steps.size());
  CHECK_TRUE(std::holds_alternative<ReplaceMap>(steps[0]));
}

TEST(Plan, flows_of_an_instance_that_is_only_unhealthy_go_on) {
  const Endpoint endpoint{Transport::tcp, *IpAddress::parse("10.0.0.2"), 3001};
  FirewallSets sets;
  sets.instances = {endpoint};
  CHECK_EQUAL(1, plan_firewall_close({}, sets, {endpoint}).size());
  CHECK_EQUAL(2, plan_firewall_close({}, sets, {}).size());
}
