// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/engine.h"

#include <CppUTest/TestHarness.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/sys/tls.h"
#include "netfw/daemon/balancer.h"
#include "netfw/daemon/guardian.h"
#include "netfw/daemon/networks.h"
#include "netfw/daemon/state_store.h"
#include "tests/support/check_result.h"
#include "tests/unit/netfw/haproxy_fixture.h"
#include "tests/unit/netfw/netns.h"

using namespace netfw;
using namespace netfw_test;
using namespace std::chrono_literals;

namespace {

const char* const kServices = R"({"generation":7,"services":[{"id":"/demo/web",
  "labels":{"HAPROXY_GROUP":"external","HAPROXY_0_VHOST":"web.demo","HAPROXY_0_NONSENSE":"x"},
  "ports":[{"index":0,"service_port":10001,"protocol":"tcp"}]}]})";

Instance member(const std::string& id, std::uint16_t port,
                InstanceState state = InstanceState::healthy) {
  return {InstanceId(id), ServiceId("/demo/web"),
          NodeName("n1"), *IpAddress::parse("127.0.0.1"),
          {port},         state};
}

}  // namespace

// clang-format off
TEST_GROUP(Engine) {
  OwnNetwork network;
  TempFolder folder;
  FirewallOptions firewall = {FirewallKind::iptables, {}};
  LbSkeleton skeleton;
  std::unique_ptr<Haproxy> haproxy;
  std::unique_ptr<Engine> engine;
  std::atomic<unsigned> wakes = 0;

  void setup() override {
    firewall.iptables = {NETFW_IPTC_HELPER, folder.path() / "xtables.lock"};
    skeleton.folder = folder.path();
    skeleton.admin_socket = folder.path() / "admin.sock";
    skeleton.certificate_folder = folder.path() / "served";
    skeleton.bind_address = "127.0.0.1";
    skeleton.range_last = 10009;
    skeleton.connections_max = 500;
    start();
    haproxy = std::make_unique<Haproxy>(folder.path());
    catch_up();
  }
  void start(std::function<std::vector<IpNet>()> find_networks = {}) {
    Engine::Parts parts{.store = UNWRAP(StateStore::open(folder.path() / "state")),
                        .firewall = UNWRAP(make_firewall(firewall)),
                        .balancer = std::make_unique<Balancer>(Balancer::Options{
                            skeleton, folder.path() / "master.sock", "/usr/sbin/haproxy"}),
                        .certificates = std::make_unique<CertificateFolder>(
                            folder.path() / "certificates", skeleton),
                        .limits = {.range_last = 10009},
                        .first_policy = default_policy(),
                        .find_networks = std::move(find_networks),
                        .guardian_firewall = firewall,
                        .guardian_program = NETFWD,
                        .clock = base::system_clock()};
    engine = UNWRAP(Engine::make(std::move(parts), {[this] { ++wakes; }, [](int) {}}));
  }
  void catch_up() { CHECK_TRUE(eventually([&] { return !engine->tick(); })); }
  Engine::ServicesReply put(const std::string& body) {
    ServiceSet set = UNWRAP(read_services(base::Json::parse(body)));
    return UNWRAP(engine->put_services(std::move(set), body));
  }
  Engine::ServicesReply put_services() { return put(kServices); }
  std::set<std::string> set_members(const std::string& set) {
    const base::Json json = engine->firewall();
    std::set<std::string> out;
    for (const base::Json& item : json["sets"][set]) out.insert(item.dump());
    return out;
  }
  FirewallSets kernel() {
    auto backend = UNWRAP(make_firewall(firewall));
    return UNWRAP(backend->read_sets());
  }
};
// clang-format on

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

TEST(Engine, a_certificate_that_is_put_into_the_folder_is_served_and_redirected_to) {
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

TEST(Engine, the_networks_of_the_node_manage_until_somebody_puts_a_policy) {
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
  CHECK_OK(engine->put_policy(policy, std::nullopt));
  run_tool({"/sbin/ip", "link", "set", "node0", "up"});
  engine->tick();
  CHECK_TRUE(managing() == std::set<IpNet>{policy.management[0]});
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

TEST(Engine, draining_waits_for_the_request_under_way) {
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

TEST(Engine, haproxy_comes_back_right_after_a_kill) {
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

TEST(Engine, what_others_change_is_put_back) {
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  run_tool({"/usr/sbin/iptables-legacy", "-F", "INPUT"});
  run_tool({"/usr/sbin/ipset", "flush", "gestalt4-instances"});
  engine->tick();
  CHECK_TRUE(run_tool({"/usr/sbin/iptables-legacy", "-S", "INPUT"}).find("GESTALT-IN") !=
             std::string::npos);
  CHECK_EQUAL(1, kernel().instances.size());
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

TEST(Engine, a_policy_on_trial_goes_back_by_itself) {
  Policy policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(engine->put_policy(policy, 1s));
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
  CHECK_ERROR(base::Code::failed_precondition, "policy_trial_pending",
              engine->put_policy(policy, 1s));
  CHECK_TRUE(eventually([&] { return kernel().ports[SetId::public_tcp].contains(443); }));
  CHECK_TRUE(eventually([&] {
    engine->tick();
    return !engine->policy()["on_trial"].get<bool>();
  }));
  CHECK_ERROR(base::Code::failed_precondition, "policy_no_trial", engine->confirm_policy());
  CHECK_EQUAL(2, engine->policy()["public_tcp"].size());
}

TEST(Engine, nf_tables_does_the_same) {
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  engine.reset();
  firewall.kind = FirewallKind::nftables;
  start();
  CHECK_TRUE(run_tool({"/usr/sbin/iptables-legacy", "-S"}).find("GESTALT") == std::string::npos);
  STRCMP_EQUAL("nftables", engine->status()["firewall"]["backend"].get<std::string>().c_str());
  CHECK_EQUAL(1, kernel().instances.size());
  CHECK_TRUE(kernel().ports[SetId::service_tcp].contains(10001));
  CHECK_OK(engine->put_instance(member("i2", 3002)));
  CHECK_EQUAL(2, kernel().instances.size());
  run_tool({"/usr/sbin/nft", "flush", "ruleset"});
  engine->tick();
  CHECK_EQUAL(2, kernel().instances.size());
  // The guardian puts back what is in nf_tables.
  Policy policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(engine->put_policy(policy, 30s));
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
  engine.reset();
  CHECK_TRUE(kernel().ports[SetId::public_tcp].contains(443));
  CHECK_EQUAL(2, kernel().instances.size());
  start();
  CHECK_OK(engine->put_policy(policy, 30s));
  CHECK_OK(engine->confirm_policy());
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
  CHECK_OK(engine->remove_instance(InstanceId("i1")));
  CHECK_OK(engine->remove_instance(InstanceId("i2")));
  CHECK_FALSE(kernel().ports[SetId::service_tcp].contains(10001));
}

TEST(Engine, a_confirmed_policy_stays_also_in_the_next_life) {
  Policy policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(engine->put_policy(policy, 30s));
  CHECK_OK(engine->confirm_policy());
  engine.reset();
  start();
  CHECK_EQUAL(1, engine->policy()["public_tcp"].size());
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
}

TEST(Engine, the_death_of_the_daemon_ends_a_trial) {
  Policy policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(engine->put_policy(policy, 30s));
  engine.reset();  // the connection to the guardian ends as it does with the process
  CHECK_TRUE(kernel().ports[SetId::public_tcp].contains(443));
  start();
  CHECK_EQUAL(2, engine->policy()["public_tcp"].size());
}

TEST(Engine, a_policy_that_locks_out_or_whose_guardian_is_missing_changes_nothing) {
  Policy policy = default_policy();
  policy.management.clear();
  CHECK_ERROR(base::Code::failed_precondition, "policy_locks_out",
              engine->put_policy(policy, std::nullopt));
  policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(engine->put_policy(policy, 30s));
  CHECK_OK(engine->rollback_policy());
  CHECK_TRUE(kernel().ports[SetId::public_tcp].contains(443));
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
