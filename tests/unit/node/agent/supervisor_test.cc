// SPDX-License-Identifier: Apache-2.0
#include "node/agent/supervisor.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"
#include "tests/unit/node/agent/fake_services.h"
#include "tests/unit/node/agent/rig.h"

using agent_test::Agent;
using agent_test::FakeServices;
using agent_test::free_port;
using agent_test::listen_on;
using agent_test::make_config;
using agent_test::Peers;
using agent_test::run_for;
using agent_test::run_until;
using node::agent::Config;
using node::agent::Wishes;
using node::api::InstanceId;
using node::api::InstanceState;
using std::chrono::milliseconds;

namespace {

std::uint64_t number(const std::vector<sys::UnitProperty>& properties, std::string_view name) {
  for (const sys::UnitProperty& each : properties) {
    if (each.name == name) return std::get<std::uint64_t>(each.value);
  }
  FAIL("the property was not set");
  return 0;
}

}  // namespace

TEST_GROUP(Supervisor) {
  TempFolder folder;
  Config config = make_config(folder);
  std::unique_ptr<sys::EventLoop> loop = agent_test::make_loop();
  sys::WorkerPool workers{{.threads = 2}};
  FakeServices services{*loop};
  Peers peers{*loop, workers, folder};
  std::unique_ptr<Agent> agent;
  std::shared_ptr<Wishes> wishes = std::make_shared<Wishes>();
  node::api::RunSpec spec;
  const std::uint16_t port = free_port();

  void setup() override {
    std::filesystem::create_directories(config.state_folder);
    spec.app = "/demo/job";
    spec.version = "v1";
    spec.kind = node::api::RunKind::process;
    spec.argv = {"/bin/true"};
    spec.ports = {{"", "tcp", 0}};
    peers.start();
    start_agent();
  }
  void start_agent() {
    agent = std::make_unique<Agent>(*loop, workers, services, peers, config);
    services.on_changed = [this](const std::string& unit) {
      agent->supervisor.on_unit_changed(unit);
    };
    run_until(*loop, [&] { return agent->netfw.is_connected() && agent->master.is_connected(); });
  }
  // As a kill -9 would, once what the test waited for is on disk: nothing is said or cleaned.
  void kill_agent() {
    bool flushed = false;
    agent->ledger->flush([&] { flushed = true; });
    run_until(*loop, [&] { return flushed; });
    services.on_changed = {};
    agent.reset();
  }
  void wish(const char* id, std::uint16_t at, std::int64_t epoch = 1) {
    const std::string digest(64, static_cast<char>('a' + wishes->specs.size()));
    wishes->specs[digest] = std::make_shared<const node::api::RunSpec>(spec);
    wishes->assignments.instances.push_back({InstanceId(id), digest, epoch, {at}});
  }
  void apply() {
    ++wishes->assignments.generation;
    agent->supervisor.set_wishes(std::make_shared<const Wishes>(*wishes));
  }
  void drop_all() {
    wishes = std::make_shared<Wishes>();
    apply();
  }
  bool is_in(const char* id, InstanceState state) {
    const auto* status = peers.last(id);
    return status != nullptr && status->state == state;
  }
  void wait_for(const char* id, InstanceState state) {
    run_until(*loop, [&] { return is_in(id, state); });
  }
};

TEST(Supervisor, a_wish_becomes_a_unit_and_a_report) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  CHECK(services.has_call("start gst-a-1.service"));
  LONGS_EQUAL(4711, peers.last("a")->pid);
  CHECK(peers.last("a")->ready);
  run_until(*loop, [&] { return peers.has_netfw_call("PUT a healthy " + std::to_string(port)); });
  CHECK(std::filesystem::is_directory(folder / "state/instances/a-1/sandbox"));
}

TEST(Supervisor, applying_the_same_wishes_again_does_nothing) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  const std::size_t calls = services.calls.size();
  apply();
  run_for(*loop, milliseconds(50));
  LONGS_EQUAL(calls, services.calls.size());
}

TEST(Supervisor, changed_limits_and_checks_reach_what_runs) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  const std::uint32_t pid = peers.last("a")->pid;
  spec.resources.memory_bytes = 64 << 20;
  spec.resources.cpus = 0.5;
  wish("a", port);
  wishes->assignments.instances.erase(wishes->assignments.instances.begin());
  services.sets_lost = 1;
  apply();
  // The first try is lost, the second is not.
  run_until(*loop, [&] {
    return std::count(services.calls.begin(), services.calls.end(), "set gst-a-1.service") == 2;
  });
  LONGS_EQUAL(64 << 20, number(services.last_properties, "MemoryMax"));
  LONGS_EQUAL(500'000, number(services.last_properties, "CPUQuotaPerSecUSec"));
  LONGS_EQUAL(0, number(services.last_properties, "MemorySwapMax"));
  // A check that fails: nothing listens there.
  node::api::HealthCheck check;
  check.protocol = node::api::CheckProtocol::tcp;
  check.interval = check.timeout = std::chrono::seconds(1);
  check.grace_period = check.delay = std::chrono::seconds(0);
  check.max_consecutive_failures = 1;
  spec.health_checks = {check};
  spec.resources = {};
  wish("a", port);
  wishes->assignments.instances.erase(wishes->assignments.instances.begin());
  apply();
  run_until(*loop, [&] { return peers.last("a")->healthy == std::optional(false); });
  CHECK(number(services.last_properties, "MemoryMax") == UINT64_MAX);
  LONGS_EQUAL(pid, peers.last("a")->pid);
  LONGS_EQUAL(1, std::count(services.calls.begin(), services.calls.end(), "start gst-a-1.service"));
  // An agent that comes after knows what was applied, and does it no second time.
  const auto calls = services.calls.size();
  kill_agent();
  start_agent();
  apply();
  run_until(*loop, [&] { return agent->supervisor.find(InstanceId("a")) != nullptr; });
  run_for(*loop, milliseconds(100));
  LONGS_EQUAL(0, std::count(services.calls.begin() + static_cast<std::ptrdiff_t>(calls),
                            services.calls.end(), "set gst-a-1.service"));
}

TEST(Supervisor, an_end_is_told_to_netfwd_and_masterd_with_its_status_and_cleaned_up) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  services.end("gst-a-1.service", CLD_EXITED, 7);
  wait_for("a", InstanceState::failed);
  LONGS_EQUAL(7, peers.last("a")->exit_status);
  run_until(*loop, [&] { return peers.has_netfw_call("DELETE a"); });
  run_until(*loop, [&] { return services.has_call("reset gst-a-1.service"); });
  run_until(*loop, [&] { return !std::filesystem::exists(folder / "run/instances/a-1"); });
}

TEST(Supervisor, how_it_ended_becomes_its_state) {
  const struct {
    int code;
    int status;
    InstanceState state;
    int signal;
  } cases[] = {{CLD_EXITED, 0, InstanceState::finished, 0},
               {CLD_EXITED, 1, InstanceState::failed, 0},
               {CLD_KILLED, SIGKILL, InstanceState::failed, SIGKILL},
               {CLD_KILLED, SIGTERM, InstanceState::failed, SIGTERM},
               {CLD_DUMPED, SIGSEGV, InstanceState::failed, SIGSEGV}};
  int number = 0;
  for (const auto& each : cases) {
    const std::string id = "i" + std::to_string(++number);
    wish(id.c_str(), free_port());
    apply();
    wait_for(id.c_str(), InstanceState::running);
    services.end("gst-" + id + "-1.service", each.code, each.status);
    wait_for(id.c_str(), each.state);
    LONGS_EQUAL(each.signal, peers.last(id)->signal);
  }
}

TEST(Supervisor, an_unwanted_instance_is_drained_then_stopped_and_forgotten) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  run_until(*loop, [&] { return peers.has_netfw_call("PUT a healthy " + std::to_string(port)); });
  drop_all();
  wait_for("a", InstanceState::killed);
  CHECK(peers.has_netfw_call("DRAIN a 5000"));
  CHECK(services.has_call("stop gst-a-1.service"));
  run_until(*loop, [&] { return agent->supervisor.instances().empty(); });
  run_until(*loop, [&] { return !std::filesystem::exists(folder / "state/instances/a-1"); });
}

TEST(Supervisor, a_failed_start_is_reported_with_its_reason) {
  services.start_error = "unit_start_failed";
  wish("a", port);
  apply();
  wait_for("a", InstanceState::failed);
  CHECK(peers.last("a")->message.find("the job failed") != std::string::npos);
}

TEST(Supervisor, a_port_that_is_taken_is_an_error_that_names_it) {
  wish("a", port);
  const sys::Fd taken = listen_on(port);
  apply();
  wait_for("a", InstanceState::error);
  CHECK(peers.last("a")->message.find(std::to_string(port)) != std::string::npos);
  CHECK_FALSE(services.has_call("start gst-a-1.service"));
}

TEST(Supervisor, an_assignment_without_its_spec_is_an_error) {
  wish("a", port);
  wishes->specs.clear();
  apply();
  wait_for("a", InstanceState::error);
}

TEST(Supervisor, a_restarted_agent_adopts_what_runs_and_starts_nothing_twice) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  kill_agent();
  services.calls.clear();
  peers.reports.clear();
  start_agent();
  CHECK(peers.reports[0].full);
  CHECK(is_in("a", InstanceState::running));
  apply();
  run_for(*loop, milliseconds(50));
  LONGS_EQUAL(0, services.calls.size());
}

TEST(Supervisor, an_end_while_the_agent_was_away_is_reported_afterwards) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  kill_agent();
  services.end("gst-a-1.service", CLD_EXITED, 3);
  peers.reports.clear();
  start_agent();
  wait_for("a", InstanceState::failed);
  LONGS_EQUAL(3, peers.last("a")->exit_status);
}

TEST(Supervisor, an_instance_whose_unit_vanished_is_lost) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  kill_agent();
  services.units.clear();
  start_agent();
  wait_for("a", InstanceState::lost);
}

TEST(Supervisor, units_that_nobody_wants_are_stopped_once_the_wishes_are_known) {
  kill_agent();
  services.add_running("gst-old-1.service");
  start_agent();
  run_for(*loop, milliseconds(50));
  CHECK_FALSE(services.has_call("stop gst-old-1.service"));
  apply();
  run_until(*loop, [&] { return services.has_call("stop gst-old-1.service"); });
}

TEST(Supervisor, a_wanted_unit_without_a_record_is_adopted) {
  kill_agent();
  services.add_running("gst-a-1.service", 99);
  start_agent();
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  LONGS_EQUAL(99, peers.last("a")->pid);
  CHECK_FALSE(services.has_call("start gst-a-1.service"));
}

TEST(Supervisor, a_stop_that_was_under_way_goes_on_after_a_restart_of_the_agent) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  services.stops_end_at_once = false;
  CHECK_OK(agent->supervisor.kill(InstanceId("a")));
  run_until(*loop, [&] { return services.has_call("stop gst-a-1.service"); });
  CHECK(is_in("a", InstanceState::killing));
  kill_agent();
  services.stops_end_at_once = true;
  services.calls.clear();
  start_agent();
  wait_for("a", InstanceState::killed);
  CHECK(services.has_call("stop gst-a-1.service"));
}

TEST(Supervisor, a_stop_that_systemd_did_not_take_is_asked_for_again) {
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  services.stops_lost = 2;
  CHECK_OK(agent->supervisor.kill(InstanceId("a")));
  wait_for("a", InstanceState::killed);
  LONGS_EQUAL(0, services.stops_lost);
}

TEST(Supervisor, a_stray_unit_that_systemd_did_not_stop_is_asked_for_again) {
  kill_agent();
  services.add_running("gst-x-1.service", 99);
  services.stops_lost = 2;
  start_agent();
  apply();
  run_until(*loop, [&] { return !services.units.contains("gst-x-1.service"); });
  LONGS_EQUAL(0, services.stops_lost);
}

TEST(Supervisor, healthy_is_reported_after_netfwd_agreed) {
  node::api::HealthCheck check;
  check.protocol = node::api::CheckProtocol::tcp;
  spec.health_checks = {check};
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  CHECK_FALSE(peers.last("a")->healthy.has_value());
  const sys::Fd listener = listen_on(port);
  run_until(*loop, [&] { return peers.last("a")->healthy == std::optional(true); });
  CHECK(peers.has_netfw_call("PUT a healthy " + std::to_string(port)));
  LONGS_EQUAL(1, peers.last("a")->health_results.size());
  CHECK(peers.last("a")->health_results[0].alive);
}

TEST(Supervisor, what_readiness_checks_got_is_reported_while_the_instance_runs) {
  node::api::ReadinessCheck check;
  check.name = "up";
  check.preserve_last_response = true;
  spec.readiness_checks = {check};
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  run_until(*loop, [&] {
    const auto& results = peers.last("a")->readiness_results;
    return !results.empty() && results[0].last_response.has_value();
  });
  const node::api::ReadinessResult result = peers.last("a")->readiness_results[0];
  STRCMP_EQUAL("up", result.name.c_str());
  LONGS_EQUAL(504, result.last_response->status);  // nobody listens
  CHECK_FALSE(peers.last("a")->ready);
  services.end("gst-a-1.service", CLD_EXITED, 0);
  wait_for("a", InstanceState::finished);
  CHECK(peers.last("a")->readiness_results.empty());
}

TEST(Supervisor, killing_what_is_not_there_or_has_ended_is_refused) {
  CHECK_ERROR(base::Code::not_found, "instance_unknown",
              agent->supervisor.kill(InstanceId("nobody")));
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  services.end("gst-a-1.service", CLD_EXITED, 0);
  wait_for("a", InstanceState::finished);
  CHECK_ERROR(base::Code::failed_precondition, "instance_ended",
              agent->supervisor.kill(InstanceId("a")));
}
