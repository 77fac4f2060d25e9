// SPDX-License-Identifier: Apache-2.0
#include "node/master/tree_store.h"

#include "tests/support/temp_folder.h"
#include "tests/unit/node/master/fake_cluster.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using base::Code;

namespace {
constexpr auto kNoPatience = std::chrono::milliseconds(50);
}

TEST_GROUP(TreeStore) {
  TempFolder folder;
  std::unique_ptr<coordination::Coordination> tree;
  FakeCluster cluster;
  WrittenVersions written;
  std::map<std::string, std::int64_t> generations;

  void setup() override {
    tree = UNWRAP(coordination::open_local({.folder = folder.path()}));
    cluster.add_node("n1");
  }
  void write(TreeStore & store) {
    const Effects effects = cluster.scheduler.take_effects();
    CHECK_OK(store.write(make_writes(cluster.scheduler, effects, written, generations)));
  }
};

TEST(TreeStore, what_was_written_is_what_a_new_masterd_reads) {
  TreeStore store(*tree);
  CHECK_OK(store.lead("me", kNoPatience));
  const auto first = UNWRAP(store.load(cluster.rng));
  cluster.put(R"({"id":"/demo/web","cmd":"x","instances":2,"labels":{"a":"b"}})");
  cluster.run();
  cluster.put(R"({"id":"/demo/web","cmd":"y","instances":3})");
  cluster.put(R"({"id":"/gone","cmd":"y"})");
  write(store);
  Change removal;
  removal.remove.insert("/gone");
  cluster.scheduler.deploy(std::move(removal));
  write(store);
  cluster.clock.advance(std::chrono::seconds(1));
  TreeStore other(*tree);
  auto loaded = UNWRAP(other.load(cluster.rng));
  STRCMP_EQUAL(first.framework_id.c_str(), loaded.framework_id.c_str());
  CHECK(loaded.problems.empty());
  Scheduler restored(cluster.clock, cluster.rng, {.digest = fake_digest});
  CHECK(restored.restore(std::move(loaded.snapshot)).empty());
  const AppState* app = restored.find_app("/demo/web");
  CHECK(app != nullptr);
  LONGS_EQUAL(2, app->versions.size());
  CHECK(*app->current->document == *cluster.scheduler.find_app("/demo/web")->current->document);
  CHECK(restored.find_app("/gone") == nullptr);
  LONGS_EQUAL(cluster.scheduler.deployments().size(), restored.deployments().size());
  const auto& deployment = *restored.deployments().begin();
  LONGS_EQUAL(cluster.scheduler.deployments().at(deployment.first).steps.size(),
              deployment.second.steps.size());
  CHECK(restored.assignments("n1").instances == cluster.scheduler.assignments("n1").instances);
}

TEST(TreeStore, a_canary_that_has_passed_is_remembered) {
  TreeStore store(*tree);
  CHECK_OK(store.lead("me", kNoPatience));
  UNWRAP(store.load(cluster.rng));
  const std::string more = R"("instances":3,"gestalt":{"canaryInstances":1,"canarySeconds":30}})";
  cluster.put(R"({"id":"/demo/web","cmd":"x",)" + more);
  cluster.run();
  cluster.put(R"({"id":"/demo/web","cmd":"y",)" + more);
  cluster.settle();
  cluster.clock.advance(std::chrono::seconds(30));
  cluster.scheduler.tick();
  write(store);
  auto loaded = UNWRAP(TreeStore(*tree).load(cluster.rng));
  Scheduler restored(cluster.clock, cluster.rng, {.digest = fake_digest});
  CHECK(restored.restore(std::move(loaded.snapshot)).empty());
  LONGS_EQUAL(1, restored.deployments().size());
  CHECK(restored.deployments().begin()->second.canary_passed.contains("/demo/web"));
}

TEST(TreeStore, nothing_is_left_of_an_app_that_has_gone) {
  TreeStore store(*tree);
  CHECK_OK(store.lead("me", kNoPatience));
  CHECK_OK(store.load(cluster.rng));
  cluster.put(R"({"id":"/a/b","cmd":"x"})");
  cluster.run();
  write(store);
  LONGS_EQUAL(1, UNWRAP(tree->children("/gestalt/specs")).size());
  Change removal;
  removal.remove.insert("/a/b");
  cluster.scheduler.deploy(std::move(removal));
  write(store);
  cluster.run();
  write(store);
  for (const char* path : {"/gestalt/master/apps", "/gestalt/master/deployments", "/gestalt/specs"})
    LONGS_EQUAL(0, UNWRAP(tree->children(path)).size());
}

TEST(TreeStore, a_batch_of_many_apps_is_written) {
  TreeStore store(*tree);
  CHECK_OK(store.lead("me", kNoPatience));
  CHECK_OK(store.load(cluster.rng));
  Change change;
  for (int i = 0; i < 600; ++i)
    change.put.push_back(
        app_of(R"({"id":"/many/a)" + std::to_string(i) + R"(","cmd":"x","instances":0})"));
  cluster.scheduler.deploy(std::move(change));
  write(store);
  LONGS_EQUAL(600, UNWRAP(tree->children("/gestalt/master/apps")).size());
}

TEST(TreeStore, two_masters_cannot_lead) {
  TreeStore store(*tree);
  CHECK_OK(store.lead("me", kNoPatience));
  const auto second = UNWRAP(coordination::open_local({.folder = folder.path()}));
  TreeStore other(*second);
  CHECK_ERROR(Code::failed_precondition, "leader_exists", other.lead("you", kNoPatience));
  tree.reset();
  CHECK_OK(other.lead("you", std::chrono::seconds(5)));
}

TEST(TreeStore, a_writer_that_does_not_lead_writes_nothing) {
  TreeStore store(*tree);
  CHECK_OK(store.lead("me", kNoPatience));
  CHECK_OK(store.load(cluster.rng));
  CHECK_OK(tree->remove({"/gestalt/master/leader"}));
  cluster.put(R"({"id":"/a","cmd":"x"})");
  const Effects effects = cluster.scheduler.take_effects();
  CHECK_ERROR(Code::not_found, "node_absent",
              store.write(make_writes(cluster.scheduler, effects, written, generations)));
  LONGS_EQUAL(0, UNWRAP(tree->children("/gestalt/master/apps")).size());
}

TEST(TreeStore, the_same_batch_may_be_written_twice) {
  TreeStore store(*tree);
  CHECK_OK(store.lead("me", kNoPatience));
  CHECK_OK(store.load(cluster.rng));
  cluster.put(R"({"id":"/a","cmd":"x"})");
  const Effects effects = cluster.scheduler.take_effects();
  const auto writes = make_writes(cluster.scheduler, effects, written, generations);
  CHECK_OK(store.write(writes));
  CHECK_OK(store.write(writes));
}

TEST(TreeStore, damaged_records_are_told_and_left_as_they_are) {
  const struct {
    const char* path;
    const char* data;
    const char* problem;
  } kCases[] = {
      {"/gestalt/master/apps/demo_web", R"({"document":{"id":"/demo/web"}})", "version"},
      {"/gestalt/master/apps/b", "\x01\x02", "/apps/b"},
      {"/gestalt/master/apps/c", "", "/apps/c"},
      {"/gestalt/master/apps/No Name", "{}", "No Name"},
      {"/gestalt/master/groups", R"({"groups":{"/a":7}})", "groups"},
      {"/gestalt/master/framework", "{", ""},
      {"/gestalt/master/deployments/d", "[]", "deployment d"},
      {"/gestalt/master/history/v1", R"({"parts":3})", "parts are missing"},
      {"/gestalt/assign/n1", "{}", "/assign/n1"},
  };
  TreeStore store(*tree);
  CHECK_OK(store.lead("me", kNoPatience));
  for (const auto& each : kCases) CHECK_OK(tree->create({each.path, each.data}));
  const auto loaded = UNWRAP(store.load(cluster.rng));
  for (const auto& each : kCases) {
    const std::string text = each.problem;
    const auto told = [&](const std::string& problem) {
      return problem.find(text) != std::string::npos;
    };
    if (!std::any_of(loaded.problems.begin(), loaded.problems.end(), told)) FAIL(each.path);
    if (text.empty()) continue;  // a framework id has to be written
    STRCMP_EQUAL(each.data, UNWRAP(tree->find(each.path))->data.c_str());
  }
  CHECK(!loaded.framework_id.empty());
  STRCMP_EQUAL(kCases[4].data, UNWRAP(tree->find("/gestalt/master/aside/groups"))->data.c_str());
  LONGS_EQUAL(3, loaded.snapshot.apps.size());  // no app can be called "No Name"
  CHECK(loaded.snapshot.unreadable_nodes.contains("n1"));
}

TEST(TreeStore, what_is_held_is_never_written) {
  TreeStore store(*tree);
  CHECK_OK(store.lead("me", kNoPatience));
  CHECK_OK(tree->create({"/gestalt/master/apps/a", "damaged"}));
  CHECK_OK(tree->create({"/gestalt/assign/n1", "damaged"}));
  auto loaded = UNWRAP(store.load(cluster.rng));
  Scheduler restored(cluster.clock, cluster.rng, {.digest = fake_digest});
  restored.restore(std::move(loaded.snapshot));
  restored.node_info(cluster.nodes["n1"].info);
  restored.node_live("n1", true);
  Change change;
  change.put.push_back(app_of(R"({"id":"/b","cmd":"x"})"));
  restored.deploy(std::move(change));
  LONGS_EQUAL(1, restored.find_app("/b")->missing);  // n1 takes nothing
  Effects effects = restored.take_effects();
  effects.apps.insert("/a");
  effects.nodes.insert("n1");
  CHECK_OK(store.write(make_writes(restored, effects, written, generations)));
  STRCMP_EQUAL("damaged", UNWRAP(tree->find("/gestalt/master/apps/a"))->data.c_str());
  STRCMP_EQUAL("damaged", UNWRAP(tree->find("/gestalt/assign/n1"))->data.c_str());
}

TEST(TreeStore, the_deadline_of_a_deployment_goes_on_after_a_restart) {
  const struct {
    const char* boot;                // of the machine after the restart
    std::chrono::seconds wall_jump;  // how wrong wall time is then
    std::chrono::seconds expected;   // age of the deployment, 60 s of which masterd was away for 20
  } kCases[] = {
      {"boot-1", std::chrono::seconds(0), std::chrono::seconds(60)},
      {"boot-1", std::chrono::hours(24), std::chrono::seconds(60)},
      {"boot-2", std::chrono::seconds(0), std::chrono::seconds(60)},
      {"boot-2", std::chrono::seconds(-3600), std::chrono::seconds(40)},  // as old as it was known
  };
  Scheduler first(cluster.clock, cluster.rng, {.boot = "boot-1", .digest = fake_digest});
  TreeStore store(*tree);
  CHECK_OK(store.lead("me", kNoPatience));
  CHECK_OK(store.load(cluster.rng));
  Change change;
  change.put.push_back(app_of(R"({"id":"/a","cmd":"x","gestalt":{"deployDeadlineSeconds":100}})"));
  first.deploy(std::move(change));
  cluster.clock.advance(std::chrono::seconds(40));
  Effects effects = first.take_effects();
  CHECK_OK(store.write(make_writes(first, effects, written, generations)));
  cluster.clock.advance(std::chrono::seconds(20));
  for (const auto& each : kCases) {
    TreeStore other(*tree);
    auto loaded = UNWRAP(other.load(cluster.rng));
    cluster.clock.jump(each.wall_jump);
    Scheduler restored(cluster.clock, cluster.rng, {.boot = each.boot, .digest = fake_digest});
    CHECK(restored.restore(std::move(loaded.snapshot)).empty());
    const Deployment& deployment = restored.deployments().begin()->second;
    LONGS_EQUAL(each.expected.count(), std::chrono::duration_cast<std::chrono::seconds>(
                                           restored.now() - deployment.started)
                                           .count());
    CHECK(restored.next_deadline() == deployment.started + std::chrono::seconds(100));
    cluster.clock.jump(-each.wall_jump);
  }
}
