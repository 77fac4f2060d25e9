// SPDX-License-Identifier: Apache-2.0
#include "node/master/reads.h"

#include <future>

#include "tests/unit/node/master/rig.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using base::Json;
using master_test::Master;
using rest::Method;

namespace {
constexpr int kApps = 2 * static_cast<int>(kBite) + 100;  // three bites
}

TEST_GROUP(Reads) {
  TempFolder folder;
  Master master{folder};

  void setup() override {
    master.add_node("n1");
    Json apps = Json::array();
    for (int i = 0; i < kApps; ++i)
      apps.push_back({{"id", "a" + std::to_string(i)}, {"cmd", "x"}, {"instances", 0}});
    apps[7]["instances"] = static_cast<int>(kBite) + 10;
    apps[7]["cpus"] = 0;
    master.json(201, Method::post, "/v2/groups",
                Json({{"id", "/many"}, {"apps", std::move(apps)}}).dump());
    master.json(201, Method::post, "/v2/apps", R"({"id":"/many-others","cmd":"x"})");
    master.settle();
  }
  // On another thread, while the loop runs.
  template <class Read>
  void on_worker(Read read) {
    auto done = std::async(std::launch::async, read);
    test_support::run_until(master.loop(), [&] {
      return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    });
    CHECK_OK(done.get());
  }
};

TEST(Reads, all_apps_of_a_group_come_once_and_in_order) {
  std::vector<std::string> ids;
  on_worker([&] {
    return read_apps(*master.service, "/many", {.tasks = true}, {},
                     [&](const AppView& view) { ids.push_back(view.app->id); });
  });
  LONGS_EQUAL(kApps, ids.size());
  CHECK(std::is_sorted(ids.begin(), ids.end()));
  CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  ids.clear();
  on_worker([&] {
    return read_apps(
        *master.service, "/", {}, [](const App& app) { return app.id != "/many/a7"; },
        [&](const AppView& view) { ids.push_back(view.app->id); });
  });
  LONGS_EQUAL(kApps, ids.size());  // all but one, and the one outside of the group
}

TEST(Reads, what_is_added_and_removed_between_two_bites_does_no_harm) {
  int seen = 0;
  on_worker([&] {
    return read_apps(*master.service, "/many", {}, {}, [&](const AppView&) {
      if (++seen != 1) return;
      const auto edited = master.service->commit([](Scheduler& scheduler) {
        Change change;
        change.remove.insert("/many/a9");
        scheduler.deploy(std::move(change));
        return base::Result<rest::Response>(rest::Response{});
      });
      CHECK_TRUE(edited.has_value());
    });
  });
  CHECK(seen == kApps || seen == kApps - 1);
}

TEST(Reads, all_instances_come_once_with_their_app) {
  std::set<std::string> ids;
  on_worker([&] {
    return read_instances(*master.service, [&](const Instance& instance, const App* app) {
      CHECK_TRUE(app != nullptr && app->id == instance.app);
      ids.insert(instance.id.text());
    });
  });
  LONGS_EQUAL(kBite + 11, ids.size());
}

TEST(Reads, a_group_that_is_not_there_is_an_error) {
  on_worker([&]() -> base::Result<void> {
    const auto group = read_group(*master.service, "/none", {});
    CHECK_TRUE(!group && group.error().reason == "group_unknown");
    return {};
  });
}
