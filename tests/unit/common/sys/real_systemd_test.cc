// SPDX-License-Identifier: Apache-2.0
// Runs inside a node of the test bed (add_suite's ON_NODE): the service manager and the
// journal against the real ones.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/bus.h"
#include "common/sys/files.h"
#include "common/sys/journal.h"
#include "common/sys/process.h"
#include "tests/support/check_result.h"

using namespace std::chrono_literals;
using base::Code;

namespace {

std::string memory_max_of(const std::string& unit) {
  sys::Command command;
  command.argv = {"/bin/systemctl", "show", "--value", "-p", "MemoryMax", unit};
  return std::string(base::trim(UNWRAP(sys::run_checked(command))));
}

std::vector<sys::UnitProperty> program(std::string script) {
  return {
      {"ExecStart", std::vector<std::vector<std::string>>{{"/bin/sh", "-c", std::move(script)}}},
      {"Environment", std::vector<std::string>{"GREETING=good day"}},
      {"MemoryMax", std::uint64_t{64} << 20},
      {"TasksMax", std::uint64_t{20}},
      {"CPUQuotaPerSecUSec", std::uint64_t{500000}},
      {"KillMode", std::string("control-group")},
      {"TimeoutStopUSec", std::uint64_t{2000000}},
      {"OOMScoreAdjust", std::int32_t{100}},
      {"CollectMode", std::string("inactive")}};
}

}  // namespace

TEST_GROUP(RealSystemd) {
  std::unique_ptr<sys::EventLoop> loop;
  std::unique_ptr<sys::ServiceManager> manager;
  sys::WatchHandle guard;
  bool timed_out = false;
  int reconnects = 0;
  std::string unit = "gestalt-test-" + base::system_rng().uuid() + ".service";
  std::function<void(const std::string&)> on_changed;

  void setup() override {
    loop = UNWRAP(sys::EventLoop::make());
    manager = UNWRAP(sys::ServiceManager::make(*loop, "gestalt-test-",
                                               {.on_unit_changed =
                                                    [this](const std::string& name) {
                                                      if (on_changed) on_changed(name);
                                                    },
                                                .on_reconnect =
                                                    [this] {
                                                      ++reconnects;
                                                      loop->stop();
                                                    }}));
    guard = loop->after(20s, [this] {
      timed_out = true;
      loop->stop();
    });
  }
  void run_loop() {
    CHECK_OK(loop->run());
    CHECK_FALSE(timed_out);
  }
  template <class T, class Call>
  base::Result<T> wait(Call call) {
    std::optional<base::Result<T>> answer;
    call([&](base::Result<T> result) {
      answer.emplace(std::move(result));
      loop->stop();
    });
    while (!answer) run_loop();
    return *std::move(answer);
  }
  base::Result<void> start(const std::vector<sys::UnitProperty>& properties) {
    return wait<void>([&](auto done) { manager->start_transient(unit, properties, done); });
  }
  base::Result<void> stop() {
    return wait<void>([&](auto done) { manager->stop(unit, done); });
  }
  base::Result<sys::ServiceState> look() {
    return wait<sys::ServiceState>([&](auto done) { manager->get_service(unit, done); });
  }
  // Until the unit is in none of the states of something that runs.
  sys::ServiceState wait_for_end() {
    on_changed = [this](const std::string&) { loop->stop(); };
    while (true) {
      auto state = UNWRAP(look());
      if (state.unit.active_state == "failed" || state.unit.active_state == "inactive")
        return state;
      run_loop();
    }
  }
};

TEST(RealSystemd, a_unit_starts_with_its_limits_runs_and_stops) {
  CHECK_OK(start(program("exec sleep 1000")));
  CHECK_ERROR(Code::already_exists, "unit_exists", start(program("true")));
  auto state = UNWRAP(look());
  STRCMP_EQUAL(unit.c_str(), state.unit.name.c_str());
  STRCMP_EQUAL("active", state.unit.active_state.c_str());
  STRCMP_EQUAL("running", state.unit.sub_state.c_str());
  CHECK_TRUE(state.main_pid > 1);
  CHECK_TRUE(state.control_group.ends_with(unit));
  STRCMP_EQUAL("67108864", memory_max_of(unit).c_str());
  CHECK_OK(wait<void>([&](auto done) {
    manager->set_properties(unit, {{"MemoryMax", std::uint64_t{32} << 20}}, done);
  }));
  STRCMP_EQUAL("33554432", memory_max_of(unit).c_str());
  const auto units = UNWRAP(wait<std::vector<sys::UnitStatus>>(
      [&](auto done) { manager->list("gestalt-test-*.service", done); }));
  LONGS_EQUAL(1, units.size());
  CHECK_OK(stop());
  CHECK_ERROR(Code::not_found, "unit_unknown", look());
  CHECK_OK(stop());
}

TEST(RealSystemd, an_end_is_noticed_and_says_how_it_came) {
  CHECK_OK(start(program("sleep 0.2; exit 7")));
  auto state = wait_for_end();
  STRCMP_EQUAL("failed", state.unit.active_state.c_str());
  STRCMP_EQUAL("exit-code", state.result.c_str());
  LONGS_EQUAL(CLD_EXITED, state.exec_main_code);
  LONGS_EQUAL(7, state.exec_main_status);
  CHECK_OK(wait<void>([&](auto done) { manager->reset_failed(unit, done); }));
  CHECK_ERROR(Code::not_found, "unit_unknown", look());
  CHECK_OK(wait<void>([&](auto done) { manager->reset_failed(unit, done); }));
}

TEST(RealSystemd, a_signal_reaches_every_process) {
  CHECK_OK(start(program("sleep 1000 & exec sleep 1000")));
  CHECK_OK(wait<void>([&](auto done) { manager->kill(unit, SIGKILL, done); }));
  const auto state = wait_for_end();
  STRCMP_EQUAL("signal", state.result.c_str());
  LONGS_EQUAL(SIGKILL, state.exec_main_status);
  CHECK_OK(wait<void>([&](auto done) { manager->reset_failed(unit, done); }));
}

TEST(RealSystemd, what_systemd_refuses_is_an_error) {
  auto properties = program("true");
  properties.push_back({"NoSuchProperty", std::string("x")});
  CHECK_FALSE(start(properties).has_value());
  const auto result = wait<void>([&](auto done) { manager->start("none.service", done); });
  CHECK_ERROR(Code::not_found, "unit_unknown", result);
  CHECK_ERROR(Code::not_found, "unit_unknown",
              wait<void>([&](auto done) { manager->kill(unit, SIGTERM, done); }));
  CHECK_ERROR(Code::not_found, "unit_unknown", look());
}

TEST(RealSystemd, a_program_that_cannot_be_executed_ends_the_unit) {
  // Type=exec makes the start job wait for the execve.
  CHECK_ERROR(Code::internal, "unit_start_failed",
              start({{"ExecStart", std::vector<std::vector<std::string>>{{"/nonexistent"}}},
                     {"Type", std::string("exec")}}));
  STRCMP_EQUAL("exit-code", UNWRAP(look()).result.c_str());
  CHECK_OK(wait<void>([&](auto done) { manager->reset_failed(unit, done); }));
}

TEST(RealSystemd, a_manager_that_executes_itself_anew_is_found_again) {
  CHECK_OK(start(program("exec sleep 1000")));
  sys::Command command;
  command.argv = {"/bin/systemctl", "daemon-reexec"};
  CHECK_OK(sys::run_checked(command));
  while (reconnects == 0) run_loop();
  STRCMP_EQUAL("running", UNWRAP(look()).unit.sub_state.c_str());
  CHECK_OK(stop());
}

TEST(RealSystemd, the_journal_gives_a_units_lines_and_follows) {
  LONGS_EQUAL(0, ::mkfifo("/run/gestalt-fifo", 0600));
  CHECK_OK(start(
      program("echo one; echo \"$GREETING\"; echo three; read x < /run/gestalt-fifo; echo four")));
  auto reader = UNWRAP(sys::JournalReader::open({.unit = unit}));
  std::vector<std::string> lines;
  std::string cursor;
  std::size_t wanted = 3;
  const auto take = [&] {
    while (true) {
      const auto more = UNWRAP(reader->read(2));
      for (const auto& line : more) {
        lines.push_back(line.message);
        cursor = line.cursor;
        CHECK_TRUE(line.realtime_us > 0);
      }
      if (more.empty()) break;
    }
    if (lines.size() >= wanted) loop->stop();
  };
  const auto watch = UNWRAP(loop->watch_fd(reader->fd(), EPOLLIN, [&](std::uint32_t) { take(); }));
  loop->post(take);
  run_loop();
  STRCMP_EQUAL("one|good day|three", base::join(lines, "|").c_str());
  const std::string third = cursor;
  wanted = 4;
  // The writer's open() waits for the reader's, and we for the writer.
  sys::Command command;
  command.argv = {"/bin/sh", "-c", "echo > /run/gestalt-fifo"};
  CHECK_OK(sys::run_checked(command));
  run_loop();
  STRCMP_EQUAL("four", lines.back().c_str());
  auto last = UNWRAP(sys::JournalReader::open({.unit = unit, .last = 2}));
  const auto two = UNWRAP(last->read(10));
  LONGS_EQUAL(2, two.size());
  STRCMP_EQUAL("three", two[0].message.c_str());
  auto after = UNWRAP(sys::JournalReader::open({.unit = unit, .after = third}));
  const auto one = UNWRAP(after->read(10));
  LONGS_EQUAL(1, one.size());
  STRCMP_EQUAL("four", one[0].message.c_str());
  LONGS_EQUAL(0, UNWRAP(after->read(10)).size());
  auto none = UNWRAP(sys::JournalReader::open({.unit = unit, .last = 0}));
  LONGS_EQUAL(0, UNWRAP(none->read(10)).size());
  CHECK_ERROR(Code::invalid_argument, "journal_cursor_invalid",
              sys::JournalReader::open({.unit = unit, .after = "nonsense"}));
}

TEST(RealSystemd, our_records_reach_the_journal_with_their_fields) {
  const std::string token = base::system_rng().uuid();
  sys::journal_sink(base::log::Level::warning, "TEST_EVENT", "two\nlines", {{"app_id", token}});
  sys::Command command;
  command.argv = {"/bin/journalctl", "--sync"};
  CHECK_OK(sys::run_checked(command));
  command.argv = {"/bin/journalctl", "-o", "json", "APP_ID=" + token};
  const std::string found = UNWRAP(sys::run_checked(command));
  for (const char* part : {"\"EVENT\":\"TEST_EVENT\"", "\"PRIORITY\":\"4\"", "two\\nlines"}) {
    CHECK_TRUE(found.find(part) != found.npos);
  }
}
