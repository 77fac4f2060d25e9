// SPDX-License-Identifier: Apache-2.0
#include "common/sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "common/base/clock.h"
#include "common/base/config.h"
#include "common/base/text.h"
#include "tests/support/check_result.h"
#include "tests/unit/common/sys/scratch.h"

using namespace std::chrono_literals;
using base::Code;

namespace {

sys::Command shell(std::string script) {
  sys::Command command;
  command.argv = {"/bin/sh", "-c", std::move(script)};
  return command;
}

}  // namespace

TEST_GROUP(Process){};

TEST(Process, gives_status_and_both_outputs) {
  const sys::Exit exit = UNWRAP(sys::run(shell("echo out; echo err >&2; exit 3")));
  LONGS_EQUAL(3, exit.status);
  STRCMP_EQUAL("out\n", exit.out.c_str());
  STRCMP_EQUAL("err\n", exit.err.c_str());
}

TEST(Process, a_signal_shows_as_128_and_its_number) {
  LONGS_EQUAL(128 + SIGTERM, UNWRAP(sys::run(shell("kill -TERM $$"))).status);
}

TEST(Process, the_environment_is_the_given_one_and_two_more) {
  ::setenv("GESTALT_TEST_LEAK", "1", 1);
  sys::Command command;
  command.argv = {"/usr/bin/env"};
  command.environment = {{"A", "b=c"}};
  const std::string out = UNWRAP(sys::run_checked(command));
  ::unsetenv("GESTALT_TEST_LEAK");
  STRCMP_EQUAL(
      "A=b=c\nLC_ALL=C.UTF-8\n"
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
      out.c_str());
}

TEST(Process, arguments_reach_the_child_as_they_are) {
  sys::Command command;
  command.argv = {"/usr/bin/printf", "%s|", "a b", "$(x)", "", "'\";"};
  STRCMP_EQUAL("a b|$(x)||'\";|", UNWRAP(sys::run_checked(command)).c_str());
}

TEST(Process, malformed_commands_are_refused) {
  const std::vector<std::vector<std::string>> bad = {
      {}, {""}, {"true"}, {"./true"}, {"/bin/true", std::string("a\0b", 3)}};
  for (const auto& argv : bad) {
    sys::Command command;
    command.argv = argv;
    CHECK_ERROR(Code::invalid_argument, "command_invalid", sys::run(command));
  }
  sys::Command command;
  command.argv = {"/bin/true"};
  command.environment = {{"A=B", "c"}};
  CHECK_ERROR(Code::invalid_argument, "command_invalid", sys::run(command));
}

TEST(Process, a_program_that_is_not_there_is_an_os_error) {
  sys::Command command;
  command.argv = {"/nonexistent/program"};
  CHECK_ERROR(Code::not_found, "os_not_found", sys::run(command));
}

TEST(Process, input_arrives_whole_and_an_unread_one_does_no_harm) {
  sys::Command command;
  command.argv = {"/usr/bin/wc", "-c"};
  command.input = std::string(3 << 20, 'x');
  STRCMP_EQUAL("3145728\n", UNWRAP(sys::run_checked(command)).c_str());
  command.argv = {"/bin/true"};
  LONGS_EQUAL(0, UNWRAP(sys::run(command)).status);
  command.argv = {"/bin/cat"};
  command.input = "";
  STRCMP_EQUAL("", UNWRAP(sys::run_checked(command)).c_str());
}

TEST(Process, output_beyond_the_limit_is_dropped_and_the_child_goes_on) {
  sys::Command command = shell("head -c 3000000 /dev/zero; echo done >&2");
  command.output_max = 1000;
  const sys::Exit exit = UNWRAP(sys::run(command));
  LONGS_EQUAL(0, exit.status);
  LONGS_EQUAL(1000, exit.out.size());
  STRCMP_EQUAL("done\n", exit.err.c_str());
}

TEST(Process, output_is_streamed_when_asked_for) {
  std::size_t seen = 0;
  int chunks = 0;
  sys::Command command = shell("head -c 3000000 /dev/zero");
  command.on_output = [&](std::string_view chunk) {
    seen += chunk.size();
    ++chunks;
  };
  const sys::Exit exit = UNWRAP(sys::run(command));
  LONGS_EQUAL(3000000, seen);
  CHECK_TRUE(chunks > 1);
  LONGS_EQUAL(0, exit.out.size());
}

TEST(Process, the_deadline_kills_the_whole_group) {
  const Scratch scratch;
  const std::string pid_file = (scratch / "pid").string();
  sys::Command command = shell("sleep 1000 & echo $! > " + pid_file + "; wait");
  command.deadline = 300ms;
  const base::Instant start = base::system_clock().now();
  CHECK_ERROR(Code::timed_out, "command_timed_out", sys::run(command));
  CHECK_TRUE(base::system_clock().now() - start < 5s);
  const std::string text = UNWRAP(base::read_file(pid_file));
  const auto pid = UNWRAP(base::parse_int(base::trim(text), 2, 1 << 30));
  // A signal is on its way when kill(2) returns. The grandchild has ended before we look, or its
  // descriptor says so; whoever adopts orphans here reaps it.
  const auto orphan = sys::open_pidfd(static_cast<pid_t>(pid));
  if (!orphan) {
    LONGS_EQUAL(ESRCH, orphan.error().os_errno);
    return;
  }
  pollfd ended = {orphan->get(), POLLIN, 0};
  LONGS_EQUAL(1, ::poll(&ended, 1, 5000));
}

TEST(Process, a_child_that_never_stops_writing_meets_its_deadline) {
  sys::Command command;
  command.argv = {"/usr/bin/yes"};
  command.deadline = 200ms;
  CHECK_ERROR(Code::timed_out, "command_timed_out", sys::run(command));
}

TEST(Process, a_grandchild_that_keeps_the_pipe_does_not_hold_us_up) {
  sys::Command command = shell("sleep 2 & echo started");
  const base::Instant start = base::system_clock().now();
  STRCMP_EQUAL("started\n", UNWRAP(sys::run_checked(command)).c_str());
  CHECK_TRUE(base::system_clock().now() - start < 1500ms);
}

TEST(Process, the_child_gets_three_descriptors_and_clean_signals) {
  const sys::Fd leak(::open("/dev/null", O_RDONLY));  // deliberately without O_CLOEXEC
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  LONGS_EQUAL(0, pthread_sigmask(SIG_BLOCK, &set, nullptr));
  sys::Command command;
  command.argv = {"/bin/ls", "/proc/self/fd"};
  const std::string fds = UNWRAP(sys::run_checked(command));
  // ls itself opens the folder as the fourth.
  STRCMP_EQUAL("0\n1\n2\n3\n", fds.c_str());
  command.argv = {"/bin/grep", "SigBlk", "/proc/self/status"};
  const std::string blocked = UNWRAP(sys::run_checked(command));
  LONGS_EQUAL(0, pthread_sigmask(SIG_UNBLOCK, &set, nullptr));
  STRCMP_EQUAL("SigBlk:\t0000000000000000\n", blocked.c_str());
}

TEST(Process, run_checked_tells_the_last_of_stderr) {
  const auto result = sys::run_checked(shell("echo 'table full' >&2; exit 4"));
  CHECK_ERROR(Code::internal, "command_failed", result);
  STRCMP_EQUAL("/bin/sh ended with status 4: table full", result.error().detail.c_str());
}

TEST(Process, a_pidfd_of_nobody_is_an_error) {
  const auto result = sys::open_pidfd(1 << 22);
  CHECK_ERROR(Code::internal, "os_error", result);
  LONGS_EQUAL(ESRCH, result.error().os_errno);
}
