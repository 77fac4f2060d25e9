// SPDX-License-Identifier: Apache-2.0
// A stored definition that cannot be read: masterd starts, serves the rest, holds that app and says
// so.
#include "tests/unit/node/master/rig.h"

using base::Json;
using master_test::Master;
using rest::Method;

namespace {
constexpr const char* kRecord = "/gestalt/master/apps/demo_web";
}

TEST_GROUP(RoutesDamage) {
  TempFolder folder;
  std::unique_ptr<Master> master = std::make_unique<Master>(folder);
  std::string version;

  void setup() override {
    master->add_node("n1");
    master->json(201, Method::post, "/v2/apps", R"({"id":"/demo/web","cmd":"x","instances":2})");
    master->json(201, Method::post, "/v2/apps", R"({"id":"/other","cmd":"x"})");
    master->settle();
    version = master->json(200, Method::get, "/v2/apps/demo/web")["app"]["version"];
    CHECK_OK(master->tree().set({kRecord, "damaged"}));
    master.reset();
    master = std::make_unique<Master>(folder);
    CHECK_OK(master->started);
    master->add_node("n1");
    master->settle();
  }
  std::size_t instances() {
    std::size_t count = 0;
    const Json reply = master->json(200, Method::get, "/v2/tasks");
    for (const Json& task : reply["tasks"]) count += task["appId"] == "/demo/web" ? 1 : 0;
    return count;
  }
  std::string record() { return UNWRAP(master->tree().find(kRecord))->data; }
};

TEST(RoutesDamage, the_app_is_held_and_the_rest_is_served) {
  LONGS_EQUAL(2, instances());
  LONGS_EQUAL(1, master->json(200, Method::get, "/v2/apps")["apps"].size());
  master->json(200, Method::put, "/v2/apps/other", R"({"instances":2})");
  master->settle();
  LONGS_EQUAL(2,
              master->json(200, Method::get, "/v2/apps/other")["app"]["tasksRunning"].get<int>());
  LONGS_EQUAL(2, instances());
  STRCMP_EQUAL("damaged", record().c_str());
}

TEST(RoutesDamage, health_metrics_and_replies_say_which_one_it_is) {
  const Json health = master->json(200, Method::get, "/health");
  CHECK(health["status"] == "degraded");
  CHECK(health["unreadable_apps"][0]["app"] == "/demo/web");
  CHECK(master->ask(Method::get, "/metrics").body.find("gestalt_master_apps_unreadable 1\n") !=
        std::string::npos);
  const struct {
    Method method;
    const char* target;
    const char* body;
  } kCases[] = {{Method::get, "/v2/apps/demo/web", ""},
                {Method::get, "/v2/apps/demo/web/tasks", ""},
                {Method::put, "/v2/apps/demo/web", R"({"cmd":"y"})"},
                {Method::patch, "/v2/apps/demo/web", R"({"cmd":"y"})"},
                {Method::post, "/v2/apps", R"({"id":"/demo/web","cmd":"y"})"},
                {Method::del, "/v2/apps/demo/web", ""}};
  for (const auto& each : kCases) {
    const Json reply = master->json(409, each.method, each.target, each.body);
    STRCMP_EQUAL("/problems/app_unreadable", reply["type"].get<std::string>().c_str());
  }
  STRCMP_EQUAL("damaged", record().c_str());
}

TEST(RoutesDamage, an_old_version_mends_it) {
  CHECK(master->json(200, Method::get, "/v2/apps/demo/web/versions")["versions"][0] == version);
  master->json(201, Method::put, "/v2/apps/demo/web?force=true",
               Json({{"version", version}}).dump());
  master->settle();
  CHECK(master->json(200, Method::get, "/health")["status"] == "ok");
  LONGS_EQUAL(
      2, master->json(200, Method::get, "/v2/apps/demo/web")["app"]["tasksRunning"].get<int>());
  CHECK(record() != "damaged");
}

TEST(RoutesDamage, it_can_be_deleted_by_force) {
  master->json(200, Method::del, "/v2/apps/demo/web?force=true");
  master->settle();
  LONGS_EQUAL(0, instances());
  CHECK(!UNWRAP(master->tree().find(kRecord)));
  CHECK(master->json(200, Method::get, "/health")["status"] == "ok");
}
