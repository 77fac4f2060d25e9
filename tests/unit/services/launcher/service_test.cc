// SPDX-License-Identifier: Apache-2.0
#include "services/launcher/service.h"

#include "tests/unit/services/launcher/launcher_rig.h"

using base::Code;
using base::Json;
using services::launcher::read_config;

TEST_GROUP(LauncherConfig){};

TEST(LauncherConfig, without_one_our_masterd_is_the_default) {
  const auto config = UNWRAP(read_config(Json()));
  CHECK_EQUAL(1u, config.providers.size());
  CHECK(config.providers.at("default").settings.find("masterd.sock") != std::string::npos);
  CHECK_FALSE(config.providers.at("default").terms.processes);
}

TEST(LauncherConfig, what_is_wrong_has_its_place) {
  const auto pointer = [](const Json& config) { return read_config(config).error().pointer; };
  STRCMP_EQUAL("/settle_minutes", pointer({{"settle_minutes", 0}}).c_str());
  STRCMP_EQUAL("/oops", pointer({{"oops", 1}}).c_str());
  STRCMP_EQUAL("/providers/a/url", pointer({{"providers", {{"a", Json::object()}}}}).c_str());
  STRCMP_EQUAL("/providers/a/kind",
               pointer({{"providers", {{"a", {{"kind", "aurora"}, {"url", "unix:/a"}}}}}}).c_str());
  STRCMP_EQUAL("/providers/a/oops",
               pointer({{"providers", {{"a", {{"url", "unix:/a/b"}, {"oops", 1}}}}}}).c_str());
}

TEST_GROUP_BASE(LauncherService, LauncherRig) {
  // A host of its own on the same store, as after a crash.
  void restart() {
    host->stop();
    workers = std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{.threads = 2});
    host.reset();
    begin();
  }
  static constexpr const char* kWeb = R"({"provider":{},"image":"nginx"})";
};

TEST(LauncherService, a_change_is_kept_across_a_crash_before_it_was_looked_at) {
  launch(kWeb);
  restart();
  go_on();
  CHECK_EQUAL(1u, near.count());
  STRCMP_EQUAL("completed", task().status.c_str());
  must(call("admin", "DELETE /root/containers/$web"), 204);
  restart();
  go_on();
  CHECK_EQUAL(0u, near.count());
}

TEST(LauncherService, a_crash_after_the_change_was_sent_makes_no_second_one) {
  launch(kWeb);
  CHECK_OK(host->drain());
  clock.pass(std::chrono::seconds(1));
  launcher->sweep();  // sent; nothing has flowed back of what became of it
  const int changes = near.changes();
  CHECK_EQUAL(1, changes);
  restart();
  go_on();
  CHECK_EQUAL(changes, near.changes());
  CHECK_EQUAL(1u, near.count());
}

TEST(LauncherService, one_that_it_was_not_told_of_is_found_at_the_start) {
  launcher->stop();  // meta has nobody to tell
  make("web", "/root/environments/$env/containers",
       R"({"name":"web","properties":{"provider":{},"image":"nginx"}})");
  restart();
  go_on();
  CHECK_EQUAL(1u, near.count());
}

TEST(LauncherService, operators_see_providers_and_what_stands_for_what) {
  launch(kWeb);
  go_on();
  far.set_away(true);
  rest::Request request;
  request.method = rest::Method::get;
  request.path = "/launcher/providers";
  request.headers["authorization"] = "Bearer admin";
  const auto providers = UNWRAP(base::parse_json(host->handle(request).body));
  STRCMP_EQUAL("marathon", providers["default"]["probe"]["product"].get<std::string>().c_str());
  CHECK(providers["far"]["error"].get<std::string>().find("503") != std::string::npos);
  request.path = "/launcher/containers";
  const auto containers = UNWRAP(base::parse_json(host->handle(request).body));
  STRCMP_EQUAL(app_id().c_str(), containers[0]["application"].get<std::string>().c_str());
  request.headers["authorization"] = "Bearer nobody";
  CHECK(host->handle(request).status >= 401);
}

TEST(LauncherService, an_environment_is_seen_as_its_provider_runs_it) {
  launch(R"({"provider":{"id":"$far"},"image":"nginx","num_instances":2})");
  make("here", "/root/environments/$env/containers",
       R"({"name":"here","properties":{"provider":{},"image":"nginx"}})");
  far.run(1);
  go_on();
  const std::string view = "GET /root/environments/$env/providers/$far/v2";
  const Json apps = call("admin", view + "/apps").json["apps"];
  LONGS_EQUAL(1, apps.size());
  STRCMP_EQUAL(app_id().c_str(), apps[0]["id"].get<std::string>().c_str());
  LONGS_EQUAL(2, apps[0]["instances"].get<int>());
  for (const std::string& name : {app_id(), std::string("/web")}) {
    const Answer one = call("admin", view + "/apps" + name);
    STRCMP_EQUAL(app_id().c_str(), one.at("/app/id").c_str());
  }
  must(call("admin", view + "/apps/here"), 404);
  STRCMP_EQUAL("marathon", call("admin", view + "/info").at("/name").c_str());
  const Json deployments = call("admin", view + "/deployments").json;
  LONGS_EQUAL(1, deployments.size());
  STRCMP_EQUAL(app_id().c_str(), deployments[0]["affectedApps"][0].get<std::string>().c_str());
  far.run(2);
  LONGS_EQUAL(0, call("admin", view + "/deployments").json.size());
  enter("ann");
  must(call("ann", view + "/apps"), 403);
  grant("/root/environments/$env", "container.view", Json::array({ids["ann"]}));
  must(call("ann", view + "/apps"), 403);  // the provider is not hers to use
  grant("/root", "provider.view", Json::array({ids["ann"]}));
  LONGS_EQUAL(1, call("ann", view + "/apps").json["apps"].size());
  far.set_away(true);
  must(call("admin", view + "/apps"), 503);
}
