// SPDX-License-Identifier: Apache-2.0
#include "services/daemon.h"

#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>

#include "services/front.h"
#include "tests/support/check_result.h"

namespace {

using base::Json;

TEST_GROUP(ServicesDaemon){};

TEST(ServicesDaemon, the_defaults_are_valid) {
  CHECK_OK(services::check_services_config(Json::object(), ""));
  CHECK_OK(services::check_services_config(Json::object(), "all"));
  CHECK_OK(services::check_services_config(Json::object(), "task"));
}

TEST(ServicesDaemon, what_is_wrong_is_named_by_its_pointer) {
  struct Case {
    const char* json;
    const char* pointer;
  };
  constexpr Case kCases[] = {
      {R"({"port":9000})", "/port"},
      {R"({"services":["nosuch"]})", "/services"},
      {R"({"store":{"engine":"sqlite"}})", "/store/engine"},
      {R"({"store":{"engine":"postgresql"}})", "/store/connection"},
      {R"({"settings":{"nosuch":{}}})", "/settings/nosuch"},
      {R"({"settings":{"audit":{"files_max":1}}})", "/settings/audit/files_max"},
      {R"({"listen":[{"address":"0.0.0.0","port":1}]})", "/listen/0/address"},
  };
  for (const Case& each : kCases) {
    const auto checked = services::check_services_config(Json::parse(each.json), "");
    CHECK_ERROR(base::Code::invalid_argument, "", checked);
    STRCMP_EQUAL(each.pointer, checked.error().pointer.c_str());
  }
}

TEST(ServicesDaemon, every_route_is_behind_a_decision) {
  rest::RouteTable table;
  services::describe_services(table);
  std::size_t open = 0;
  for (const rest::Row& row : table.rows()) open += row.scope.is_public() ? 1 : 0;
  CHECK(table.rows().size() > 10);
  CHECK(open >= 2);
}

TEST(ServicesDaemon, the_front_refuses_nobody_and_gives_figures_to_root_only) {
  services::Front front("/nonexistent");
  const auto nobody = front.authenticate({});
  CHECK_OK(nobody);
  CHECK(nobody->has("services:call") && !nobody->has("metrics:read"));
  const auto root = front.authenticate({rest::PeerCredentials{.pid = 1, .uid = 0}, ""});
  CHECK_OK(root);
  CHECK(root->name == "uid:0" && root->has("metrics:read"));
  const auto user = front.authenticate({rest::PeerCredentials{.pid = 1, .uid = 1000}, ""});
  CHECK_OK(user);
  CHECK(!user->has("metrics:read"));
}

}  // namespace
