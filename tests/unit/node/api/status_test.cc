// SPDX-License-Identifier: Apache-2.0
#include "node/api/status.h"

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/check_result.h"

using node::api::InstanceState;
using node::api::InstanceStatus;
using node::api::StatusReport;

namespace {

InstanceStatus full_status() {
  InstanceStatus status;
  status.id = node::api::InstanceId("a.1");
  status.epoch = 4;
  status.state = InstanceState::failed;
  status.healthy = false;
  status.ready = true;
  status.address = "10.0.0.2";
  status.ports = {3001};
  status.pid = 12;
  status.staged_at = "2026-01-31T08:00:00.123Z";
  status.finished_at = "2026-01-31T08:00:01.000Z";
  status.message = "ended with status 7";
  status.exit_status = 7;
  status.signal = 9;
  status.out_of_memory = true;
  status.degraded = {"memory_limit_not_effective"};
  status.health_results.push_back({true, 2, "2026-01-31T08:00:00.123Z", "", "", "refused"});
  status.readiness_results.push_back(
      {"up", false, node::api::CheckResponse{503, "text/plain", "warming up"}});
  status.readiness_results.push_back({"other", true, std::nullopt});
  return status;
}

}  // namespace

TEST_GROUP(Status){};

TEST(Status, a_report_is_read_back_as_it_was_written) {
  StatusReport report{"boot-1", 5, true, {full_status(), {}}};
  report.instances[1].id = node::api::InstanceId("b.1");
  CHECK(UNWRAP(node::api::read_status_report(to_json(report))) == report);
}

TEST(Status, undecided_health_and_absent_times_are_null) {
  InstanceStatus status;
  status.id = node::api::InstanceId("a.1");
  const base::Json json = to_json(status);
  CHECK(json["healthy"].is_null());
  CHECK(json["finished_at"].is_null());
  STRCMP_EQUAL("staging", json["state"].get<std::string>().c_str());
}

TEST(Status, an_agent_of_before_knows_no_readiness_results_and_a_masterd_of_before_sees_none) {
  base::Json json = to_json(full_status());
  json.erase("readiness_results");
  CHECK(UNWRAP(node::api::read_instance_status(json)).readiness_results.empty());
  InstanceStatus status = full_status();
  status.readiness_results.clear();
  CHECK_FALSE(to_json(status).contains("readiness_results"));
}

TEST(Status, a_response_is_bounded_and_needs_its_status) {
  const struct {
    const char* response;
    const char* pointer;
  } cases[] = {
      {R"({"body":"x"})", "/readiness_results/0/last_response/status"},
      {R"({"status":1000})", "/readiness_results/0/last_response/status"},
      {R"({"status":200,"headers":{}})", "/readiness_results/0/last_response/headers"},
      {R"("200")", "/readiness_results/0/last_response"},
  };
  for (const auto& each : cases) {
    base::Json json = to_json(full_status());
    json["readiness_results"][0]["last_response"] = base::Json::parse(each.response);
    const auto read = node::api::read_instance_status(json);
    CHECK_ERROR(base::Code::invalid_argument, "", read);
    STRCMP_EQUAL(each.pointer, read.error().pointer.c_str());
  }
  base::Json json = to_json(full_status());
  json["readiness_results"][0]["last_response"]["body"] =
      std::string(node::api::kCheckBodyMax + 1, 'x');
  CHECK_ERROR(base::Code::invalid_argument, "field_invalid", node::api::read_instance_status(json));
}

TEST(Status, only_the_last_five_states_are_terminal) {
  for (const auto state : {InstanceState::staging, InstanceState::starting, InstanceState::running,
                           InstanceState::killing}) {
    CHECK_FALSE(node::api::is_terminal(state));
  }
  for (const auto state : {InstanceState::finished, InstanceState::failed, InstanceState::killed,
                           InstanceState::lost, InstanceState::error}) {
    CHECK(node::api::is_terminal(state));
  }
}

TEST(Status, every_wrong_field_is_named) {
  const struct {
    const char* field;
    base::Json value;
    const char* reason;
  } cases[] = {
      {"id", "a b", "field_invalid"},
      {"id", nullptr, "field_missing"},
      {"epoch", -1, "field_invalid"},
      {"state", "flying", "field_invalid"},
      {"healthy", "yes", "field_invalid"},
      {"ports", {0}, "field_invalid"},
      {"exit_status", 256, "field_invalid"},
      {"signal", 65, "field_invalid"},
      {"other", 1, "field_unknown"},
      {"health_results", 1, "field_invalid"},
      {"readiness_results", 1, "field_invalid"},
  };
  for (const auto& each : cases) {
    base::Json json = to_json(full_status());
    json[each.field] = each.value;
    const auto read = node::api::read_instance_status(json, "/instances/3");
    CHECK_ERROR(base::Code::invalid_argument, each.reason, read);
    STRCMP_EQUAL((std::string("/instances/3/") + each.field).c_str(), read.error().pointer.c_str());
  }
}
