// SPDX-License-Identifier: Apache-2.0
#include "node/master/app.h"

#include <nlohmann/json.hpp>

#include "node/master/check_reader.h"
#include "node/master/constraint_reader.h"
#include "node/master/run_spec_of.h"
#include "tests/support/check_result.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using base::Json;

namespace {

App good(const char* text) {
  Problems problems;
  auto app = make_app(Json::parse(text), "/", "", problems);
  if (!app) FAIL(problems.text().c_str());
  return std::move(*app);
}

std::string wrong(const Json& json) {
  Problems problems;
  const auto app = make_app(json, "/", "", problems);
  CHECK(app.has_value() == problems.empty());
  return problems.text();
}

}  // namespace

TEST_GROUP(AppDefinition){};

TEST(AppDefinition, defaults_are_those_of_marathon) {
  const App app = good(R"({"id":"/demo/web","cmd":"sleep 1"})");
  const Json& document = *app.document;
  LONGS_EQUAL(1, document["instances"].get<int>());
  LONGS_EQUAL(128, document["mem"].get<int>());
  CHECK(document["backoffSeconds"].dump() == "1");
  CHECK(document["backoffFactor"].dump() == "1.15");
  CHECK(document["portDefinitions"][0]["port"].dump() == "0");
  CHECK(document["unreachableStrategy"]["inactiveAfterSeconds"] == 0);
  CHECK(document["upgradeStrategy"]["maximumOverCapacity"].dump() == "1");
  LONGS_EQUAL(128LL << 20, app.memory_bytes);
}

TEST(AppDefinition, a_completed_definition_reads_back_as_itself) {
  const App app = good(
      R"({"id":"web","args":["a"],"container":{"type":"DOCKER","docker":{"image":"nginx:1"},
          "volumes":[{"containerPath":"/d","hostPath":"/srv","mode":"RO"}]},"instances":3,
          "healthChecks":[{"protocol":"MESOS_HTTP","path":"/h"}],"constraints":[["hostname","UNIQUE"]],
          "readinessChecks":[{"portName":"default"}],"labels":{"a":"b"},"env":{"X":"y"},
          "gestalt":{"deployDeadlineSeconds":60}})");
  Problems problems;
  const auto again = make_app(*app.document, "/", "", problems);
  CHECK(again.has_value());
  CHECK(*again->document == *app.document);
  LONGS_EQUAL(static_cast<int>(Difference::none), static_cast<int>(compare(app, *again)));
}

TEST(AppDefinition, each_wrong_field_is_named_with_its_place) {
  const struct {
    const char* field;
    const char* value;
    const char* path;
  } kCases[] = {
      {"id", R"("/Demo")", "/id"},
      {"id", R"("/a/../..")", "/id"},
      {"id", R"("/")", "/id"},
      {"id", R"("/a-")", "/id"},
      {"id", "7", "/id"},
      {"instances", "-1", "/instances"},
      {"instances", "1.5", "/instances"},
      {"cpus", R"("1")", "/cpus"},
      {"mem", "-5", "/mem"},
      {"gpus", "1", "/gpus"},
      {"memory", "5", "/memory"},
      {"env", R"({"A":1})", "/env/A"},
      {"env", R"({"A=B":"1"})", "/env/A=B"},
      {"env", R"({"A":{"secret":"s"}})", "/env/A"},
      {"secrets", R"({"s":{"source":"/db"}})", "/secrets"},
      {"secrets", R"("s")", "/secrets"},
      {"labels", R"([])", "/labels"},
      {"backoffFactor", "0.5", "/backoffFactor"},
      {"killSelection", R"("NONE")", "/killSelection"},
      {"constraints", R"([["hostname"]])", "/constraints/0"},
      {"constraints", R"([["hostname","NEAR"]])", "/constraints/0"},
      {"constraints", R"([["rack","LIKE","("]])", "/constraints/0"},
      {"constraints", R"([["rack","LIKE","a{1000}"]])", "/constraints/0"},
      {"constraints", R"([["rack","LIKE","(a)\\1"]])", "/constraints/0"},
      {"constraints", R"([["rack","MAX_PER","0"]])", "/constraints/0"},
      {"dependencies", R"(["Bad Id"])", "/dependencies"},
      {"upgradeStrategy", R"({"minimumHealthCapacity":2})",
       "/upgradeStrategy/minimumHealthCapacity"},
      {"unreachableStrategy", R"({"inactiveAfterSeconds":9,"expungeAfterSeconds":1})",
       "/unreachableStrategy/expungeAfterSeconds"},
      {"healthChecks", R"([{"protocol":"UDP"}])", "/healthChecks/0/protocol"},
      {"healthChecks", R"([{"portIndex":5}])", "/healthChecks/0/portIndex"},
      {"healthChecks", R"([{"protocol":"COMMAND"}])", "/healthChecks/0/command"},
      {"readinessChecks", R"([{"portName":"x"}])", "/readinessChecks/0/portName"},
      {"portDefinitions", R"([{"port":70000}])", "/portDefinitions/0/port"},
      {"portDefinitions", R"([{"name":"a"},{"name":"a"}])", "/portDefinitions/1/name"},
      {"networks", R"([{"mode":"container","name":"x"}])", "/networks/0/mode"},
      {"networks", R"([{"mode":"container/bridge"}])", "container/bridge is for images"},
      {"container", R"({"type":"RKT"})", "/container/type"},
      {"container", R"({"type":"DOCKER"})", "/container/docker"},
      {"container", R"({"docker":{"image":"a b"}})", "/container/docker/image"},
      {"container", R"({"docker":{"image":"a","privileged":true}})",
       "/container/docker/privileged"},
      {"container", R"({"volumes":[{"containerPath":"/a","hostPath":"/b/../c"}]})",
       "/container/volumes/0/hostPath"},
      {"container", R"({"volumes":[{"containerPath":"/a"}]})", "/container/volumes/0/hostPath"},
      {"gestalt", R"({"onFailure":"cry"})", "/gestalt"},
      {"gestalt", R"({"deadline":1})", "/gestalt/deadline"},
      {"args", R"(["x"])", "/:"},
  };
  for (const auto& c : kCases) {
    Json json = {{"id", "/a"}, {"cmd", "true"}};
    json[c.field] = Json::parse(c.value);
    const std::string text = wrong(json);
    if (text.find(c.path) == std::string::npos)
      FAIL((std::string(c.field) + " = " + c.value + " gave: " + text).c_str());
  }
  CHECK(wrong(Json::parse("[]")) != "");
  CHECK(wrong(Json::parse(R"({"id":"/a"})")).find("AppDefinition must") != std::string::npos);
}

TEST(AppDefinition, a_check_is_completed_with_marathons_defaults) {
  Problems problems;
  const std::vector<PortSlot> ports(1);
  const Json check = read_health_check(Json::object(), "/c", ports, problems);
  CHECK(problems.empty());
  CHECK(check["gracePeriodSeconds"] == 300 && check["maxConsecutiveFailures"] == 3);
  CHECK(check["portIndex"] == 0 && check["path"] == "/");
  read_readiness_check(Json::object(), "/r", ports, problems);
  CHECK(problems.text().find("/r/portName") != std::string::npos);
}

TEST(AppDefinition, a_constraint_knows_its_field_operator_and_value) {
  Problems problems;
  const auto constraint =
      read_constraint(Json::array({"@hostname", "LIKE", "a.*"}), "/0", problems);
  CHECK(constraint.has_value());
  STRCMP_EQUAL("hostname", constraint->field.c_str());
  STRCMP_EQUAL("a.*", constraint->value.c_str());
  CHECK(constraint->op == Operator::like);
  CHECK(!read_constraint(Json("UNIQUE"), "/1", problems));
  CHECK(problems.text().starts_with("/1"));
}

TEST(AppDefinition, several_wrong_fields_are_all_listed) {
  const std::string text = wrong(Json::parse(
      R"({"id":"/a","cmd":"x","upgradeStrategy":{"maximumOverCapacity":7},"env":{"A":1}})"));
  CHECK(text.find("/env/A") != std::string::npos);
  CHECK(text.find("/upgradeStrategy/maximumOverCapacity") != std::string::npos);
}

TEST(AppDefinition, ids_are_resolved_against_their_group) {
  STRCMP_EQUAL("/demo/web", resolve_id("web", "/demo").value_or("").c_str());
  STRCMP_EQUAL("/db", resolve_id("../db", "/demo").value_or("").c_str());
  STRCMP_EQUAL("/demo/web", resolve_id("//demo//web/").value_or("").c_str());
  CHECK(!resolve_id("/a_b"));
  CHECK(!resolve_id("/" + std::string(150, 'a')));
  CHECK(is_within("/demo/web", "/demo") && !is_within("/demo2", "/demo") && is_within("/a", "/"));
}

TEST(AppDefinition, what_needs_a_restart_and_what_does_not) {
  const Json base =
      Json::parse(R"({"id":"/a","cmd":"x","portDefinitions":[{"port":0,"name":"p"}]})");
  const struct {
    const char* change;
    Difference expected;
  } kCases[] = {
      {R"({})", Difference::none},
      {R"({"instances":5})", Difference::scale},
      {R"({"labels":{"a":"b"}})", Difference::live},
      {R"({"cpus":2,"mem":64})", Difference::live},
      {R"({"healthChecks":[{"protocol":"TCP"}]})", Difference::live},
      {R"({"constraints":[["hostname","UNIQUE"]],"backoffSeconds":9})", Difference::live},
      {R"({"upgradeStrategy":{"minimumHealthCapacity":0.5},"instances":9})", Difference::live},
      {R"({"portDefinitions":[{"port":12000,"name":"p"}]})", Difference::live},
      {R"({"cmd":"y"})", Difference::restart},
      {R"({"env":{"a":"b"}})", Difference::restart},
      {R"({"portDefinitions":[{"port":0,"name":"p"},{"port":0,"name":"q"}]})", Difference::restart},
      {R"({"container":{"docker":{"image":"i"}}})", Difference::restart},
  };
  Problems problems;
  const auto before = make_app(base, "/", "", problems);
  for (const auto& c : kCases) {
    const auto after = make_app(merge_update(base, Json::parse(c.change)), "/", "", problems);
    if (!after) FAIL(problems.text().c_str());
    if (compare(*before, *after) != c.expected) FAIL(c.change);
  }
}

TEST(AppDefinition, limits_of_a_rollout_round_as_marathon_does) {
  App app = good(R"({"id":"/a","cmd":"x","upgradeStrategy":
      {"minimumHealthCapacity":0.7,"maximumOverCapacity":0.3}})");
  LONGS_EQUAL(7, healthy_min(app, 10));
  LONGS_EQUAL(13, total_max(app, 10));
  LONGS_EQUAL(3, healthy_min(app, 4));
  LONGS_EQUAL(5, total_max(app, 4));
  LONGS_EQUAL(0, healthy_min(app, 0));
}

TEST(AppDefinition, a_record_keeps_versions_and_a_broken_one_is_refused) {
  App app = good(R"({"id":"/a","cmd":"x"})");
  app.version = "2026-01-01T00:00:00.002Z";
  app.restart_version = "2026-01-01T00:00:00.001Z";
  const App again = UNWRAP(from_record(to_record(app)));
  STRCMP_EQUAL(app.version.c_str(), again.version.c_str());
  STRCMP_EQUAL(app.restart_version.c_str(), again.restart_version.c_str());
  Json broken = to_record(app);
  broken["document"]["cpus"] = -1;
  CHECK_ERROR(base::Code::corrupt, "record_corrupt", from_record(broken));
}

TEST(AppDefinition, secrets_may_be_empty_and_a_record_of_before_goes_on_without_them) {
  for (const char* text : {"{}", "[]", "null"}) {
    const std::string json = R"({"id":"/a","cmd":"x","secrets":)" + std::string(text) + "}";
    CHECK(!good(json.c_str()).document->contains("secrets"));
  }
  Json record = to_record(good(R"({"id":"/a","cmd":"x"})"));
  record["document"]["secrets"] = {{"s", {{"source", "/db"}}}};
  CHECK(!UNWRAP(from_record(record)).document->contains("secrets"));
}

TEST(AppDefinition, an_image_may_have_a_network_of_its_own) {
  for (const char* text :
       {R"({"id":"/a","container":{"type":"DOCKER","docker":{"image":"x","network":"BRIDGE",
            "portMappings":[{"containerPort":80,"hostPort":0,"protocol":"tcp"}]}}})",
        R"({"id":"/a","networks":[{"mode":"container/bridge"}],"container":{"type":"MESOS",
            "docker":{"image":"x"},"portMappings":[{"containerPort":80}]}})"}) {
    App app = good(text);
    app.restart_version = "v";
    const node::api::RunSpec spec = make_run_spec(app, 0);
    STRCMP_EQUAL("bridge", spec.network.c_str());
    LONGS_EQUAL(1, spec.ports.size());
    LONGS_EQUAL(80, spec.ports[0].container_port);
    CHECK_OK(node::api::decode_run_spec(node::api::encode(spec)));
  }
  const std::string udp = wrong(Json::parse(
      R"({"id":"/a","networks":[{"mode":"container/bridge"}],"container":{
          "docker":{"image":"x"},"portMappings":[{"containerPort":80,"protocol":"udp"}]}})"));
  CHECK_TEXT(udp.find("/container/portMappings/0/protocol") != std::string::npos, udp.c_str());
}

TEST(AppDefinition, an_agent_gets_all_it_has_to_know) {
  App app = good(
      R"({"id":"/demo/db","cmd":"run","cpus":0.5,"mem":64,"env":{"A":"b"},"labels":{"my.label":"v"},
          "container":{"type":"DOCKER","docker":{"image":"pg:15","parameters":[{"key":"init","value":"true"},
              {"key":"read-only","value":"true"},{"key":"pids-limit","value":"50"}]},
            "volumes":[{"containerPath":"/data","persistent":{"size":5}},
                       {"containerPath":"common","external":{"name":"all","size":6}}]},
          "healthChecks":[{"protocol":"MESOS_TCP","intervalSeconds":2}],
          "readinessChecks":[{"portName":"default","preserveLastResponse":true}],
          "taskKillGracePeriodSeconds":9})");
  app.restart_version = "v";
  const node::api::RunSpec spec = make_run_spec(app, 3);
  STRCMP_EQUAL("docker://pg:15", spec.image.c_str());
  STRCMP_EQUAL("run", spec.argv.at(2).c_str());
  STRCMP_EQUAL("v", spec.environment.at("MARATHON_APP_LABEL_MY_LABEL").c_str());
  STRCMP_EQUAL("demo_db.3._data", spec.volumes.at(0).persistent.c_str());
  LONGS_EQUAL(5LL << 20, spec.volumes[0].size_bytes);
  STRCMP_EQUAL("all", spec.volumes.at(1).persistent.c_str());
  STRCMP_EQUAL("/mnt/mesos/sandbox/common", spec.volumes[1].container_path.c_str());
  CHECK(spec.volumes[1].shared && !spec.volumes[0].shared);
  LONGS_EQUAL(2, spec.health_checks.at(0).interval.count());
  CHECK(spec.readiness_checks.at(0).preserve_last_response);
  LONGS_EQUAL(9, spec.kill_grace.count());
  CHECK(spec.init && spec.read_only_root);
  LONGS_EQUAL(50, spec.resources.pids_max);
  CHECK_OK(node::api::decode_run_spec(node::api::encode(spec)));
}
