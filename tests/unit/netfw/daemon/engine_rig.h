// SPDX-License-Identifier: Apache-2.0
// An engine with a real HAProxy and a real packet filter in a network namespace of its own.
#pragma once

#include <CppUTest/TestHarness.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>

#include "netfw/daemon/engine.h"
#include "netfw/daemon/networks.h"
#include "tests/support/check_result.h"
#include "tests/unit/netfw/haproxy_fixture.h"
#include "tests/unit/netfw/netns.h"

namespace netfw_test {

using namespace netfw;
using namespace std::chrono_literals;

inline const char* const kServices = R"({"generation":7,"services":[{"id":"/demo/web",
  "labels":{"HAPROXY_GROUP":"external","HAPROXY_0_VHOST":"web.demo","HAPROXY_0_NONSENSE":"x"},
  "ports":[{"index":0,"service_port":10001,"protocol":"tcp"}]}]})";

inline Instance member(const std::string& id, std::uint16_t port,
                       InstanceState state = InstanceState::healthy) {
  return {InstanceId(id), ServiceId("/demo/web"),
          NodeName("n1"), *IpAddress::parse("127.0.0.1"),
          {port},         state};
}

// A member of group "external" has the service; see kServices.
class EngineRig : public Utest {
 public:
  OwnNetwork network;
  TempFolder folder;
  std::filesystem::path guardian = NETFWD;
  FirewallOptions firewall = {FirewallKind::iptables, {}};
  LbSkeleton skeleton;
  std::unique_ptr<Haproxy> haproxy;
  std::unique_ptr<Engine> engine;
  std::atomic<unsigned> wakes = 0;
  // What the kernel lists, as far as the engine is told.
  base::Result<Flows> flows = Flows{};

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
                        .guardian_program = guardian,
                        .find_flows = [this] { return flows; },
                        .clock = base::system_clock()};
    engine = UNWRAP(Engine::make(std::move(parts), {[this] { ++wakes; }, [](int) {}}));
  }
  void catch_up() {
    CHECK_TRUE(eventually([&] { return !engine->tick(); }));
  }
  Engine::ServicesReply put(const std::string& body) {
    ServiceSet set = UNWRAP(read_services(base::Json::parse(body)));
    return UNWRAP(engine->put_services(std::move(set), body));
  }
  Engine::ServicesReply put_services() { return put(kServices); }
  auto put_policy(const Policy& policy, std::optional<std::chrono::seconds> trial = {}) {
    return engine->put_policy(policy, trial, {"uid:0", "unix:uid=0,pid=1", "r1"});
  }
  // The policy on trial, whichever it is, from an SSH session with this other end.
  base::Result<void> confirm_policy(const std::string& client = "") {
    const base::Json policy = engine->policy();
    Engine::Confirmation confirmation;
    confirmation.trial =
        policy["on_trial"].get<bool>() ? policy["trial"]["id"].get<std::string>() : "none";
    if (!client.empty()) confirmation.connection = UNWRAP(parse_remote(client));
    return engine->confirm_policy(confirmation, {"uid:0", "unix:uid=0,pid=1", "r2"});
  }
  base::Result<void> rollback_policy() {
    return engine->rollback_policy({"uid:0", "unix:uid=0,pid=1", "r3"});
  }
  // As the kernel would list an SSH session from there.
  void open_ssh(const std::string& client) {
    flows->established.insert(
        Flow{UNWRAP(parse_remote("10.0.0.9:22")), UNWRAP(parse_remote(client))});
  }
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

}  // namespace netfw_test
