// SPDX-License-Identifier: Apache-2.0
#include "common/sys/bus.h"

#include <signal.h>

#include "tests/support/check_result.h"
#include "tests/unit/common/sys/fake_systemd.h"

using namespace std::chrono_literals;
using base::Code;

TEST_GROUP(Bus) {
  FakeSystemd systemd;
  std::unique_ptr<sys::EventLoop> loop;
  std::unique_ptr<sys::ServiceManager> manager;
  sys::WatchHandle guard;
  bool timed_out = false;
  std::vector<std::string> changed;
  int reconnects = 0;

  void setup() override {
    loop = UNWRAP(sys::EventLoop::make());
    manager = UNWRAP(sys::ServiceManager::make(
        *loop, "gestalt-",
        {.on_unit_changed = [this](const std::string& unit) { changed.push_back(unit); },
         .on_reconnect =
             [this] {
               ++reconnects;
               loop->stop();
             }},
        systemd.address()));
    guard = loop->after(10s, [this] {
      timed_out = true;
      loop->stop();
    });
  }

  void run_loop() {
    CHECK_OK(loop->run());
    CHECK_FALSE(timed_out);
  }

  // Runs the loop until the call has answered.
  template <class T, class Call>
  base::Result<T> wait(Call call) {
    std::optional<base::Result<T>> answer;
    call([&](base::Result<T> result) {
      CHECK_TRUE(loop->is_loop_thread());
      answer.emplace(std::move(result));
      loop->stop();
    });
    CHECK_FALSE(answer.has_value());
    run_loop();
    return *std::move(answer);
  }
  base::Result<void> start(const std::string& unit,
                           const std::vector<sys::UnitProperty>& properties = {}) {
    return wait<void>(
        [&](auto done) { manager->start_transient(unit, properties, std::move(done)); });
  }
  base::Result<void> stop(const std::string& unit) {
    return wait<void>([&](auto done) { manager->stop(unit, std::move(done)); });
  }
};

TEST(Bus, every_kind_of_property_has_its_type_on_the_wire) {
  CHECK_OK(
      start("gestalt-a.service",
            {{"ExecStart", std::vector<std::vector<std::string>>{{"/bin/x", "-a", "b c"}, {"/y"}}},
             {"Environment", std::vector<std::string>{"A=b", "C="}},
             {"MemoryMax", std::uint64_t{1} << 40},
             {"Slice", std::string("gestalt.slice")},
             {"RemainAfterExit", true},
             {"UMask", std::uint32_t{63}},
             {"OOMScoreAdjust", std::int32_t{-5}},
             {"Empty", std::vector<std::string>{}}}));
  STRCMP_EQUAL(
      "StartTransientUnit gestalt-a.service fail"
      " ExecStart=a(sasb):[(/bin/x,[/bin/x,-a,b c],false),(/y,[/y],false)]"
      " Environment=as:[A=b,C=] MemoryMax=t:1099511627776 Slice=s:gestalt.slice"
      " RemainAfterExit=b:true UMask=u:63 OOMScoreAdjust=i:-5 Empty=as:[]",
      systemd.calls().back().c_str());
}

TEST(Bus, a_unit_that_is_there_already_is_not_started_again) {
  CHECK_OK(start("gestalt-a.service"));
  CHECK_ERROR(Code::already_exists, "unit_exists", start("gestalt-a.service"));
}

TEST(Bus, a_start_ends_as_its_job_does) {
  systemd.set_job_result("timeout");
  const auto result = start("gestalt-a.service");
  CHECK_ERROR(Code::internal, "unit_start_failed", result);
  STRCMP_EQUAL("the job for gestalt-a.service ended as timeout", result.error().detail.c_str());
}

TEST(Bus, properties_that_cannot_be_sent_are_refused) {
  CHECK_ERROR(Code::invalid_argument, "unit_invalid",
              start("gestalt-a.service", {{"Slice", std::string("a\0b", 3)}}));
  CHECK_ERROR(Code::invalid_argument, "unit_invalid",
              start("gestalt-a.service", {{"Environment", std::vector<std::string>{"A=\xff"}}}));
  CHECK_ERROR(
      Code::invalid_argument, "unit_invalid",
      start("gestalt-a.service", {{"ExecStart", std::vector<std::vector<std::string>>{{}}}}));
  CHECK_OK(wait<std::vector<sys::UnitStatus>>([&](auto done) { manager->list("*", done); }));
  LONGS_EQUAL(2, systemd.calls().size());  // Subscribe and the list
}

TEST(Bus, stopping_and_resetting_what_is_not_there_is_no_error_and_the_rest_is) {
  CHECK_OK(start("gestalt-a.service"));
  CHECK_OK(stop("gestalt-a.service"));
  CHECK_OK(stop("gestalt-a.service"));
  STRCMP_EQUAL("StopUnit gestalt-a.service replace", systemd.calls().back().c_str());
  CHECK_OK(wait<void>([&](auto done) { manager->reset_failed("gestalt-a.service", done); }));
  STRCMP_EQUAL("ResetFailedUnit gestalt-a.service", systemd.calls().back().c_str());
  CHECK_ERROR(Code::not_found, "unit_unknown",
              wait<void>([&](auto done) { manager->kill("gestalt-a.service", SIGTERM, done); }));
  CHECK_ERROR(Code::not_found, "unit_unknown",
              wait<void>([&](auto done) { manager->restart("haproxy.service", done); }));
}

TEST(Bus, kill_set_properties_and_the_jobs_reach_systemd_as_asked) {
  CHECK_OK(start("gestalt-a.service"));
  CHECK_OK(wait<void>([&](auto done) { manager->kill("gestalt-a.service", SIGUSR1, done); }));
  STRCMP_EQUAL("KillUnit gestalt-a.service all 10", systemd.calls().back().c_str());
  CHECK_OK(wait<void>([&](auto done) {
    manager->set_properties("gestalt-a.service", {{"TasksMax", std::uint64_t{7}}}, done);
  }));
  STRCMP_EQUAL("SetUnitProperties gestalt-a.service 1 TasksMax=t:7",
               systemd.calls().back().c_str());
  CHECK_OK(wait<void>([&](auto done) { manager->start("gestalt-a.service", done); }));
  CHECK_OK(wait<void>([&](auto done) { manager->restart("gestalt-a.service", done); }));
  CHECK_OK(wait<void>([&](auto done) { manager->reload("gestalt-a.service", done); }));
  STRCMP_EQUAL("ReloadUnit gestalt-a.service replace", systemd.calls().back().c_str());
}

TEST(Bus, lists_units_by_a_glob) {
  CHECK_OK(start("gestalt-a.service"));
  CHECK_OK(start("gestalt-b.service"));
  const auto units = UNWRAP(wait<std::vector<sys::UnitStatus>>(
      [&](auto done) { manager->list("gestalt-*.service", done); }));
  STRCMP_EQUAL("ListUnitsByPatterns [] [gestalt-*.service]", systemd.calls().back().c_str());
  LONGS_EQUAL(2, units.size());
  STRCMP_EQUAL("gestalt-b.service", units[1].name.c_str());
  STRCMP_EQUAL("loaded", units[1].load_state.c_str());
  STRCMP_EQUAL("active", units[1].active_state.c_str());
  STRCMP_EQUAL("running", units[1].sub_state.c_str());
}

TEST(Bus, a_services_state_comes_whole_from_one_answer) {
  const std::string unit = "gestalt-app@x-1.2_ü.service";
  CHECK_OK(start(unit));
  const auto state =
      UNWRAP(wait<sys::ServiceState>([&](auto done) { manager->get_service(unit, done); }));
  STRCMP_EQUAL(unit.c_str(), state.unit.name.c_str());
  STRCMP_EQUAL("active", state.unit.active_state.c_str());
  LONGS_EQUAL(4711, state.main_pid);
  LONGS_EQUAL(9, state.exec_main_status);
  LONGS_EQUAL(CLD_KILLED, state.exec_main_code);
  STRCMP_EQUAL("signal", state.result.c_str());
  STRCMP_EQUAL("/x.slice/y", state.control_group.c_str());
  CHECK_ERROR(Code::not_found, "unit_unknown", wait<sys::ServiceState>([&](auto done) {
                manager->get_service("gestalt-none.service", done);
              }));
}

TEST(Bus, only_changes_of_watched_units_are_reported_and_each_once_a_turn) {
  CHECK_OK(start("other.service"));
  CHECK_OK(start("gestalt-a.service"));
  CHECK_OK(stop("gestalt-a.service"));
  const auto settle = loop->after(50ms, [&] { loop->stop(); });
  run_loop();
  CHECK_TRUE(changed.size() >= 2 && changed.size() <= 3);
  for (const std::string& unit : changed) STRCMP_EQUAL("gestalt-a.service", unit.c_str());
}

TEST(Bus, a_lost_bus_ends_calls_with_an_error_and_is_found_again) {
  CHECK_OK(start("gestalt-a.service"));
  systemd.stop_bus();
  CHECK_ERROR(Code::unavailable, "", start("gestalt-b.service"));
  CHECK_ERROR(Code::unavailable, "", stop("gestalt-a.service"));
  systemd.start_bus();
  run_loop();  // until on_reconnect
  LONGS_EQUAL(1, reconnects);
  CHECK_OK(start("gestalt-c.service"));
}

TEST(Bus, many_calls_may_be_under_way) {
  int good = 0;
  for (int i = 0; i < 100; ++i) {
    manager->start_transient("gestalt-" + std::to_string(i) + ".service", {}, [&](auto result) {
      if (result && ++good == 100) loop->stop();
    });
  }
  run_loop();
  LONGS_EQUAL(100, good);
}

TEST(Bus, going_away_with_calls_under_way_is_silent) {
  manager->stop("gestalt-a.service", [](auto) { FAIL("not after the end"); });
  manager.reset();
  const auto settle = loop->after(20ms, [&] { loop->stop(); });
  run_loop();
}

TEST(Bus, without_a_bus_there_is_no_manager) {
  CHECK_ERROR(Code::unavailable, "bus_unreachable",
              sys::ServiceManager::make(*loop, "gestalt-", {}, "unix:path=/nonexistent/bus"));
}
