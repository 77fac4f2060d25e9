// SPDX-License-Identifier: Apache-2.0
#include "node/master/scheduler.h"

#include "tests/unit/node/master/fake_cluster.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using node::api::Goal;
using node::api::InstanceId;
using node::api::InstanceState;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::string sleeper(int instances, const std::string& more = "") {
  return R"({"id":"/demo/web","cmd":"sleep 1","cpus":0.1,"instances":)" +
         std::to_string(instances) + (more.empty() ? "" : "," + more) + "}";
}

}  // namespace

TEST_GROUP(Scheduler) {
  FakeCluster cluster;
  void setup() override { cluster.add_node("n1"); }
};

TEST(Scheduler, a_new_app_runs_and_its_deployment_succeeds) {
  cluster.put(sleeper(3));
  LONGS_EQUAL(3, cluster.scheduler.assignments("n1").instances.size());
  LONGS_EQUAL(1, cluster.scheduler.deployments().size());
  cluster.run();
  LONGS_EQUAL(3, cluster.healthy("/demo/web"));
  LONGS_EQUAL(0, cluster.scheduler.deployments().size());
  CHECK(contains(cluster.event_types(), "deployment_success"));
}

TEST(Scheduler, instances_are_told_with_marathons_words) {
  cluster.put(sleeper(1, R"("healthChecks":[{"protocol":"TCP"}])"));
  cluster.run();
  bool running = false;
  bool healthy = false;
  const std::string id = cluster.instances_of("/demo/web")[0]->id.text();
  for (const Event& event : cluster.scheduler.take_effects().events) {
    const base::Json data = UNWRAP(base::parse_json(event.data));
    if (data.contains("instanceId")) CHECK(data["instanceId"].get<std::string>() + "._app.1" == id);
    if (event.type == "instance_changed_event" && data["condition"] == "Running") {
      running = true;
      CHECK(data["runSpecId"] == "/demo/web" && data["agentId"] == "n1");
      CHECK(data["host"] == "10.0.0.1");
    }
    if (event.type == "instance_health_changed_event") healthy = data["healthy"];
  }
  CHECK(running && healthy);
}

TEST(Scheduler, a_failed_instance_is_replaced_within_the_same_event) {
  cluster.put(sleeper(1));
  cluster.run();
  cluster.clock.advance(seconds(10));
  const InstanceId first = cluster.instances_of("/demo/web")[0]->id;
  cluster.scheduler.take_effects();
  cluster.die(first);
  const auto after = cluster.instances_of("/demo/web");
  LONGS_EQUAL(1, after.size());
  CHECK(after[0]->id != first);
  CHECK(cluster.scheduler.take_effects().nodes.contains("n1"));
  LONGS_EQUAL(3001, after[0]->ports[0]);  // 3000 was freed last and comes last
}

TEST(Scheduler, launches_of_a_crashing_app_are_spaced_by_its_back_off) {
  cluster.put(sleeper(1, R"("backoffSeconds":2,"backoffFactor":2,"maxLaunchDelaySeconds":10)"));
  std::vector<long> gaps;
  auto last = cluster.clock.now();
  for (int i = 0; i < 5; ++i) {
    cluster.die(cluster.instances_of("/demo/web").at(0)->id);
    CHECK(cluster.instances_of("/demo/web").empty());
    const auto next = cluster.scheduler.next_deadline();
    CHECK(next.has_value());
    cluster.clock.advance(*next - cluster.clock.now());
    cluster.scheduler.tick();
    LONGS_EQUAL(1, cluster.instances_of("/demo/web").size());
    gaps.push_back(std::chrono::duration_cast<seconds>(cluster.clock.now() - last).count());
    last = cluster.clock.now();
  }
  const std::vector<long> expected = {2, 4, 8, 10, 10};
  CHECK(gaps == expected);
}

TEST(Scheduler, a_kill_starts_no_back_off_and_a_reset_ends_one) {
  cluster.put(sleeper(1));
  cluster.run();
  cluster.scheduler.kill({cluster.instances_of("/demo/web")[0]->id});
  cluster.run(3);
  LONGS_EQUAL(1, cluster.healthy("/demo/web"));
  cluster.die(cluster.instances_of("/demo/web")[0]->id);
  CHECK(cluster.instances_of("/demo/web").empty());
  LONGS_EQUAL(1, cluster.scheduler.find_app("/demo/web")->missing);
  CHECK(cluster.scheduler.delay_left_seconds(*cluster.scheduler.find_app("/demo/web")) > 0);
  CHECK(cluster.scheduler.reset_delay("/demo/web"));
  LONGS_EQUAL(1, cluster.instances_of("/demo/web").size());
}

TEST(Scheduler, scaling_ends_no_back_off_and_a_new_definition_does) {
  cluster.put(sleeper(1));
  cluster.run();
  cluster.die(cluster.instances_of("/demo/web")[0]->id);
  CHECK(cluster.scheduler.delay_left_seconds(*cluster.scheduler.find_app("/demo/web")) > 0);
  cluster.put(sleeper(3));
  CHECK(cluster.scheduler.delay_left_seconds(*cluster.scheduler.find_app("/demo/web")) > 0);
  CHECK(cluster.instances_of("/demo/web").empty());
  cluster.put(sleeper(3, R"("env":{"A":"b"})"));
  LONGS_EQUAL(3, cluster.instances_of("/demo/web").size());
}

TEST(Scheduler, a_canary_is_looked_at_before_the_others_are_replaced) {
  const std::string more =
      R"("upgradeStrategy":{"minimumHealthCapacity":0.25},"gestalt":{"canaryInstances":1,"canarySeconds":30})";
  cluster.put(sleeper(4, more));
  cluster.run();
  LONGS_EQUAL(4, cluster.healthy("/demo/web"));  // nothing is held where nothing was before
  cluster.put(sleeper(4, more + R"(,"env":{"A":"b"})"));
  cluster.settle();
  const auto count_new = [this] {
    const AppState& app = *cluster.scheduler.find_app("/demo/web");
    const auto instances = cluster.instances_of("/demo/web");
    return std::count_if(instances.begin(), instances.end(), [&](const Instance* one) {
      return one->version == app.current->restart_version;
    });
  };
  LONGS_EQUAL(1, count_new());
  CHECK(cluster.healthy("/demo/web") >= 4);
  cluster.clock.advance(seconds(29));
  cluster.scheduler.tick();
  cluster.settle();
  LONGS_EQUAL(1, count_new());
  cluster.clock.advance(seconds(1));
  cluster.scheduler.tick();
  cluster.run();
  LONGS_EQUAL(4, count_new());
  LONGS_EQUAL(4, cluster.instances_of("/demo/web").size());
  LONGS_EQUAL(0, cluster.scheduler.deployments().size());
}

TEST(Scheduler, a_canary_that_fails_takes_the_deployment_back) {
  const std::string more = R"("gestalt":{"canaryInstances":1})";
  cluster.put(sleeper(3, more));
  cluster.run();
  std::set<InstanceId> before;
  for (const Instance* one : cluster.instances_of("/demo/web")) before.insert(one->id);
  cluster.put(sleeper(3, more + R"(,"env":{"A":"b"})"));
  cluster.settle();
  for (const Instance* one : cluster.instances_of("/demo/web")) {
    if (one->version != cluster.scheduler.find_app("/demo/web")->current->restart_version) continue;
    cluster.die(InstanceId(one->id));
    break;
  }
  cluster.run();
  CHECK(cluster.scheduler.deployments().empty());
  LONGS_EQUAL(3, cluster.healthy("/demo/web"));
  // With no more killed than the canary took the place of.
  std::size_t kept = 0;
  for (const Instance* one : cluster.instances_of("/demo/web")) kept += before.count(one->id);
  CHECK(kept >= 2);
  CHECK(cluster.scheduler.find_app("/demo/web")->current->document->at("env").empty());
}

TEST(Scheduler, scaling_down_stops_the_youngest_first) {
  cluster.put(sleeper(1));
  cluster.run();
  const InstanceId oldest = cluster.instances_of("/demo/web")[0]->id;
  cluster.clock.advance(seconds(1));
  cluster.put(sleeper(3));
  cluster.run();
  cluster.put(sleeper(1));
  cluster.run();
  LONGS_EQUAL(1, cluster.instances_of("/demo/web").size());
  CHECK(cluster.instances_of("/demo/web")[0]->id == oldest);
}

TEST(Scheduler, an_app_may_ask_for_its_oldest_to_be_stopped_first) {
  const char* const kOldest = R"("killSelection":"OLDEST_FIRST")";
  cluster.put(sleeper(1, kOldest));
  cluster.run();
  const InstanceId oldest = cluster.instances_of("/demo/web")[0]->id;
  cluster.clock.advance(seconds(1));
  cluster.put(sleeper(2, kOldest));
  cluster.run();
  cluster.put(sleeper(1, kOldest));
  cluster.run();
  LONGS_EQUAL(1, cluster.instances_of("/demo/web").size());
  CHECK(cluster.instances_of("/demo/web")[0]->id != oldest);
}

TEST(Scheduler, an_upgrade_waits_until_the_new_instances_are_ready) {
  const std::string ready =
      R"("portDefinitions":[{"port":0,"name":"http"}],"readinessChecks":[{"portName":"http"}])";
  cluster.put(sleeper(2, ready));
  cluster.run();
  std::vector<InstanceId> old;
  for (const Instance* instance : cluster.instances_of("/demo/web")) old.push_back(instance->id);
  LONGS_EQUAL(2, old.size());
  cluster.put(sleeper(2, ready + R"(,"env":{"A":"1"})"));
  cluster.sync("n1");
  std::vector<InstanceId> added;
  for (const auto& [id, status] : cluster.nodes["n1"].instances) {
    if (std::find(old.begin(), old.end(), id) == old.end()) added.push_back(id);
  }
  LONGS_EQUAL(2, added.size());
  for (const InstanceId& id : added) CHECK(cluster.work_on("n1", id));  // it runs
  LONGS_EQUAL(1, cluster.scheduler.deployments().size());
  for (const InstanceId& id : old) {
    LONGS_EQUAL(static_cast<int>(Goal::running),
                static_cast<int>(cluster.scheduler.find_instance(id)->goal));
  }
  cluster.run();
  LONGS_EQUAL(0, cluster.scheduler.deployments().size());
  for (const InstanceId& id : old) CHECK(cluster.scheduler.find_instance(id) == nullptr);
  LONGS_EQUAL(2, cluster.healthy("/demo/web"));
}

TEST(Scheduler, labels_checks_and_limits_change_without_a_restart) {
  cluster.put(sleeper(2));
  cluster.run();
  const auto before = cluster.scheduler.assignments("n1");
  cluster.put(sleeper(2, R"("labels":{"a":"b"},"mem":512)"));
  cluster.run();
  const auto after = cluster.scheduler.assignments("n1");
  LONGS_EQUAL(2, after.instances.size());
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(before.instances[i].id == after.instances[i].id);
    LONGS_EQUAL(before.instances[i].epoch, after.instances[i].epoch);
    CHECK(before.instances[i].spec != after.instances[i].spec);
    LONGS_EQUAL(static_cast<int>(Goal::running), static_cast<int>(after.instances[i].goal));
  }
  const std::string* spec = cluster.scheduler.find_spec(after.instances[0].spec);
  CHECK(spec != nullptr);
  LONGS_EQUAL(512LL << 20, UNWRAP(node::api::decode_run_spec(*spec)).resources.memory_bytes);
  LONGS_EQUAL(0, cluster.scheduler.deployments().size());
}

TEST(Scheduler, a_new_command_replaces_all_instances) {
  cluster.put(sleeper(4));
  cluster.run();
  Change change;
  change.put.push_back(app_of(R"({"id":"/demo/web","cmd":"sleep 2","cpus":0.1,"instances":4})"));
  const Accepted accepted = cluster.scheduler.deploy(std::move(change));
  cluster.run();
  LONGS_EQUAL(4, cluster.healthy("/demo/web"));
  for (const Instance* instance : cluster.instances_of("/demo/web"))
    STRCMP_EQUAL(accepted.version.c_str(), instance->version.c_str());
}

TEST(Scheduler, a_removed_app_goes_with_its_instances_and_specs) {
  cluster.put(sleeper(2));
  cluster.run();
  Change change;
  change.remove.insert("/demo/web");
  cluster.scheduler.deploy(std::move(change));
  CHECK(cluster.scheduler.find_app("/demo/web") == nullptr);
  cluster.run();
  CHECK(cluster.scheduler.apps().empty());
  CHECK(cluster.scheduler.assignments("n1").instances.empty());
  CHECK(cluster.scheduler.deployments().empty());
  CHECK(contains(cluster.event_types(), "app_terminated_event"));
}

TEST(Scheduler, an_app_in_a_deployment_blocks_another_change) {
  const Accepted first = cluster.put(sleeper(1));
  Change change;
  change.put.push_back(app_of(sleeper(2)));
  const auto blocking = cluster.scheduler.blocking(change);
  LONGS_EQUAL(1, blocking.size());
  STRCMP_EQUAL(first.deployment.c_str(), blocking[0].c_str());
  cluster.scheduler.deploy(std::move(change));  // forced
  cluster.run();
  LONGS_EQUAL(2, cluster.healthy("/demo/web"));
  CHECK(contains(cluster.event_types(), "deployment_failed"));
}

TEST(Scheduler, a_rollback_keeps_the_instances_that_are_still_there) {
  cluster.put(sleeper(4, R"("upgradeStrategy":{"minimumHealthCapacity":1})"));
  cluster.run();
  const std::string old_version = cluster.instances_of("/demo/web")[0]->version;
  const auto before = cluster.scheduler.assignments("n1");
  const Accepted upgrade =
      cluster.put(R"({"id":"/demo/web","cmd":"false","cpus":0.1,"instances":4})");
  CHECK_OK(cluster.scheduler.roll_back(upgrade.deployment));
  cluster.run();
  LONGS_EQUAL(4, cluster.healthy("/demo/web"));
  for (const Instance* instance : cluster.instances_of("/demo/web")) {
    STRCMP_EQUAL(old_version.c_str(), instance->version.c_str());
    CHECK(std::any_of(before.instances.begin(), before.instances.end(),
                      [&](const auto& assignment) { return assignment.id == instance->id; }));
  }
  STRCMP_EQUAL("sleep 1", (*cluster.scheduler.find_app("/demo/web")->current->document)["cmd"]
                              .get<std::string>()
                              .c_str());
}

TEST(Scheduler, a_deployment_past_its_deadline_goes_back_by_itself) {
  cluster.put(sleeper(2));
  cluster.run();
  cluster.put(
      R"({"id":"/demo/web","cmd":"sleep 2","cpus":0.1,"instances":2,
          "healthChecks":[{"protocol":"TCP"}],"gestalt":{"deployDeadlineSeconds":60}})");
  // Nobody reports the new ones healthy, so the old ones must stay.
  for (const Instance* instance : cluster.instances_of("/demo/web"))
    CHECK(instance->goal == Goal::running);
  cluster.clock.advance(seconds(61));
  cluster.scheduler.tick();
  CHECK(contains(cluster.event_types(), "deployment_failed"));
  cluster.run();
  LONGS_EQUAL(2, cluster.healthy("/demo/web"));
  CHECK(!cluster.scheduler.find_app("/demo/web")->current->has_health_checks);
  CHECK(cluster.scheduler.deployments().empty());
}

TEST(Scheduler, too_many_failures_of_new_instances_roll_back) {
  cluster.put(sleeper(2));
  cluster.run();
  cluster.put(
      R"({"id":"/demo/web","cmd":"false","cpus":0.1,"instances":2,"backoffSeconds":0,
          "labels":{"GESTALT_MAX_FAILURES":"2"}})");
  const std::string wrong = cluster.scheduler.find_app("/demo/web")->current->version;
  for (int i = 0; i < 3; ++i) {
    for (const Instance* instance : cluster.instances_of("/demo/web")) {
      if (instance->version != wrong) continue;
      cluster.die(instance->id);
      break;
    }
  }
  cluster.run();
  STRCMP_EQUAL("sleep 1", (*cluster.scheduler.find_app("/demo/web")->current->document)["cmd"]
                              .get<std::string>()
                              .c_str());
  LONGS_EQUAL(2, cluster.healthy("/demo/web"));
}

TEST(Scheduler, a_paused_deployment_keeps_the_old_instances_and_holds_the_app) {
  cluster.put(sleeper(2));
  cluster.run();
  cluster.put(
      R"({"id":"/demo/web","cmd":"sleep 2","cpus":0.1,"instances":2,"healthChecks":[{"protocol":"TCP"}],
          "gestalt":{"deployDeadlineSeconds":60,"onFailure":"pause"}})");
  cluster.clock.advance(seconds(61));
  cluster.scheduler.tick();
  LONGS_EQUAL(1, cluster.scheduler.deployments().size());
  CHECK(cluster.scheduler.deployments().begin()->second.paused);
  LONGS_EQUAL(2, cluster.healthy("/demo/web"));
}

TEST(Scheduler, an_unhealthy_instance_is_stopped_after_its_limit_of_failures) {
  cluster.put(sleeper(1, R"("healthChecks":[{"protocol":"TCP","maxConsecutiveFailures":3}])"));
  cluster.run();
  const Instance* instance = cluster.instances_of("/demo/web")[0];
  node::api::InstanceStatus status = instance->status;
  status.healthy = false;
  status.health_results.resize(1);
  status.health_results[0].consecutive_failures = 2;
  cluster.send("n1", status);
  CHECK(instance->goal == Goal::running);
  status.health_results[0].consecutive_failures = 3;
  cluster.send("n1", status);
  CHECK(instance->goal == Goal::stopped);
  cluster.run();
  LONGS_EQUAL(1, cluster.healthy("/demo/web"));
}

TEST(Scheduler, instances_of_a_lost_node_move_and_without_another_node_wait_for_it) {
  cluster.put(sleeper(2));
  cluster.run();
  const auto before = cluster.scheduler.assignments("n1");
  cluster.set_live("n1", false);
  LONGS_EQUAL(2, cluster.scheduler.assignments("n1").instances.size());
  cluster.set_live("n1", true);
  CHECK(before == cluster.scheduler.assignments("n1"));
  LONGS_EQUAL(2, cluster.healthy("/demo/web"));
  cluster.set_live("n1", false);
  cluster.add_node("n2");
  LONGS_EQUAL(2, cluster.scheduler.assignments("n2").instances.size());
  LONGS_EQUAL(0, cluster.scheduler.assignments("n1").instances.size());
}

TEST(Scheduler, a_node_that_returns_before_inactive_after_keeps_its_instances) {
  cluster.add_node("n2", 0.05);
  cluster.put(
      sleeper(1, R"("unreachableStrategy":{"inactiveAfterSeconds":30,"expungeAfterSeconds":60})"));
  cluster.run();
  cluster.nodes["n2"].info.resources.cpus = 100;
  cluster.scheduler.node_info(cluster.nodes["n2"].info);
  cluster.set_live("n1", false);
  cluster.clock.advance(seconds(29));
  cluster.scheduler.tick();
  LONGS_EQUAL(0, cluster.scheduler.assignments("n2").instances.size());
  cluster.clock.advance(seconds(2));
  cluster.scheduler.tick();
  LONGS_EQUAL(1, cluster.scheduler.assignments("n2").instances.size());
  LONGS_EQUAL(1, cluster.scheduler.assignments("n1").instances.size());
  cluster.clock.advance(seconds(30));
  cluster.scheduler.tick();
  LONGS_EQUAL(0, cluster.scheduler.assignments("n1").instances.size());
}

TEST(Scheduler, a_report_without_a_chain_is_refused) {
  const node::api::StatusReport later{"boot-1", 7, false, {}};
  CHECK_ERROR(base::Code::failed_precondition, "resync_required",
              cluster.scheduler.report("n1", later));
  const node::api::StatusReport other{"boot-2", 2, false, {}};
  CHECK_ERROR(base::Code::failed_precondition, "resync_required",
              cluster.scheduler.report("n1", other));
  LONGS_EQUAL(1, UNWRAP(cluster.scheduler.report("n1", {"boot-2", 1, true, {}})));
  LONGS_EQUAL(1, UNWRAP(cluster.scheduler.report("n1", {"boot-2", 1, false, {}})));
  LONGS_EQUAL(2, UNWRAP(cluster.scheduler.report("n1", other)));
}

TEST(Scheduler, versions_grow_even_when_the_clock_stands) {
  const Accepted first = cluster.put(sleeper(1));
  const Accepted second = cluster.put(sleeper(2));
  CHECK(first.version < second.version);
}

TEST(Scheduler, service_ports_are_unique_and_stay_with_their_app) {
  cluster.put(sleeper(1));
  cluster.put(R"({"id":"/other","cmd":"true","instances":0})");
  const auto port_of = [&](const char* id) {
    return cluster.scheduler.find_app(id)->current->ports[0].service_port;
  };
  LONGS_EQUAL(10000, port_of("/demo/web"));
  LONGS_EQUAL(10001, port_of("/other"));
  cluster.put(sleeper(1, R"("labels":{"x":"y"})"));
  LONGS_EQUAL(10000, port_of("/demo/web"));
}

TEST(Scheduler, apps_start_in_the_order_of_their_dependencies) {
  Change change;
  change.put.push_back(app_of(R"({"id":"/s/web","cmd":"true","dependencies":["/s/db"]})"));
  change.put.push_back(app_of(R"({"id":"/s/db","cmd":"true"})"));
  cluster.scheduler.deploy(std::move(change));
  LONGS_EQUAL(1, cluster.instances_of("/s/db").size());
  LONGS_EQUAL(0, cluster.instances_of("/s/web").size());
  cluster.run();
  LONGS_EQUAL(1, cluster.healthy("/s/web"));
}

TEST(Scheduler, an_app_without_a_place_waits_and_says_why) {
  cluster.put(R"({"id":"/big","cmd":"true","cpus":1000})");
  const AppState* app = cluster.scheduler.find_app("/big");
  LONGS_EQUAL(1, app->missing);
  LONGS_EQUAL(1, app->refusals.reasons.at("InsufficientCpus"));
  cluster.add_node("n2", 2000);
  LONGS_EQUAL(0, app->missing);
  LONGS_EQUAL(1, cluster.instances_of("/big").size());
}

TEST(Scheduler, volumes_belong_to_a_slot_that_a_replacement_takes_over) {
  const char* app =
      R"({"id":"/db","cmd":"true","instances":2,"container":{"type":"MESOS","volumes":[
      {"containerPath":"/data","persistent":{"size":10}}]}})";
  cluster.put(app);
  cluster.run();
  std::set<int> slots;
  for (const Instance* instance : cluster.instances_of("/db")) slots.insert(instance->slot);
  CHECK(slots == (std::set<int>{0, 1}));
  cluster.clock.advance(seconds(10));
  for (const Instance* instance : cluster.instances_of("/db")) {
    if (instance->slot != 0) continue;
    cluster.die(instance->id);
    break;
  }
  cluster.run();
  slots.clear();
  for (const Instance* instance : cluster.instances_of("/db")) slots.insert(instance->slot);
  CHECK(slots == (std::set<int>{0, 1}));
}

TEST(Scheduler, raised_limits_are_applied_in_place_only_where_they_fit) {
  cluster.add_node("n2", 10);
  cluster.put(R"({"id":"/fill","cmd":"x","cpus":8,"constraints":[["node","IS","n2"]]})");
  cluster.put(R"({"id":"/web","cmd":"x","cpus":1,"constraints":[["node","IS","n2"]]})");
  cluster.run();
  const InstanceId first = cluster.instances_of("/web")[0]->id;
  cluster.put(R"({"id":"/web","cmd":"x","cpus":2})");
  cluster.run();
  CHECK(cluster.instances_of("/web")[0]->id == first);  // 8 + 2 fit
  cluster.put(R"({"id":"/web","cmd":"x","cpus":3})");
  cluster.run();
  const auto after = cluster.instances_of("/web");
  LONGS_EQUAL(1, after.size());
  CHECK(after[0]->id != first && after[0]->node == "n1" && after[0]->is_healthy());
  for (const auto& [name, node] : cluster.scheduler.nodes())
    CHECK(node.used.cpus <= node.info.resources.cpus + 0.001);
}

TEST(Scheduler, a_node_takes_no_more_than_its_record_can_hold) {
  cluster.put(R"({"id":"/many","cmd":"x","cpus":0,"mem":0,"ports":[],"instances":2100})");
  LONGS_EQUAL(kInstancesPerNodeMax, cluster.scheduler.assignments("n1").instances.size());
  const AppState& app = *cluster.scheduler.find_app("/many");
  LONGS_EQUAL(100, app.missing);
  LONGS_EQUAL(1, app.refusals.reasons.at("TooManyInstances"));
  CHECK(node::api::encode(cluster.scheduler.assignments("n1")).size() < 1 << 20);
}

TEST(Scheduler, who_waits_for_room_is_placed_when_some_is_freed) {
  cluster.put(R"({"id":"/a","cmd":"x","cpus":60})");
  cluster.run();
  cluster.put(R"({"id":"/b","cmd":"x","cpus":60})");
  cluster.put(R"({"id":"/c","cmd":"x","cpus":200})");
  LONGS_EQUAL(0, cluster.instances_of("/b").size());
  Change change;
  change.remove.insert("/a");
  cluster.scheduler.deploy(std::move(change));
  cluster.run(50);
  LONGS_EQUAL(1, cluster.healthy("/b"));
  LONGS_EQUAL(0, cluster.instances_of("/c").size());
}
