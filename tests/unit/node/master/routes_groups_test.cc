// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/node/master/rig.h"

using base::Json;
using master_test::Master;
using rest::Method;

namespace {

// Without what a change of anything makes new.
Json content(Json group) {
  group.erase("version");
  for (Json& app : group["apps"]) {
    for (const char* name : {"version", "versionInfo", "deployments", "tasksStaged", "tasksRunning",
                             "tasksHealthy", "tasksUnhealthy"})
      app.erase(name);
  }
  for (Json& child : group["groups"]) child = content(child);
  return group;
}

const char* const kBefore = R"({"id":"/shop","dependencies":["/db"],"apps":[
    {"id":"web","cmd":"x","instances":2,"labels":{"a":"b"}},{"id":"old","cmd":"x"}],
    "groups":[{"id":"jobs","apps":[{"id":"mail","cmd":"m","ports":[0,0]}]},{"id":"empty"}]})";
const char* const kAfter = R"({"dependencies":[],"apps":[{"id":"web","cmd":"y","instances":1},
    {"id":"new","cmd":"n"}],"groups":[{"id":"other"}]})";

}  // namespace

TEST_GROUP(RoutesGroups) {
  TempFolder folder;
  std::unique_ptr<Master> master = std::make_unique<Master>(folder);

  void setup() override { master->add_node("n1"); }
  void restart() {
    master.reset();
    master = std::make_unique<Master>(folder);
    CHECK_OK(master->started);
    master->add_node("n1");
  }
};

TEST(RoutesGroups, deleting_a_deployment_brings_back_exactly_what_was) {
  master->json(201, Method::post, "/v2/groups", kBefore);
  master->settle();
  const Json before = master->json(200, Method::get, "/v2/groups/shop");
  const Json change = master->json(200, Method::put, "/v2/groups/shop", kAfter);
  // Halfway: some removed apps have gone, others have not.
  master->json(200, Method::del, "/v2/deployments/" + change["deploymentId"].get<std::string>());
  master->settle();
  const Json after = master->json(200, Method::get, "/v2/groups/shop");
  CHECK(content(before) == content(after));
  CHECK(master->json(200, Method::get, "/v2/deployments").empty());
  LONGS_EQUAL(
      2, master->json(200, Method::get, "/v2/apps/shop/web")["app"]["tasksRunning"].get<int>());
}

TEST(RoutesGroups, a_deadline_brings_back_what_the_update_deleted_also_after_a_restart) {
  master->json(201, Method::post, "/v2/groups", kBefore);
  master->settle();
  const Json before = master->json(200, Method::get, "/v2/groups/shop");
  // More than the node has: it never gets done.
  master->json(200, Method::put, "/v2/groups/shop",
               R"({"dependencies":[],"apps":[{"id":"web","cmd":"y","cpus":90,"instances":2,
                   "gestalt":{"deployDeadlineSeconds":1}}],"groups":[]})");
  restart();
  master->wait_for([](const auto& scheduler) {
    const auto* web = scheduler.find_app("/shop/web");
    return scheduler.deployments().empty() && web != nullptr && web->current->instances == 2 &&
           web->current->cpus == 1;
  });
  CHECK(content(master->json(200, Method::get, "/v2/groups/shop")) == content(before));
}

TEST(RoutesGroups, a_version_shows_what_was_then) {
  master->json(201, Method::post, "/v2/groups", kBefore);
  master->settle();
  const Json before = master->json(200, Method::get, "/v2/groups/shop");
  const std::string version = master->json(200, Method::get, "/v2/groups")["version"];
  master->json(200, Method::put, "/v2/groups/shop", kAfter);
  master->settle();
  for (int round = 0; round < 2; ++round) {
    const Json then = master->json(200, Method::get, "/v2/groups/shop/versions/" + version);
    CHECK(then["version"] == version);
    CHECK(content(then) == content(before));
    const Json versions = master->json(200, Method::get, "/v2/groups/shop/versions");
    LONGS_EQUAL(2, versions.size());
    CHECK(versions[1] == version);
    restart();
  }
  master->json(404, Method::get, "/v2/groups/shop/versions/2000-01-01T00:00:00.000Z");
  master->json(404, Method::get, "/v2/groups/none/versions/" + version);
  master->json(200, Method::put, "/v2/groups/shop", R"({"version":")" + version + R"("})");
  master->settle();
  CHECK(content(master->json(200, Method::get, "/v2/groups/shop")) == content(before));
}
