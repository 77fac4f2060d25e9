// SPDX-License-Identifier: Apache-2.0
#include "netfw/haproxy/runtime.h"

#include <CppUTest/TestHarness.h>

#include "tests/support/check_result.h"
#include "tests/unit/netfw/haproxy_fixture.h"

using namespace netfw;
using namespace netfw_test;
using namespace std::chrono_literals;

namespace {

const char* const kHaproxy = "/usr/sbin/haproxy";

Instance member(const std::string& id, std::uint16_t port) {
  return {InstanceId(id), ServiceId("/demo/web"), NodeName("n1"), *IpAddress::parse("127.0.0.1"),
          {port},         InstanceState::healthy};
}

}  // namespace

// clang-format off
TEST_GROUP(LbRuntime) {
  OwnNetwork network;
  TempFolder folder;
  LbSkeleton skeleton;
  std::vector<Service> services;
  std::map<InstanceId, Instance> instances;
  PoolAssignments assignments;
  LbLimits limits;
  std::unique_ptr<Haproxy> haproxy;
  std::unique_ptr<LbRuntime> runtime;

  void setup() override {
    skeleton.folder = folder.path();
    skeleton.admin_socket = folder.path() / "admin.sock";
    skeleton.bind_address = "127.0.0.1";
    skeleton.range_last = 10009;
    skeleton.connections_max = 500;
    skeleton.pools = count_pools({});
    limits.range_last = 10009;
    Service web{.id = ServiceId("/demo/web"), .group = "external"};
    web.ports = {{.index = 0, .service_port = 10001}};
    web.ports[0].vhosts = {*Vhost::parse("web.demo"), *Vhost::parse("*.wild.demo")};
    services = {web};
  }
  LbDesired desired() {
    LbDesired out = make_lb({services, instances, limits, {}}, assignments);
    assignments = out.assignments;
    return out;
  }
  void start(const LbState& state) {
    CHECK_OK(write_config(skeleton, state));
    haproxy = std::make_unique<Haproxy>(folder.path());
    runtime = std::make_unique<LbRuntime>(skeleton, folder.path() / "master.sock");
    if (!eventually([&] { return runtime->connect().has_value(); })) CHECK_OK(runtime->connect());
  }
  void reconcile() {
    for (const Step& step : plan_balance(desired().state, runtime->seen())) {
      CHECK_TRUE(eventually([&] {
        const auto done = runtime->execute(step);
        if (!done && done.error().reason != "haproxy_member_busy") CHECK_OK(done);
        return done.has_value();
      }));
    }
    CHECK_TRUE(plan_balance(desired().state, runtime->seen()).empty());
    CHECK_OK(runtime->read_back());
    CHECK_TRUE(plan_balance(desired().state, runtime->seen()).empty());
  }
};
// clang-format on

TEST(LbRuntime, a_new_application_is_served_by_host_and_by_port_without_a_reload) {
  start({});
  const long pid = runtime->pid();
  const EchoServer server(3001, "one");
  CHECK_EQUAL(0, http_get(10001, "x", "/").status);
  CHECK_EQUAL(503, http_get(80, "web.demo", "/").status);
  instances.emplace(InstanceId("i1"), member("i1", 3001));
  reconcile();
  STRCMP_EQUAL("one", http_get(80, "web.demo", "/").body.c_str());
  STRCMP_EQUAL("one", http_get(80, "WEB.demo:80", "/").body.c_str());
  STRCMP_EQUAL("one", http_get(80, "a.wild.demo", "/").body.c_str());
  STRCMP_EQUAL("one", http_get(10001, "whatever", "/").body.c_str());
  CHECK_EQUAL(503, http_get(80, "wild.demo", "/").status);
  CHECK_EQUAL(503, http_get(80, "a.b.wild.demo", "/").status);
  CliSession again = UNWRAP(CliSession::open(skeleton.admin_socket));
  CHECK_EQUAL(pid, UNWRAP(read_info(again)).pid);
  instances.clear();
  reconcile();
  CHECK_EQUAL(503, http_get(80, "web.demo", "/").status);
  services.clear();
  reconcile();
  CHECK_EQUAL(0, http_get(10001, "x", "/").status);
}

TEST(LbRuntime, the_longest_path_wins_and_a_path_does_not_hide_its_host) {
  Service api{.id = ServiceId("/demo/api"), .group = "external"};
  api.ports = {{.index = 0}};
  api.ports[0].vhosts = {*Vhost::parse("web.demo")};
  api.ports[0].paths = {*UrlPath::parse("/api")};
  services.push_back(api);
  instances.emplace(InstanceId("i1"), member("i1", 3001));
  Instance other = member("i2", 3002);
  other.service = api.id;
  instances.emplace(other.id, other);
  const EchoServer one(3001, "web");
  const EchoServer two(3002, "api");
  start(desired().state);
  STRCMP_EQUAL("api", http_get(80, "web.demo", "/api/x").body.c_str());
  STRCMP_EQUAL("web", http_get(80, "web.demo", "/x").body.c_str());
}

TEST(LbRuntime, the_file_alone_brings_everything_back) {
  instances.emplace(InstanceId("i1"), member("i1", 3001));
  const EchoServer server(3001, "one");
  start({});
  reconcile();
  CHECK_TRUE(UNWRAP(write_config(skeleton, desired().state)));
  CHECK_FALSE(UNWRAP(write_config(skeleton, desired().state)));
  haproxy->kill_hard();
  haproxy->start();
  CHECK_TRUE(eventually([&] { return http_get(80, "web.demo", "/").status == 200; }));
  CHECK_OK(runtime->connect());
  CHECK_TRUE(plan_balance(desired().state, runtime->seen()).empty());
}

TEST(LbRuntime, members_come_and_go_under_load_without_a_failed_request) {
  const EchoServer one(3001, "one");
  const EchoServer two(3002, "two");
  const EchoServer three(3003, "three");
  instances.emplace(InstanceId("i1"), member("i1", 3001));
  start({});
  reconcile();
  Load load(10001, "web.demo", 4);
  for (int round = 0; round < 20; ++round) {
    const std::string id = "n" + std::to_string(round);
    const std::uint16_t port = round % 2 == 0 ? 3002 : 3003;
    instances.emplace(InstanceId(id), member(id, port));
    reconcile();
    instances.at(InstanceId(id)).state = InstanceState::draining;
    reconcile();
    const PoolName pool = assignments.begin()->second;
    const auto name =
        ServerName::make(InstanceId(id), 0, {Transport::tcp, *IpAddress::parse("127.0.0.1"), port});
    CHECK_TRUE(eventually([&] { return UNWRAP(runtime->sessions(pool)).at(name) == 0; }));
    instances.erase(InstanceId(id));
    reconcile();
  }
  load.stop();
  CHECK_TRUE(two.served() + three.served() > 0);
  CHECK_TRUE(load.requests() > 100);
  CHECK_EQUAL(0, load.failures());
}

TEST(LbRuntime, a_reload_for_more_pools_and_ports_loses_no_request_and_keeps_the_members) {
  const EchoServer one(3001, "one");
  instances.emplace(InstanceId("i1"), member("i1", 3001));
  start({});
  reconcile();
  Load load(10001, "web.demo", 2);
  LbSkeleton more = skeleton;
  more.extra_ports = {31000};
  more.pools[PoolKind{}] = 64;
  CHECK_OK(write_config(more, desired().state));
  CHECK_OK(runtime->reload(more, kHaproxy, 10s));
  CHECK_TRUE(plan_balance(desired().state, runtime->seen()).empty());
  load.stop();
  CHECK_EQUAL(0, load.failures());
  services[0].ports[0].service_port = 31000;
  reconcile();
  STRCMP_EQUAL("one", http_get(31000, "x", "/").body.c_str());
}

TEST(LbRuntime, a_configuration_that_haproxy_refuses_is_not_loaded) {
  start({});
  const long pid = runtime->pid();
  LbSkeleton bad = skeleton;
  bad.bind_address = "not.an.address.invalid";
  CHECK_OK(write_config(bad, {}));
  CHECK_ERROR(base::Code::invalid_argument, "haproxy_config_refused",
              runtime->reload(bad, kHaproxy, 10s));
  CHECK_EQUAL(pid, runtime->pid());
}

TEST(LbRuntime, every_kind_of_pool_serves) {
  const EchoServer one(3001, "one");
  instances.emplace(InstanceId("i1"), member("i1", 3001));
  start({});
  for (const PoolKind kind : all_pool_kinds()) {
    services[0].ports[0].mode = kind.mode;
    services[0].ports[0].balance = kind.balance;
    services[0].ports[0].sticky = kind.sticky;
    reconcile();
    STRCMP_EQUAL("one", http_get(10001, "x", "/").body.c_str());
  }
}

TEST(LbRuntime, a_broken_session_is_reported_and_reopened) {
  start({});
  haproxy->kill_hard();
  instances.emplace(InstanceId("i1"), member("i1", 3001));
  const std::vector<Step> steps = plan_balance(desired().state, runtime->seen());
  CHECK_ERROR(base::Code::unavailable, "haproxy_unreachable", runtime->execute(steps[0]));
  CHECK_FALSE(runtime->is_connected());
  CHECK_ERROR(base::Code::unavailable, "haproxy_unreachable", runtime->connect());
  haproxy->start();
  CHECK_TRUE(eventually([&] { return runtime->connect().has_value(); }));
  reconcile();
}
