// SPDX-License-Identifier: Apache-2.0
#include "node/api/run_spec.h"

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/check_result.h"

using base::Json;
using node::api::decode_run_spec;
using node::api::read_run_spec;
using node::api::RunSpec;

namespace {

Json small_spec() {
  return {{"app", "/demo/web"},
          {"version", "2026-01-31T08:00:00.123Z"},
          {"image", "oci:/srv/web:latest"},
          {"ports", {{{"name", "http"}}}}};
}

RunSpec full_spec() {
  RunSpec spec;
  spec.app = "/demo/web";
  spec.version = "v";
  spec.kind = node::api::RunKind::container;
  spec.image = "docker://registry.local/web:1";
  spec.force_pull = true;
  spec.argv = {"/bin/app", ""};
  spec.user = "1000:1000";
  spec.environment = {{"K", "v"}, {"EMPTY", ""}};
  spec.resources = {0.5, 64 << 20, 1 << 30, 512};
  spec.read_only_root = true;
  spec.ports = {{"http", "tcp", 80}, {"", "udp,tcp", 0}};
  spec.volumes = {{"/data", "/srv/x", "", 0, true},
                  {"state", "", "vol-1", 1024, false},
                  {"/all", "", "common", 0, false, true}};
  node::api::HealthCheck check;
  check.protocol = node::api::CheckProtocol::command;
  check.argv = {"/bin/true"};
  check.interval = std::chrono::seconds(2);
  spec.health_checks = {check};
  spec.readiness_checks = {{"ready",
                            node::api::CheckProtocol::https,
                            "/r",
                            "http",
                            std::chrono::seconds(1),
                            std::chrono::seconds(2),
                            {200, 204},
                            true}};
  spec.kill_grace = std::chrono::seconds(9);
  spec.drain = std::chrono::seconds(0);
  return spec;
}

}  // namespace

TEST_GROUP(RunSpec){};

TEST(RunSpec, what_was_written_is_read_back_and_equal_specs_have_equal_texts) {
  const RunSpec spec = full_spec();
  const std::string text = encode(spec);
  const RunSpec read = UNWRAP(decode_run_spec(text));
  CHECK(read == spec);
  STRCMP_EQUAL(text.c_str(), encode(read).c_str());
}

TEST(RunSpec, what_an_earlier_version_did_not_know_is_written_only_when_it_is_set) {
  RunSpec spec = full_spec();
  spec.readiness_checks[0].preserve_last_response = false;
  spec.volumes[2].shared = false;
  const std::string text = encode(spec);
  CHECK(text.find("preserve_last_response") == std::string::npos);
  CHECK(text.find("shared") == std::string::npos);
  CHECK(UNWRAP(decode_run_spec(text)) == spec);
}

TEST(RunSpec, absent_fields_get_the_documented_defaults) {
  const RunSpec spec = UNWRAP(read_run_spec(small_spec()));
  CHECK(spec.kind == node::api::RunKind::container);
  LONGS_EQUAL(3, spec.kill_grace.count());
  LONGS_EQUAL(5, spec.drain.count());
  STRCMP_EQUAL("tcp", spec.ports[0].protocol.c_str());
  CHECK_FALSE(spec.read_only_root);
}

TEST(RunSpec, every_wrong_field_is_named) {
  const struct {
    const char* place;  // JSON pointer of what is replaced
    Json value;
    const char* reason;
    const char* pointer;
  } cases[] = {
      {"/app", nullptr, "field_missing", "/app"},
      {"/app", "demo", "field_invalid", "/app"},
      {"/app", "/demo/../x", "field_invalid", "/app"},
      {"/version", nullptr, "field_missing", "/version"},
      {"/kind", "vm", "field_invalid", "/kind"},
      {"/image", "", "field_invalid", "/image"},
      {"/image", "oci:relative", "field_invalid", "/image"},
      {"/image", "oci:/a/../../etc", "field_invalid", "/image"},
      {"/image", "docker://", "field_invalid", "/image"},
      {"/image", "http://x", "field_invalid", "/image"},
      {"/argv", {""}, "field_invalid", "/argv"},
      {"/argv", {1}, "field_invalid", "/argv/0"},
      {"/argv", {std::string("a\0b", 3)}, "field_invalid", "/argv/0"},
      {"/environment", {{"A=B", "x"}}, "field_invalid", "/environment"},
      {"/environment", {{"", "x"}}, "field_invalid", "/environment"},
      {"/environment", {{"A", 1}}, "field_invalid", "/environment/A"},
      {"/resources", {{"cpus", -1}}, "field_invalid", "/resources/cpus"},
      {"/resources", {{"memory_bytes", 1.5}}, "field_invalid", "/resources/memory_bytes"},
      {"/resources", {{"gpus", 1}}, "field_unknown", "/resources/gpus"},
      {"/network", "overlay", "field_invalid", "/network"},
      {"/ports/0", {{"protocol", "sctp"}}, "field_invalid", "/ports/0/protocol"},
      {"/ports/0", {{"container_port", 70000}}, "field_invalid", "/ports/0/container_port"},
      {"/volumes", {Json::object()}, "field_missing", "/volumes/0/container_path"},
      {"/volumes",
       {{{"container_path", "/"}, {"host_path", "/x"}}},
       "field_invalid",
       "/volumes/0/container_path"},
      {"/volumes",
       {{{"container_path", "/../x"}, {"host_path", "/x"}}},
       "field_invalid",
       "/volumes/0/container_path"},
      {"/volumes", {{{"container_path", "/d"}}}, "field_invalid", "/volumes/0/host_path"},
      {"/volumes",
       {{{"container_path", "/d"}, {"host_path", "x"}}},
       "field_invalid",
       "/volumes/0/host_path"},
      {"/volumes",
       {{{"container_path", "/d"}, {"persistent", "../x"}}},
       "field_invalid",
       "/volumes/0/persistent"},
      {"/health_checks", {{{"protocol", "ICMP"}}}, "field_invalid", "/health_checks/0/protocol"},
      {"/health_checks", {{{"protocol", "COMMAND"}}}, "field_missing", "/health_checks/0/argv"},
      {"/health_checks", {{{"path", "x"}}}, "field_invalid", "/health_checks/0/path"},
      {"/health_checks", {{{"port_index", 1}}}, "field_invalid", "/health_checks/0/port_index"},
      {"/health_checks",
       {{{"interval_seconds", 0}}},
       "field_invalid",
       "/health_checks/0/interval_seconds"},
      {"/readiness_checks",
       {{{"protocol", "TCP"}}},
       "field_invalid",
       "/readiness_checks/0/protocol"},
      {"/readiness_checks", {{{"port_name", "admin"}}}, "field_invalid", "/readiness_checks"},
      {"/readiness_checks",
       {{{"http_status_codes_ready", {99}}}},
       "field_invalid",
       "/readiness_checks/0/http_status_codes_ready"},
      {"/kill_grace_seconds", -1, "field_invalid", "/kill_grace_seconds"},
      {"/colour", "red", "field_unknown", "/colour"},
  };
  for (const auto& each : cases) {
    Json json = small_spec();
    json[Json::json_pointer(each.place)] = each.value;
    const auto read = read_run_spec(json);
    if (read) FAIL((std::string("accepted: ") + json.dump()).c_str());
    CHECK_ERROR(base::Code::invalid_argument, each.reason, read);
    STRCMP_EQUAL(each.pointer, read.error().pointer.c_str());
  }
}

TEST(RunSpec, a_process_needs_a_program_and_no_image) {
  Json json{{"app", "/p"}, {"version", "v"}, {"kind", "process"}};
  CHECK_ERROR(base::Code::invalid_argument, "field_missing", read_run_spec(json));
  json["argv"] = {"/bin/sleep", "9"};
  CHECK_OK(read_run_spec(json));
}

TEST(RunSpec, a_health_check_may_use_a_fixed_port_without_any_port_of_its_own) {
  Json json = small_spec();
  json["ports"] = Json::array();
  json["health_checks"] = {{{"protocol", "TCP"}, {"port", 8080}}};
  CHECK_OK(read_run_spec(json));
}
