// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "node/agent/master_link.h"
#include "node/agent/netfw_link.h"
#include "tests/support/check_result.h"
#include "tests/unit/node/agent/peers.h"

using agent_test::Peers;
using agent_test::run_for;
using agent_test::run_until;
using node::agent::Exposure;
using node::agent::MasterLink;
using node::agent::NetfwInstance;
using node::agent::NetfwLink;
using node::api::InstanceId;
using std::chrono::milliseconds;

TEST_GROUP(Links) {
  TempFolder folder;
  std::unique_ptr<sys::EventLoop> loop = agent_test::make_loop();
  sys::WorkerPool workers{{.threads = 1}};
  std::unique_ptr<sys::AsyncHttp> http = agent_test::make_http(*loop);
  Peers peers{*loop, workers, folder};
  NetfwLink netfw{{*loop, *http, peers.netfw_socket(), "n1"}};
  std::map<InstanceId, node::api::InstanceStatus> known;
  MasterLink master{{*loop, *http, peers.master_socket(), "n1", "boot-1",
                     [this] {
                       std::vector<node::api::InstanceStatus> out;
                       for (const auto& [id, status] : known) out.push_back(status);
                       return out;
                     },
                     [this](const InstanceId& id) -> std::optional<node::api::InstanceStatus> {
                       if (!known.contains(id)) return std::nullopt;
                       return known[id];
                     }}};

  NetfwInstance instance(Exposure exposure) { return {"/demo/web", "10.0.0.2", {3001}, exposure}; }
  void know(const char* id) { known[InstanceId(id)].id = InstanceId(id); }
};

TEST(Links, netfwd_hears_the_whole_truth_first_and_changes_afterwards) {
  peers.start();
  netfw.set(InstanceId("a"), instance(Exposure::healthy));
  netfw.start();
  run_until(*loop, [&] { return netfw.is_connected(); });
  CHECK(peers.has_netfw_call("ALL a=healthy"));
  bool agreed = false;
  netfw.set(InstanceId("b"), instance(Exposure::starting), [&] { agreed = true; });
  run_until(*loop, [&] { return agreed; });
  CHECK(peers.has_netfw_call("PUT b starting 3001"));
  LONGS_EQUAL(2, peers.netfw_calls.size());
}

TEST(Links, saying_the_same_again_sends_nothing) {
  peers.start();
  netfw.start();
  run_until(*loop, [&] { return netfw.is_connected(); });
  int agreed = 0;
  netfw.set(InstanceId("b"), instance(Exposure::healthy), [&] { ++agreed; });
  run_until(*loop, [&] { return agreed == 1; });
  netfw.set(InstanceId("b"), instance(Exposure::healthy), [&] { ++agreed; });
  run_until(*loop, [&] { return agreed == 2; });
  LONGS_EQUAL(2, peers.netfw_calls.size());
}

TEST(Links, only_the_newest_state_follows_a_call_that_is_under_way) {
  peers.start();
  netfw.start();
  run_until(*loop, [&] { return netfw.is_connected(); });
  netfw.set(InstanceId("b"), instance(Exposure::starting));
  netfw.set(InstanceId("b"), instance(Exposure::unhealthy));
  bool agreed = false;
  netfw.set(InstanceId("b"), instance(Exposure::healthy), [&] { agreed = true; });
  run_until(*loop, [&] { return agreed; });
  CHECK_FALSE(peers.has_netfw_call("PUT b unhealthy 3001"));
  STRCMP_EQUAL("PUT b healthy 3001", peers.netfw_calls.back().c_str());
}

TEST(Links, a_removed_instance_is_deleted) {
  peers.start();
  netfw.set(InstanceId("a"), instance(Exposure::healthy));
  netfw.start();
  run_until(*loop, [&] { return netfw.is_connected(); });
  netfw.remove(InstanceId("a"));
  run_until(*loop, [&] { return peers.has_netfw_call("DELETE a"); });
}

TEST(Links, nobody_waits_for_a_netfwd_that_is_away_and_it_hears_all_when_it_is_back) {
  netfw.start();
  bool released = false;
  netfw.set(InstanceId("a"), instance(Exposure::healthy), [&] { released = true; });
  netfw.set(InstanceId("b"), instance(Exposure::healthy));
  netfw.remove(InstanceId("b"));
  bool drained = false;
  netfw.drain(InstanceId("a"), milliseconds(5000), [&] { drained = true; });
  run_until(*loop, [&] { return released && drained; });
  peers.start();
  run_until(*loop, [&] { return netfw.is_connected(); });
  STRCMP_EQUAL("ALL a=healthy", peers.netfw_calls[0].c_str());
}

TEST(Links, a_netfwd_that_refuses_gets_the_whole_truth_again) {
  peers.start();
  netfw.start();
  run_until(*loop, [&] { return netfw.is_connected(); });
  peers.netfw_status = 503;
  bool released = false;
  netfw.set(InstanceId("a"), instance(Exposure::healthy), [&] { released = true; });
  run_until(*loop, [&] { return released; });
  CHECK_FALSE(netfw.is_connected());
  peers.netfw_status = 200;
  run_until(*loop, [&] { return netfw.is_connected(); });
  STRCMP_EQUAL("ALL a=healthy", peers.netfw_calls.back().c_str());
}

TEST(Links, draining_passes_the_deadline_on_and_waits_for_the_answer) {
  peers.start();
  netfw.set(InstanceId("a"), instance(Exposure::healthy));
  netfw.start();
  run_until(*loop, [&] { return netfw.is_connected(); });
  bool drained = false;
  netfw.drain(InstanceId("a"), milliseconds(1500), [&] { drained = true; });
  run_until(*loop, [&] { return drained; });
  CHECK(peers.has_netfw_call("DRAIN a 1500"));
}

TEST(Links, the_first_report_is_full_and_later_ones_name_what_changed) {
  peers.start();
  know("a");
  know("b");
  master.start();
  run_until(*loop, [&] { return peers.reports.size() == 1; });
  CHECK(peers.reports[0].full);
  LONGS_EQUAL(2, peers.reports[0].instances.size());
  run_until(*loop, [&] { return master.is_connected(); });
  master.changed(InstanceId("b"));
  run_until(*loop, [&] { return peers.reports.size() == 2; });
  CHECK_FALSE(peers.reports[1].full);
  LONGS_EQUAL(1, peers.reports[1].instances.size());
  LONGS_EQUAL(peers.reports[0].sequence + 1, peers.reports[1].sequence);
  STRCMP_EQUAL("boot-1", peers.reports[1].boot.c_str());
}

TEST(Links, changes_during_a_report_go_into_one_that_follows) {
  peers.start();
  know("a");
  know("b");
  master.start();
  for (int i = 0; i < 10; ++i) {
    master.changed(InstanceId("a"));
    master.changed(InstanceId("b"));
  }
  run_until(*loop, [&] { return peers.reports.size() == 2; });
  run_for(*loop, milliseconds(50));
  LONGS_EQUAL(2, peers.reports.size());
  LONGS_EQUAL(2, peers.reports[1].instances.size());
}

TEST(Links, a_masterd_that_missed_something_hears_everything_at_once) {
  peers.start();
  know("a");
  know("b");
  master.start();
  run_until(*loop, [&] { return master.is_connected(); });
  peers.master_status = 409;
  master.changed(InstanceId("a"));
  run_until(*loop, [&] { return peers.reports.size() >= 3; });
  CHECK_FALSE(peers.reports[1].full);
  CHECK(peers.reports[2].full);
  peers.master_status = 200;
  run_until(*loop, [&] { return master.is_connected(); });
}

TEST(Links, reports_wait_for_a_masterd_that_is_away) {
  know("a");
  master.start();
  run_for(*loop, milliseconds(30));
  CHECK_FALSE(master.is_connected());
  peers.start();
  run_until(*loop, [&] { return master.is_connected(); });
  CHECK(peers.reports[0].full);
}
