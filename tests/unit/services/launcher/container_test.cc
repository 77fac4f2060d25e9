// SPDX-License-Identifier: Apache-2.0
#include "services/launcher/container.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using base::Code;
using base::Json;
using services::launcher::app_id_of;
using services::launcher::Seen;
using services::launcher::seen_of;

namespace {

Json container(const Json& properties) {
  return {{"id", "3f0c9a52-6f3b-4a0e-9a3c-2b1f3d5e7a90"},
          {"name", "My Web_App"},
          {"fqon", "acme.eng"},
          {"properties", properties}};
}

base::Result<Json> app_of(const Json& of) {
  return services::launcher::app_of(of, {.processes = true});
}

}  // namespace

TEST_GROUP(LauncherContainer){};

TEST(LauncherContainer, its_id_is_one_that_marathon_takes) {
  STRCMP_EQUAL("/gestalt/acme-eng/my-web-app-8b44f6f937d75adc", app_id_of(container({})).c_str());
  STRCMP_EQUAL("/gestalt/x/x-e3b0c44298fc1c14", app_id_of(Json::object()).c_str());
  Json odd = container({});
  odd["name"] = "--\xc3\xa4--";
  STRCMP_EQUAL("/gestalt/acme-eng/x-8b44f6f937d75adc", app_id_of(odd).c_str());
}

TEST(LauncherContainer, an_id_that_begins_as_anothers_is_another_application) {
  Json other = container({});
  other["id"] = "3f0c9a52-0000-4000-8000-000000000000";
  CHECK(app_id_of(container({})) != app_id_of(other));
}

TEST(LauncherContainer, every_property_has_its_counterpart) {
  const Json app =
      UNWRAP(app_of(container({{"image", "nginx:1"},
                               {"num_instances", 3},
                               {"cpus", 0.5},
                               {"memory", 256},
                               {"disk", 10},
                               {"network", "BRIDGE"},
                               {"cmd", "run"},
                               {"user", "nobody"},
                               {"force_pull", true},
                               {"env", {{"A", "1"}, {"B", 2}, {"C", nullptr}}},
                               {"labels", {{"team", "x"}}},
                               {"constraints", {"hostname:UNIQUE", "zone:LIKE:core"}},
                               {"accepted_resource_roles", {"*"}},
                               {"port_mappings",
                                {{{"name", "http"},
                                  {"protocol", "TCP"},
                                  {"container_port", 80},
                                  {"service_port", 10100},
                                  {"expose_endpoint", true},
                                  {"virtual_hosts", {"a.example", "b.example"}}},
                                 {{"name", "admin"}, {"container_port", 81}}}},
                               {"health_checks",
                                {{{"protocol", "HTTP"}, {"path", "/ok"}, {"interval_seconds", 2}},
                                 {{"protocol", "COMMAND"}, {"command", "true"}}}}})));
  const Json expected = {{"instances", 3},
                         {"cpus", 0.5},
                         {"mem", 256},
                         {"disk", 10},
                         {"cmd", "run"},
                         {"user", "nobody"},
                         {"env", {{"A", "1"}, {"B", "2"}}},
                         {"labels",
                          {{"team", "x"},
                           {"HAPROXY_GROUP", "external"},
                           {"HAPROXY_0_VHOST", "a.example,b.example"},
                           {"GESTALT_CONTAINER", "3f0c9a52-6f3b-4a0e-9a3c-2b1f3d5e7a90"}}},
                         {"constraints", Json::array({Json::array({"hostname", "UNIQUE"}),
                                                      Json::array({"zone", "LIKE", "core"})})},
                         {"acceptedResourceRoles", {"*"}},
                         {"networks", Json::array({Json{{"mode", "container/bridge"}}})},
                         {"container",
                          {{"type", "MESOS"},
                           {"docker", {{"image", "nginx:1"}, {"forcePullImage", true}}},
                           {"portMappings",
                            {{{"name", "http"},
                              {"protocol", "tcp"},
                              {"containerPort", 80},
                              {"hostPort", 0},
                              {"servicePort", 10100}},
                             {{"name", "admin"},
                              {"protocol", "tcp"},
                              {"containerPort", 81},
                              {"hostPort", 0},
                              {"servicePort", 0}}}}}},
                         {"healthChecks",
                          {{{"protocol", "HTTP"},
                            {"path", "/ok"},
                            {"portIndex", 0},
                            {"gracePeriodSeconds", 300},
                            {"intervalSeconds", 2},
                            {"timeoutSeconds", 10},
                            {"maxConsecutiveFailures", 3}},
                           {{"protocol", "COMMAND"},
                            {"command", {{"value", "true"}}},
                            {"gracePeriodSeconds", 300},
                            {"intervalSeconds", 60},
                            {"timeoutSeconds", 10},
                            {"maxConsecutiveFailures", 3}}}}};
  STRCMP_EQUAL(expected.dump(1).c_str(), app.dump(1).c_str());
}

TEST(LauncherContainer, one_that_is_not_exposed_has_no_group) {
  const Json app = UNWRAP(app_of(container({{"cmd", "x"}, {"port_mappings", {{{"name", "p"}}}}})));
  CHECK_FALSE(app["labels"].contains("HAPROXY_GROUP"));
  STRCMP_EQUAL("host", app["networks"][0]["mode"].get<std::string>().c_str());
  LONGS_EQUAL(1, app["portDefinitions"].size());
  const Json internal =
      UNWRAP(app_of(container({{"cmd", "x"},
                               {"labels", {{"HAPROXY_GROUP", "internal"}}},
                               {"port_mappings", {{{"name", "p"}, {"expose_endpoint", true}}}}})));
  STRCMP_EQUAL("internal", internal["labels"]["HAPROXY_GROUP"].get<std::string>().c_str());
}

TEST(LauncherContainer, what_cannot_be_is_named_with_its_place) {
  const auto pointer = [](const Json& properties) {
    return app_of(container(properties)).error().pointer;
  };
  STRCMP_EQUAL("/properties/num_instances", pointer({{"num_instances", -1}}).c_str());
  STRCMP_EQUAL("/properties/image", pointer({{"image", 7}}).c_str());
  STRCMP_EQUAL("/properties/port_mappings/0/container_port",
               pointer({{"port_mappings", {{{"container_port", 70000}}}}}).c_str());
  STRCMP_EQUAL("/properties/health_checks/0/path",
               pointer({{"health_checks", {{{"path", 1}}}}}).c_str());
}

TEST(LauncherContainer, an_instance_has_its_own_volume_and_no_folder_of_the_node) {
  const auto with = [](const Json& volume) {
    return app_of(container({{"image", "i"}, {"volumes", Json::array({volume})}}));
  };
  const Json app = UNWRAP(with({{"mount_path", "/data"}, {"size", 64}}));
  STRCMP_EQUAL(R"([{"containerPath":"/data","mode":"RW","persistent":{"size":64}}])",
               app["container"]["volumes"].dump().c_str());
  CHECK(app["container"]["volumes"] ==
        UNWRAP(with({{"container_path", "/data"},
                     {"persistent", {{"size", 64}}}}))["container"]["volumes"]);
  const auto refused = [&with](const Json& volume) { return with(volume).error().pointer; };
  STRCMP_EQUAL("/properties/volumes/0/host_path",
               refused({{"mount_path", "/d"}, {"size", 1}, {"host_path", "/etc"}}).c_str());
  STRCMP_EQUAL("/properties/volumes/0/volume_id",
               refused({{"mount_path", "/d"}, {"size", 1}, {"volume_id", "x"}}).c_str());
  STRCMP_EQUAL("/properties/volumes/0/size", refused({{"mount_path", "/d"}}).c_str());
  STRCMP_EQUAL("/properties/volumes/0/mount_path", refused({{"size", 1}}).c_str());
}

TEST(LauncherContainer, a_command_of_the_node_needs_the_operators_word) {
  const Json command = container({{"cmd", "id"}});
  CHECK_OK(app_of(command));
  const auto refused = services::launcher::app_of(command, {});
  CHECK_ERROR(Code::invalid_argument, "field_missing", refused);
  STRCMP_EQUAL("/properties/image", refused.error().pointer.c_str());
  CHECK_OK(services::launcher::app_of(container({{"image", "i"}}), {}));
}

TEST(LauncherContainer, secrets_are_refused_rather_than_forgotten) {
  STRCMP_EQUAL("/properties/secrets",
               app_of(container({{"image", "i"}, {"secrets", {{{"secret_id", "x"}}}}}))
                   .error()
                   .pointer.c_str());
}

TEST(LauncherContainer, what_it_inherits_takes_the_place_of_its_own_environment) {
  Json with = container({{"image", "i"}, {"env", {{"A", "own"}}}});
  with["env"] = {{"A", "own"}, {"B", "of the organisation"}};
  STRCMP_EQUAL("of the organisation", UNWRAP(app_of(with))["env"]["B"].get<std::string>().c_str());
}

TEST(LauncherContainer, the_status_follows_from_the_tasks) {
  struct Case {
    int instances, running, healthy, staged;
    bool checked, deploying;
    const char* status;
    bool settled;
  };
  const Case cases[] = {
      {2, 2, 0, 0, false, false, "RUNNING", true},  {2, 2, 0, 0, false, true, "RUNNING", false},
      {2, 2, 2, 0, true, false, "RUNNING", true},   {2, 2, 1, 0, true, false, "UNHEALTHY", false},
      {2, 1, 0, 1, false, true, "SCALING", false},  {2, 3, 0, 0, false, true, "SCALING", false},
      {2, 0, 0, 2, false, true, "STAGED", false},   {2, 0, 0, 0, false, true, "WAITING", false},
      {0, 0, 0, 0, false, false, "SUSPENDED", true}};
  for (const Case& one : cases) {
    Json app = {{"instances", one.instances},   {"tasksRunning", one.running},
                {"tasksHealthy", one.healthy},  {"tasksStaged", one.staged},
                {"deployments", Json::array()}, {"healthChecks", Json::array()}};
    if (one.checked) app["healthChecks"].push_back({{"protocol", "TCP"}});
    if (one.deploying) app["deployments"].push_back({{"id", "d"}});
    const Seen seen = seen_of(app);
    STRCMP_EQUAL(one.status, seen.status.c_str());
    CHECK_TRUE(seen.is_settled == one.settled);
  }
}

TEST(LauncherContainer, addresses_are_named_after_their_ports) {
  const Seen seen =
      seen_of({{"instances", 1},
               {"tasksRunning", 1},
               {"tasks", {{{"id", "t"}, {"host", "10.0.0.1"}, {"ports", {3000}}}}},
               {"portDefinitions", {{{"name", "http"}, {"port", 10000}}, {{"port", 10001}}}}});
  LONGS_EQUAL(10000, seen.service_addresses["http"]["port"].get<int>());
  LONGS_EQUAL(10001, seen.service_addresses["1"]["port"].get<int>());
  STRCMP_EQUAL("10.0.0.1", seen.instances[0]["host"].get<std::string>().c_str());
}
