// SPDX-License-Identifier: Apache-2.0
#include "cli/app_spec.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

namespace {

using base::Code;
using base::Json;
using cli::AppOptions;
using cli::make_app;

void expect(const std::string& wanted, const AppOptions& options, Json file = {}) {
  STRCMP_EQUAL(base::dump_json(Json::parse(wanted)).c_str(),
               base::dump_json(UNWRAP(make_app(std::move(file), options))).c_str());
}

void refuse(const AppOptions& options, Json file = {}) {
  CHECK_ERROR(Code::invalid_argument, "option_invalid", make_app(std::move(file), options));
}

AppOptions web() { return {.id = "/web", .image = "docker://web:1"}; }

}  // namespace

TEST_GROUP(AppSpec){};

TEST(AppSpec, an_id_and_an_image_are_enough) {
  expect(R"({"id":"/web","container":{"type":"DOCKER","docker":{"image":"docker://web:1"}}})",
         web());
}

TEST(AppSpec, options_of_a_container_become_parameters) {
  AppOptions options = web();
  options.init = options.read_only = true;
  expect(R"({"id":"/web","container":{"type":"DOCKER","docker":{"image":"docker://web:1",
      "parameters":[{"key":"init","value":"true"},{"key":"read-only","value":"true"}]}}})",
         options);
  CHECK_ERROR(Code::invalid_argument, "option_invalid",
              make_app(nullptr, {.id = "/web", .command = "x", .init = true}));
}

TEST(AppSpec, who_names_a_service_port_wants_it_open) {
  AppOptions options = web();
  options.ports = {"0"};
  const std::string image =
      R"({"id":"/web","container":{"type":"DOCKER","docker":{"image":"docker://web:1"}},)";
  expect(image + R"("portDefinitions":[{"port":0,"protocol":"tcp"}]})", options);
  options.ports = {"10001"};
  expect(image + R"("portDefinitions":[{"port":10001,"protocol":"tcp"}],
    "labels":{"HAPROXY_GROUP":"external"}})",
         options);
}

TEST(AppSpec, every_option_has_its_place) {
  AppOptions options = web();
  options.command = "serve";
  options.instances = 3;
  options.cpus = 0.5;
  options.memory = "1.5g";
  options.ports = {"http=10001", "0"};
  options.hosts = {"a.example", "b.example"};
  options.env = {"MODE=prod", "EMPTY=", "QUERY=a=b"};
  options.labels = {"team=web"};
  options.volumes = {"/srv/x:/data:ro", "512m:/state"};
  options.constraints = {"hostname:UNIQUE", "zone:LIKE:core|dmz"};
  options.health_path = "/health";
  expect(R"({"id":"/web","cmd":"serve","instances":3,"cpus":0.5,"mem":1536.0,
    "portDefinitions":[{"port":10001,"protocol":"tcp","name":"http"},{"port":0,"protocol":"tcp"}],
    "labels":{"HAPROXY_GROUP":"external","HAPROXY_0_VHOST":"a.example,b.example","team":"web"},
    "env":{"MODE":"prod","EMPTY":"","QUERY":"a=b"},
    "container":{"type":"DOCKER","docker":{"image":"docker://web:1"},"volumes":[
      {"containerPath":"/data","mode":"RO","hostPath":"/srv/x"},
      {"containerPath":"/state","mode":"RW","persistent":{"size":512}}]},
    "constraints":[["hostname","UNIQUE"],["zone","LIKE","core|dmz"]],
    "healthChecks":[{"protocol":"MESOS_HTTP","path":"/health","portIndex":0,"gracePeriodSeconds":60,
      "intervalSeconds":5,"timeoutSeconds":3,"maxConsecutiveFailures":3,"delaySeconds":0}]})",
         options);
}

TEST(AppSpec, options_win_over_the_file_and_the_rest_of_the_file_stays) {
  expect(
      R"({"id":"/web","cmd":"run","instances":4,"env":{"A":"1","B":"3"},"labels":{"x":"y"}})",
      {.instances = 4, .env = {"B=3"}},
      Json::parse(
          R"({"id":"/web","cmd":"run","instances":1,"env":{"A":"1","B":"2"},"labels":{"x":"y"}})"));
}

TEST(AppSpec, an_application_without_id_or_without_anything_to_run_is_refused) {
  refuse({.image = "docker://web:1"});
  refuse({.id = "/web"});
  refuse({}, Json::parse(R"({"id":7,"cmd":"x"})"));
}

TEST(AppSpec, a_file_that_is_no_application_is_refused) {
  refuse({}, Json::array());
  refuse({.env = {"A=1"}}, Json::parse(R"({"id":"/a","cmd":"x","env":[]})"));
  refuse({.image = "y"}, Json::parse(R"({"id":"/a","container":[]})"));
  refuse({.image = "y"}, Json::parse(R"({"id":"/a","container":{"docker":"x"}})"));
}

TEST(AppSpec, malformed_options_are_refused) {
  for (const char* port : {"", "x", "65536", "-1", "=80", "http=", "80 "}) {
    AppOptions options = web();
    options.ports = {port};
    refuse(options);
  }
  for (const char* pair : {"", "x", "=y"}) {
    AppOptions options = web();
    options.env = {pair};
    refuse(options);
  }
  for (const char* volume : {"", "/a", "/a:", "/a:/b:rx", "/a:/b:ro:x", "x:/b", "0:/b"}) {
    AppOptions options = web();
    options.volumes = {volume};
    refuse(options);
  }
  for (const char* constraint : {"", "hostname", ":UNIQUE", "hostname:"}) {
    AppOptions options = web();
    options.constraints = {constraint};
    refuse(options);
  }
  AppOptions options = web();
  options.health_path = "health";
  refuse(options);
}

TEST(AppSpec, sizes_are_mebibytes_unless_they_say_otherwise) {
  DOUBLES_EQUAL(64, UNWRAP(cli::parse_mebibytes("64")), 0);
  DOUBLES_EQUAL(64, UNWRAP(cli::parse_mebibytes("64m")), 0);
  DOUBLES_EQUAL(2048, UNWRAP(cli::parse_mebibytes("2G")), 0);
  DOUBLES_EQUAL(0.5, UNWRAP(cli::parse_mebibytes("0.5")), 0);
  for (const char* text : {"", "m", "-1", "1k", "1e3", "nan", "inf", "0x10", "1 ", "99999999g"}) {
    CHECK_ERROR(Code::invalid_argument, "option_invalid", cli::parse_mebibytes(text));
  }
}
