// SPDX-License-Identifier: Apache-2.0
// Hundreds of random histories of some 200 events each against the scheduler: crashes, ill health,
// lost nodes, scaling, upgrades, rollbacks and restarts of masterd, in virtual time, each from its
// seed.
//
// After every event: no healthy instance was stopped below minimumHealthCapacity, nothing was
// started above maximumOverCapacity, no port is held twice, no node is overcommitted, every
// assignment has its spec. After the last: what is wanted runs, and no deployment is left.
#include <nlohmann/json.hpp>

#include "tests/support/sanitizers.h"
#include "tests/unit/node/master/fake_cluster.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using node::api::Goal;
using node::api::InstanceId;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t kSchedules = 400;
constexpr int kEvents = 120;
constexpr const char* kApps[] = {"/a", "/b/c", "/b/d"};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : seed_(seed), cluster_(seed), dice_(seed * 31 + 7) {
    for (const char* name : {"n1", "n2", "n3"}) cluster_.add_node(name, 40, 60);
  }

  void run() {
    for (int i = 0; i < kEvents; ++i) {
      before_ = look();
      killed_by_user_.clear();
      one_event();
      check();
    }
    settle_down();
  }

 private:
  struct Seen {
    std::map<InstanceId, Goal> goals;
  };

  Seen look() const {
    Seen seen;
    for (const auto& [id, instance] : cluster_.scheduler.instances())
      seen.goals[id] = instance.goal;
    return seen;
  }

  std::uint64_t roll(std::uint64_t sides) { return dice_.below(sides); }

  std::string definition() {
    const char* health = roll(2) == 0 ? R"(,"healthChecks":[{"protocol":"TCP"}])" : "";
    const char* least[] = {"0", "0.3", "0.5", "0.75", "1"};
    const char* over[] = {"0", "0.2", "0.5", "1"};
    const char* place[] = {"", R"(,"constraints":[["rack","GROUP_BY"]])",
                           R"(,"constraints":[["hostname","MAX_PER","9"]])"};
    return std::string(R"({"id":")") + kApps[roll(3)] + R"(","cmd":"run )" +
           std::to_string(roll(3)) + R"(","cpus":0.5,"backoffSeconds":)" + std::to_string(roll(3)) +
           R"(,"instances":)" + std::to_string(roll(9)) + health + place[roll(3)] +
           R"(,"upgradeStrategy":{"minimumHealthCapacity":)" + least[roll(5)] +
           R"(,"maximumOverCapacity":)" + over[roll(4)] + R"(},"gestalt":{"maxFailures":)" +
           std::to_string(roll(3) * 4) + R"(,"deployDeadlineSeconds":)" +
           std::to_string(roll(2) * 300) + R"(,"canaryInstances":)" + std::to_string(roll(3)) +
           R"(,"canarySeconds":)" + std::to_string(roll(10)) + "}}";
  }

  const Instance* any_instance() {
    const auto& all = cluster_.scheduler.instances();
    if (all.empty()) return nullptr;
    return &std::next(all.begin(), static_cast<long>(roll(all.size())))->second;
  }

  void one_event() {
    const std::uint64_t dice = roll(100);
    last_ = "event " + std::to_string(dice);
    if (dice < 60) {
      progress();
    } else if (dice < 68) {
      crash();
    } else if (dice < 76) {
      flap();
    } else if (dice < 86) {
      cluster_.clock.advance(milliseconds(roll(5000)));
      cluster_.scheduler.tick();
    } else if (dice < 94) {
      command();
    } else if (dice < 97) {
      lose_or_return();
    } else if (dice < 98) {
      restart_master();
    } else if (const Instance* instance = any_instance()) {
      killed_by_user_.insert(instance->id);
      cluster_.scheduler.kill({instance->id});
    }
  }

  void progress() {
    for (int i = 0; i < 4; ++i) {
      const Instance* instance = any_instance();
      if (instance == nullptr || !cluster_.nodes[instance->node].live) continue;
      // Each step is an event of its own.
      before_ = look();
      const std::string node = instance->node;
      cluster_.work_on(node, InstanceId(instance->id));
      check();
    }
    before_ = look();
  }

  void crash() {
    const Instance* instance = any_instance();
    if (instance == nullptr || !cluster_.nodes[instance->node].live) return;
    using node::api::InstanceState;
    const InstanceState ends[] = {InstanceState::failed, InstanceState::finished,
                                  InstanceState::error, InstanceState::lost};
    cluster_.die(InstanceId(instance->id), ends[roll(4)]);
  }

  void flap() {
    const Instance* instance = any_instance();
    if (instance == nullptr || !instance->has_health_checks) return;
    if (instance->status.state != node::api::InstanceState::running || !instance->reported) return;
    const std::string name = instance->node;
    if (!cluster_.nodes[name].live) return;
    cluster_.sync(name);
    auto& status = cluster_.nodes[name].instances[instance->id];
    status.healthy = !status.healthy.value_or(false);
    status.health_results.resize(1);
    status.health_results[0].alive = *status.healthy;
    status.health_results[0].consecutive_failures =
        *status.healthy ? 0 : static_cast<std::int64_t>(roll(5));
    const node::api::InstanceStatus copy = status;
    cluster_.send(name, copy);
  }

  void command() {
    const std::uint64_t dice = roll(10);
    const auto& deployments = cluster_.scheduler.deployments();
    if (dice == 0 && !deployments.empty()) {
      CHECK_OK(cluster_.scheduler.roll_back(std::string(deployments.begin()->first)));
    } else if (dice == 1 && !deployments.empty()) {
      CHECK_OK(cluster_.scheduler.cancel(std::string(deployments.begin()->first)));
    } else if (dice == 2) {
      Change change;
      change.remove.insert(kApps[roll(3)]);
      if (cluster_.scheduler.blocking(change).empty()) cluster_.scheduler.deploy(change);
    } else {
      Change change;
      change.put.push_back(app_of(definition()));
      if (roll(3) == 0 || cluster_.scheduler.blocking(change).empty())
        cluster_.scheduler.deploy(std::move(change));
    }
  }

  void lose_or_return() {
    const char* names[] = {"n1", "n2", "n3"};
    const std::string name = names[roll(3)];
    if (cluster_.nodes[name].live) {
      cluster_.set_live(name, false);
    } else {
      cluster_.sync(name);
      cluster_.set_live(name, true);
    }
  }

  // A new masterd gets exactly what is written down. Agents then tell it how things are.
  void restart_master() {
    Snapshot snapshot = take_snapshot();
    const auto wanted = wanted_now();
    std::destroy_at(&cluster_.scheduler);
    std::construct_at(&cluster_.scheduler, cluster_.clock, cluster_.rng,
                      SchedulerSettings{.digest = fake_digest});
    const auto unusable = cluster_.scheduler.restore(std::move(snapshot));
    if (!unusable.empty()) FAIL(unusable[0].c_str());
    CHECK(wanted == wanted_now());
    for (auto& [name, node] : cluster_.nodes) {
      cluster_.scheduler.node_info(node.info);
      cluster_.scheduler.node_live(name, node.live);
      if (node.live) cluster_.send_full(name);
    }
    before_ = look();
  }

  std::map<std::string, std::string> wanted_now() const {
    std::map<std::string, std::string> wanted;
    for (const auto& [id, app] : cluster_.scheduler.apps())
      if (app.current != nullptr) wanted[id] = app.current->document->dump();
    return wanted;
  }

  Snapshot take_snapshot() const {
    const Scheduler& from = cluster_.scheduler;
    Snapshot snapshot;
    for (const auto& [id, state] : from.apps()) {
      Snapshot::AppRecord record;
      for (const auto& [version, app] : state.versions) record.versions.push_back(*app);
      record.removed = state.current == nullptr;
      record.app = record.removed ? record.versions.back() : *state.current;
      snapshot.apps.push_back(std::move(record));
    }
    snapshot.groups = from.groups();
    snapshot.history = {from.history().versions().begin(), from.history().versions().end()};
    for (const auto& [id, deployment] : from.deployments()) {
      Snapshot::DeploymentRecord record{deployment, {}, from.age_of(deployment)};
      for (const auto& [app, original] : deployment.originals)
        record.originals[app] = original == nullptr ? "" : original->version;
      record.deployment.originals.clear();
      snapshot.deployments.push_back(std::move(record));
    }
    for (const auto& [name, node] : from.nodes()) {
      snapshot.assignments[name] = from.assignments(name);
      for (const auto& assignment : snapshot.assignments[name].instances)
        snapshot.specs[assignment.spec] = *from.find_spec(assignment.spec);
    }
    return snapshot;
  }

  void complain(const std::string& text) {
    FAIL(("seed " + std::to_string(seed_) + ": " + text).c_str());
  }

  void check() {
    check_nodes();
    for (const auto& [id, app] : cluster_.scheduler.apps()) check_app(id, app);
  }

  void check_app(const std::string& id, const AppState& app) {
    std::int64_t healthy = 0, active = 0, total = 0;
    bool stopped_healthy = false, launched = false;
    for (const InstanceId& name : app.instances) {
      const Instance& instance = *cluster_.scheduler.find_instance(name);
      if (instance.unreachable) continue;
      ++total;
      if (instance.goal == Goal::running) ++active;
      if (instance.is_healthy()) ++healthy;
      const auto before = before_.goals.find(name);
      launched = launched || before == before_.goals.end();
      Instance as_if = instance;
      as_if.goal = Goal::running;
      const bool just_stopped = instance.goal == Goal::stopped && before != before_.goals.end() &&
                                before->second == Goal::running;
      if (just_stopped && as_if.is_healthy() && !killed_by_user_.contains(name))
        stopped_healthy = true;
    }
    if (!app.replacing || app.running == nullptr) {
      if (launched && active > app.wanted) complain(id + " has more instances than wanted");
      return;
    }
    const std::int64_t least = healthy_min(*app.running, app.wanted);
    std::int64_t most = total_max(*app.running, app.wanted);
    if (most == least) ++most;
    if (stopped_healthy && healthy < least)
      complain(id + ": a healthy instance was stopped with " + std::to_string(healthy) +
               " left of at least " + std::to_string(least) + " after " + last_);
    if (launched && total > most)
      complain(id + ": " + std::to_string(total) + " instances, at most " + std::to_string(most) +
               " after " + last_);
  }

  void check_nodes() {
    for (const auto& [name, node] : cluster_.scheduler.nodes()) {
      std::set<int> ports;
      double cpus = 0;
      for (const auto& assignment : cluster_.scheduler.assignments(name).instances) {
        for (const auto port : assignment.ports) {
          if (!ports.insert(port).second) complain(name + " gives a port twice");
          if (port < node.info.port_first || port > node.info.port_last)
            complain(name + " gives a port that is not its own");
        }
        if (cluster_.scheduler.find_spec(assignment.spec) == nullptr) complain("spec is missing");
        cpus += cluster_.scheduler.find_instance(assignment.id)->usage.cpus;
      }
      if (cpus > node.info.resources.cpus + 0.001) complain(name + " is overcommitted");
      if (std::abs(cpus - node.used.cpus) > 0.001) complain(name + " miscounts its cpus");
      if (ports.size() + node.ports.free_count() != 60) complain(name + " lost a port");
    }
  }

  void settle_down() {
    for (auto& [name, node] : cluster_.nodes) {
      if (node.live) continue;
      cluster_.sync(name);
      cluster_.set_live(name, true);
    }
    cluster_.run();
    for (const auto& [id, app] : cluster_.scheduler.apps()) {
      if (app.current == nullptr) complain(id + " is still being removed");
      if (cluster_.healthy(id) != app.current->instances ||
          static_cast<std::int64_t>(app.instances.size()) != app.current->instances)
        complain(id + " has " + std::to_string(cluster_.healthy(id)) + " healthy of " +
                 std::to_string(app.instances.size()) + ", wanted " +
                 std::to_string(app.current->instances));
    }
    if (!cluster_.scheduler.deployments().empty()) complain("a deployment is left over");
  }

  std::uint64_t seed_;
  std::string last_;  // for the message of a failure
  FakeCluster cluster_;
  SeededRng dice_;
  Seen before_;
  std::set<InstanceId> killed_by_user_;
};

}  // namespace

TEST_GROUP(Simulation){};

TEST(Simulation, random_histories_keep_the_limits_and_end_as_wanted) {
  for (std::uint64_t seed = 1; seed <= share_of_seeds(kSchedules); ++seed) Simulation(seed).run();
}
