// SPDX-License-Identifier: Apache-2.0
#include "cli/deployment_state.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

namespace {

using base::Json;
using cli::DeploymentState;
using Phase = DeploymentState::Phase;

cli::ServerEvent event(const char* type, const char* data) { return {type, data, ""}; }

}  // namespace

TEST_GROUP(DeploymentState) { DeploymentState state{"d-1", "/web"}; };

TEST(DeploymentState, success_of_this_deployment_ends_the_wait) {
  CHECK_FALSE(state.take(event("deployment_success", R"({"id":"d-2"})")));
  CHECK(state.phase() == Phase::under_way);
  CHECK(state.take(event("deployment_success", R"({"id":"d-1"})")));
  CHECK(state.phase() == Phase::succeeded);
}

TEST(DeploymentState, a_failure_carries_the_reason) {
  CHECK(state.take(event("deployment_failed", R"({"id":"d-1","reason":"deadline passed"})")));
  CHECK(state.phase() == Phase::failed);
  STRCMP_EQUAL("deadline passed", state.cause().c_str());
}

TEST(DeploymentState, the_last_failure_of_an_instance_is_the_cause_when_no_reason_is_given) {
  CHECK(state.take(event(
      "status_update_event",
      R"({"appId":"/web","taskId":"t1","taskStatus":"TASK_FAILED","message":"exit status 3"})")));
  CHECK(state.take(event("deployment_failed", R"({"id":"d-1"})")));
  STRCMP_EQUAL("t1: exit status 3", state.cause().c_str());
}

TEST(DeploymentState, events_of_other_apps_do_not_matter) {
  CHECK_FALSE(state.take(
      event("status_update_event", R"({"appId":"/db","taskId":"t","taskStatus":"TASK_FAILED"})")));
  STRCMP_EQUAL("", state.cause().c_str());
}

TEST(DeploymentState, the_type_in_the_body_counts_before_the_type_of_the_event) {
  CHECK(state.take(event("message", R"({"eventType":"deployment_success","id":"d-1"})")));
  CHECK(state.phase() == Phase::succeeded);
}

TEST(DeploymentState, a_deployment_that_is_no_longer_listed_is_gone) {
  state.take_list(Json::parse(R"([{"id":"d-0"},{"id":"d-1"}])"));
  CHECK(state.phase() == Phase::under_way);
  state.take_list(Json::parse(R"([{"id":"d-0"}])"));
  CHECK(state.phase() == Phase::gone);
}

TEST(DeploymentState, an_event_wins_over_a_list_that_came_later) {
  state.take(event("deployment_failed", R"({"id":"d-1"})"));
  state.take_list(Json::array());
  CHECK(state.phase() == Phase::failed);
}

TEST(DeploymentState, events_that_are_no_json_or_no_object_are_passed_over) {
  for (const char* text : {"", "x", "7", "[]", "{\"id\":", R"({"id":7,"appId":[]})"}) {
    CHECK_FALSE(state.take(event("deployment_success", text)));
  }
  CHECK(state.phase() == Phase::under_way);
}
