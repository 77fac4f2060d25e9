// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/netfw/daemon/engine_rig.h"

#include <fstream>

#include "common/sys/tls.h"

using namespace netfw_test;

TEST_GROUP_BASE(EngineWatch, EngineRig){};

TEST(EngineWatch, draining_waits_for_the_request_under_way) {
  EchoServer slow(3001, "slow");
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  slow.slow = true;
  HttpAnswer answer;
  std::thread client([&] { answer = http_get(10001, "x", "/"); });
  const PoolName pool = *PoolName::parse("http_roundrobin_0");
  CliSession session = UNWRAP(CliSession::open(skeleton.admin_socket));
  CHECK_TRUE(eventually([&] { return UNWRAP(read_sessions(session, pool)).begin()->second == 1; }));
  const Engine::DrainReply early = UNWRAP(engine->drain(InstanceId("i1"), 60ms));
  CHECK_FALSE(early.drained);
  CHECK_EQUAL(1, early.sessions);
  CHECK_EQUAL(503, http_get(10001, "x", "/").status);
  slow.slow = false;
  CHECK_TRUE(UNWRAP(engine->drain(InstanceId("i1"), 5s)).drained);
  client.join();
  CHECK_EQUAL(200, answer.status);
  CHECK_ERROR(base::Code::not_found, "instance_unknown", engine->drain(InstanceId("no"), 1ms));
}

TEST(EngineWatch, haproxy_comes_back_right_after_a_kill) {
  const EchoServer server(3001, "one");
  const EchoServer second(3002, "two");
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  engine->write_files();
  haproxy->kill_hard();
  CHECK_TRUE(engine->tick());
  // Changes while it is away reach it when it is back.
  CHECK_OK(engine->remove_instance(InstanceId("i1")));
  CHECK_OK(engine->put_instance(member("i2", 3002, InstanceState::starting)));
  haproxy->start();
  CHECK_TRUE(eventually([&] { return !engine->tick(); }));
  CHECK_EQUAL(503, http_get(10001, "x", "/").status);
  CHECK_OK(engine->put_instance(member("i2", 3002)));
  STRCMP_EQUAL("two", http_get(10001, "x", "/").body.c_str());
}

TEST(EngineWatch, what_others_change_is_put_back) {
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  run_tool({"/usr/sbin/iptables-legacy", "-F", "INPUT"});
  run_tool({"/usr/sbin/ipset", "flush", "gestalt4-instances"});
  engine->tick();
  CHECK_TRUE(run_tool({"/usr/sbin/iptables-legacy", "-S", "INPUT"}).find("GESTALT-IN") !=
             std::string::npos);
  CHECK_EQUAL(1, kernel().instances.size());
}

TEST(EngineWatch, a_certificate_that_is_put_into_the_folder_is_served_and_redirected_to) {
  const EchoServer server(3001, "one");
  const auto body = [](int generation) {
    return R"({"generation":)" + std::to_string(generation) + R"(,"services":[{"id":"/demo/web",
      "labels":{"HAPROXY_GROUP":"external","HAPROXY_0_VHOST":"web.demo",
                "HAPROXY_0_REDIRECT_TO_HTTPS":"true","HAPROXY_0_USE_HSTS":"true"},
      "ports":[{"index":0,"service_port":10001,"protocol":"tcp"}]}]})";
  };
  CHECK_EQUAL(2, put(body(1)).problems.size());
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  CHECK_EQUAL(200, http_get(80, "web.demo", "/").status);
  const std::string pid = engine->status()["haproxy"]["pid"].dump();
  const sys::KeyPair made = UNWRAP(sys::make_self_signed("x", {"web.demo"}, 99h));
  std::filesystem::create_directory(folder.path() / "certificates");
  const std::string file = (folder.path() / "certificates" / "web.pem").string();
  std::ofstream(file) << made.certificate_pem << made.key_pem.reveal();
  engine->tick();
  CHECK_EQUAL(301, http_get(80, "web.demo", "/").status);
  STRCMP_EQUAL("one", run_tool({"/usr/bin/curl", "-sS", "--cacert", file, "--resolve",
                                "web.demo:443:127.0.0.1", "https://web.demo/"})
                          .c_str());
  CHECK_EQUAL(0, put(body(2)).problems.size());
  std::filesystem::remove(file);
  engine->tick();
  CHECK_EQUAL(200, http_get(80, "web.demo", "/").status);
  STRCMP_EQUAL(pid.c_str(), engine->status()["haproxy"]["pid"].dump().c_str());
}

TEST(EngineWatch, the_networks_of_the_node_manage_until_somebody_puts_a_policy) {
  engine.reset();
  run_tool({"/sbin/ip", "link", "add", "node0", "type", "veth", "peer", "name", "node1"});
  run_tool({"/sbin/ip", "link", "set", "node0", "up"});
  const auto networks = [&] { return find_management_networks(""); };
  const auto managing = [&] { return kernel().nets[SetId::management]; };
  // None is known: SSH only, from the private ones.
  start(networks);
  CHECK_TRUE(managing().contains(*IpNet::parse("10.0.0.0/8")));
  CHECK_TRUE(kernel().ports[SetId::management_tcp].empty());
  run_tool({"/sbin/ip", "addr", "add", "192.0.2.7/24", "dev", "node0"});
  engine->tick();
  CHECK_TRUE(managing() == std::set<IpNet>{*IpNet::parse("192.0.2.0/24")});
  CHECK_TRUE(kernel().ports[SetId::management_tcp].contains(8080));
  // They outlive a cable that is pulled, also in the next life.
  run_tool({"/sbin/ip", "link", "set", "node0", "down"});
  engine.reset();
  start(networks);
  CHECK_TRUE(managing() == std::set<IpNet>{*IpNet::parse("192.0.2.0/24")});
  Policy policy = default_policy();
  policy.management = {*IpNet::parse("198.51.100.0/24")};
  // The networks of the node lose it; until that is confirmed they are not followed either.
  CHECK_OK(put_policy(policy));
  open_ssh("198.51.100.7:40000");
  CHECK_OK(confirm_policy("198.51.100.7:40000"));
  run_tool({"/sbin/ip", "link", "set", "node0", "up"});
  engine->tick();
  CHECK_TRUE(managing() == std::set<IpNet>{policy.management[0]});
}

TEST(EngineWatch, a_firewall_that_fails_is_told_and_tried_again) {
  put_services();
  engine.reset();
  const std::filesystem::path good = firewall.iptables.helper;
  firewall.iptables.helper = "/nonexistent";
  start();
  CHECK_TRUE(engine->tick());
  CHECK_FALSE(engine->status()["firewall"]["applied"].get<bool>());
  STRCMP_EQUAL(
      R"({"problems":["the packet filter is not as wanted; GET /v1/status says why"],"status":"degraded"})",
      engine->health().dump().c_str());
  // A member does not go into rotation while nobody can reach it.
  CHECK_FALSE(engine->put_instance(member("i1", 3001)).has_value());
  CHECK_EQUAL(503, http_get(80, "web.demo", "/").status);
  engine.reset();
  firewall.iptables.helper = good;
  start();
  catch_up();
  STRCMP_EQUAL("ok", engine->health()["status"].get<std::string>().c_str());
}
