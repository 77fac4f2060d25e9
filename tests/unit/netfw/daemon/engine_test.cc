// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/balancer.h"
#include "tests/unit/netfw/daemon/engine_rig.h"

using namespace netfw_test;

TEST_GROUP_BASE(Engine, EngineRig){};

TEST(Engine, a_healthy_instance_is_served_at_once_and_a_deleted_one_is_gone_at_once) {
  const EchoServer server(3001, "one");
  const Engine::ServicesReply reply = put_services();
  CHECK_EQUAL(7, reply.generation);
  CHECK_EQUAL(1, reply.problems.size());
  CHECK_TRUE(kernel().ports[SetId::service_tcp].empty());
  CHECK_OK(engine->put_instance(member("i1", 3001, InstanceState::starting)));
  CHECK_EQUAL(503, http_get(10001, "x", "/").status);
  CHECK_TRUE(kernel().instances.size() == 1);
  CHECK_TRUE(kernel().ports[SetId::service_tcp].contains(10001));
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  STRCMP_EQUAL("one", http_get(10001, "x", "/").body.c_str());
  STRCMP_EQUAL("one", http_get(80, "web.demo", "/").body.c_str());
  CHECK_OK(engine->put_instance(member("i1", 3001, InstanceState::unhealthy)));
  CHECK_EQUAL(503, http_get(10001, "x", "/").status);
  CHECK_TRUE(kernel().instances.empty());
  CHECK_OK(engine->remove_instance(InstanceId("i1")));
  CHECK_OK(engine->remove_instance(InstanceId("i1")));
  CHECK_TRUE(kernel().ports[SetId::service_tcp].empty());
  CHECK_EQUAL(0, engine->status()["instances"].get<int>());
}

TEST(Engine, a_service_without_a_group_is_not_exposed_and_an_internal_one_not_to_anybody) {
  const EchoServer server(3001, "one");
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  CHECK_EQUAL(200, http_get(10001, "x", "/").status);
  const auto with_labels = [](const std::string& labels) {
    return R"({"generation":8,"services":[{"id":"/demo/web","labels":{)" + labels +
           R"("HAPROXY_0_VHOST":"web.demo"},
      "ports":[{"index":0,"service_port":10001,"protocol":"tcp"}]}]})";
  };
  CHECK_EQUAL(1, put(with_labels("")).problems.size());
  CHECK_EQUAL(0, http_get(10001, "x", "/").status);
  CHECK_EQUAL(503, http_get(80, "web.demo", "/").status);
  CHECK_TRUE(kernel().ports[SetId::service_tcp].empty());
  CHECK_EQUAL(1, kernel().instances.size());  // for the cluster
  CHECK_EQUAL(1, put(with_labels(R"("HAPROXY_GROUP":"internal",)")).problems.size());
  CHECK_EQUAL(200, http_get(10001, "x", "/").status);
  CHECK_EQUAL(503, http_get(80, "web.demo", "/").status);
  CHECK_TRUE(kernel().ports[SetId::service_tcp].empty());
  CHECK_TRUE(kernel().ports[SetId::internal_tcp].contains(10001));
}

TEST(Engine, the_service_port_stays_open_until_the_last_instance_goes) {
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  CHECK_OK(engine->put_instance(member("i2", 3002)));
  CHECK_OK(engine->remove_instance(InstanceId("i1")));
  CHECK_TRUE(kernel().ports[SetId::service_tcp].contains(10001));
  CHECK_OK(engine->remove_instance(InstanceId("i2")));
  CHECK_FALSE(kernel().ports[SetId::service_tcp].contains(10001));
}

TEST(Engine, instances_may_come_before_their_service) {
  const EchoServer server(3001, "one");
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  CHECK_EQUAL(0, http_get(10001, "x", "/").status);
  put_services();
  STRCMP_EQUAL("one", http_get(10001, "x", "/").body.c_str());
}

TEST(Engine, the_whole_truth_of_a_node_replaces_what_was_known_of_it) {
  put_services();
  Instance other = member("other", 3009);
  other.node = NodeName("n2");
  CHECK_OK(engine->put_instance(other));
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  CHECK_OK(engine->put_node_instances(NodeName("n1"), {member("i2", 3002), member("i3", 3003)}));
  CHECK_EQUAL(3, engine->status()["instances"].get<int>());
  CHECK_TRUE(set_members("instances") ==
             (std::set<std::string>{"\"tcp 127.0.0.1:3002\"", "\"tcp 127.0.0.1:3003\"",
                                    "\"tcp 127.0.0.1:3009\""}));
}

TEST(Engine, a_new_life_of_the_daemon_changes_nothing_and_loses_no_request) {
  const EchoServer server(3001, "one");
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  Load load(10001, "web.demo", 2);
  for (int life = 0; life < 5; ++life) {
    engine.reset();
    start();
    CHECK_EQUAL(1, engine->status()["instances"].get<int>());
    CHECK_EQUAL(7, engine->status()["generation"].get<int>());
    CHECK_TRUE(engine->status()["haproxy"]["connected"].get<bool>());
    CHECK_EQUAL(0, engine->status()["haproxy"]["reloads"].get<int>());
  }
  load.stop();
  CHECK_TRUE(load.requests() > 20);
  CHECK_EQUAL(0, load.failures());
}

TEST(Engine, more_services_than_pools_cost_one_reload) {
  base::Json body = {{"generation", 8}, {"services", base::Json::array()}};
  for (int i = 0; i < 40; ++i) {
    body["services"].push_back(
        {{"id", "/app/" + std::to_string(i)},
         {"labels",
          {{"HAPROXY_GROUP", "external"},
           {"HAPROXY_0_VHOST", "app" + std::to_string(i) + ".demo"}}},
         {"ports", {{{"index", 0}, {"service_port", 0}, {"protocol", "tcp"}}}}});
  }
  const EchoServer server(3001, "one");
  put(body.dump());
  CHECK_EQUAL(1, engine->status()["haproxy"]["reloads"].get<int>());
  Instance last = member("i1", 3001);
  last.service = ServiceId("/app/39");
  CHECK_OK(engine->put_instance(last));
  STRCMP_EQUAL("one", http_get(80, "app39.demo", "/").body.c_str());
}

TEST(Engine, many_callers_at_once_agree_in_the_end) {
  put_services();
  std::vector<std::thread> callers;
  std::atomic<unsigned> errors = 0;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 10; ++round) {
        const std::string id = "c" + std::to_string(caller);
        const auto port = static_cast<std::uint16_t>(3100 + caller);
        if (!engine->put_instance(member(id, port))) ++errors;
        if (round != 9 && !engine->remove_instance(InstanceId(id))) ++errors;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK_EQUAL(0, errors.load());
  catch_up();
  CHECK_EQUAL(8, kernel().instances.size());
  engine.reset();
  start();
  CHECK_EQUAL(8, engine->status()["instances"].get<int>());
}

TEST(Engine, a_label_opens_no_port_that_was_not_granted) {
  const std::string body = R"({"generation":1,"services":[
    {"id":"/demo/web","labels":{"HAPROXY_GROUP":"external","HAPROXY_0_PORT":"22"},
     "ports":[{"index":0,"service_port":10001,"protocol":"tcp"}]},
    {"id":"/demo/two","labels":{"HAPROXY_GROUP":"external","HAPROXY_0_PORT":"8080"},
     "ports":[{"index":0,"service_port":10002,"protocol":"tcp"}]}]})";
  const Engine::ServicesReply reply = put(body);
  CHECK_EQUAL(2, reply.problems.size());
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  CHECK_TRUE(kernel().ports[SetId::service_tcp].empty());
}

TEST(Engine, a_service_port_that_another_program_has_is_a_problem_and_no_outage) {
  const EchoServer other(31000, "other");
  const EchoServer server(3001, "one");
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  const std::string body = R"({"generation":2,"services":[{"id":"/demo/web",
    "labels":{"HAPROXY_GROUP":"external","HAPROXY_0_VHOST":"web.demo","HAPROXY_0_PORT":"31000"},
    "ports":[{"index":0,"service_port":10001,"protocol":"tcp"}]}]})";
  const Engine::ServicesReply reply = put(body);
  CHECK_EQUAL(1, reply.problems.size());
  CHECK_EQUAL(0, engine->status()["haproxy"]["reloads"].get<int>());
  STRCMP_EQUAL("one", http_get(80, "web.demo", "/").body.c_str());
}

TEST(Engine, a_port_outside_the_range_survives_a_new_life_without_a_reload) {
  const EchoServer server(3001, "one");
  const std::string body = R"({"generation":2,"services":[{"id":"/demo/web",
    "labels":{"HAPROXY_GROUP":"external","HAPROXY_0_PORT":"31000"},
    "ports":[{"index":0,"service_port":10001,"protocol":"tcp"}]}]})";
  put(body);
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  CHECK_EQUAL(1, engine->status()["haproxy"]["reloads"].get<int>());
  STRCMP_EQUAL("one", http_get(31000, "x", "/").body.c_str());
  engine.reset();
  start();
  CHECK_EQUAL(0, engine->status()["haproxy"]["reloads"].get<int>());
  STRCMP_EQUAL("one", http_get(31000, "x", "/").body.c_str());
}

TEST(Engine, a_service_with_bad_labels_harms_no_other_and_keeps_its_good_ones) {
  const EchoServer one(3001, "one");
  const EchoServer two(3002, "two");
  base::Json body = base::Json::parse(R"({"generation":3,"services":[
    {"id":"/bad","labels":{"HAPROXY_GROUP":"external"},
     "ports":[{"index":0,"service_port":10002,"protocol":"tcp"}]},
    {"id":"/demo/web","labels":{"HAPROXY_GROUP":"external","HAPROXY_0_VHOST":"web.demo"},
     "ports":[{"index":0,"service_port":10001,"protocol":"tcp"}]}]})");
  base::Json& labels = body["services"][0]["labels"];
  labels["HAPROXY_0_VHOST"] = "a.demo\n  http-request return status 200";
  labels["HAPROXY_0_PATH"] = "/x;disable frontend web";
  labels["HAPROXY_0_BACKEND_HEAD"] = "backend x\n  server s 127.0.0.1:1";
  labels["HAPROXY_HTTP_FRONTEND_HEAD"] = "frontend x";
  CHECK_EQUAL(4, put(body.dump()).problems.size());
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  Instance bad = member("i2", 3002);
  bad.service = ServiceId("/bad");
  CHECK_OK(engine->put_instance(bad));
  STRCMP_EQUAL("one", http_get(80, "web.demo", "/").body.c_str());
  STRCMP_EQUAL("two", http_get(10002, "x", "/").body.c_str());
  CHECK_EQUAL(503, http_get(80, "a.demo", "/").status);
  CHECK_EQUAL(0, engine->status()["haproxy"]["reloads"].get<int>());
}
