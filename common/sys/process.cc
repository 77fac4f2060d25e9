// SPDX-License-Identifier: Apache-2.0
#include "common/sys/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "common/base/check.h"
#include "common/base/clock.h"

namespace sys {

namespace {

constexpr std::size_t kChunkBytes = 16 << 10;
// Chunks taken before the clock is looked at again: a child that never stops writing cannot hide
// its deadline.
constexpr int kChunksPerTurn = 64;
constexpr std::chrono::milliseconds kDeadlineMax = std::chrono::hours(24 * 365);
constexpr std::size_t kErrorTailBytes = 1000;
constexpr std::string_view kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

using FileActions = Handle<posix_spawn_file_actions_t, posix_spawn_file_actions_destroy>;
using Attributes = Handle<posix_spawnattr_t, posix_spawnattr_destroy>;

struct Pipe {
  Fd read;
  Fd write;
};

base::Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::os_error(errno, "create a pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// The input goes through a file in memory: nothing has to be written while the child runs, and a
// child that does not read cannot hold us up.
base::Result<Fd> make_input(const std::string& input) {
  if (input.empty()) {
    Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null.is_open()) return base::os_error(errno, "open /dev/null");
    return null;
  }
  Fd file(::memfd_create("stdin", MFD_CLOEXEC));
  if (!file.is_open()) return base::os_error(errno, "create the child's input");
  std::size_t done = 0;
  while (done < input.size()) {
    const ssize_t written = ::write(file.get(), input.data() + done, input.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::os_error(errno, "write the child's input");
    done += static_cast<std::size_t>(written);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return base::os_error(errno, "rewind the input");
  return file;
}

base::Error invalid(std::string detail) {
  return {base::Code::invalid_argument, std::move(detail), "command_invalid"};
}

bool holds_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

base::Result<void> check_command(const Command& command) {
  if (command.argv.empty() || command.argv[0].empty() || command.argv[0][0] != '/') {
    return invalid("a command starts with an absolute path");
  }
  for (const std::string& argument : command.argv) {
    if (holds_nul(argument)) return invalid("an argument holds a NUL byte");
  }
  for (const auto& [name, value] : command.environment) {
    if (name.empty() || name.find('=') != std::string::npos || holds_nul(name) ||
        holds_nul(value)) {
      return invalid("the environment variable '" + name + "' is malformed");
    }
  }
  return {};
}

std::vector<std::string> environment_of(const Command& command) {
  std::map<std::string, std::string> all = command.environment;
  all.try_emplace("PATH", kPath);
  all.try_emplace("LC_ALL", "C.UTF-8");
  std::vector<std::string> lines;
  for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  // posix_spawn takes char* const[] for historical reasons and does not write.
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

struct Child {
  pid_t pid = -1;
  Fd pidfd;
  Fd out;
  Fd err;
};

// Ends the child's process group and reaps the child, for every way out before its end.
void kill_and_reap(pid_t pid) {
  ::kill(-pid, SIGKILL);  // an empty group is fine: the child has ended then
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 && errno == EINTR) {
  }
}

// A new process group, no blocked or ignored signals, and no descriptors but the three given.
base::Result<pid_t> spawn(const Command& command, int in, int out, int err) {
  posix_spawn_file_actions_t actions_storage;
  posix_spawnattr_t attributes_storage;
  CHECK_THAT(posix_spawn_file_actions_init(&actions_storage) == 0);
  const FileActions actions(&actions_storage);
  CHECK_THAT(posix_spawnattr_init(&attributes_storage) == 0);
  const Attributes attributes(&attributes_storage);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  // These record what to do and can only run out of memory.
  CHECK_THAT(posix_spawn_file_actions_adddup2(actions.get(), in, STDIN_FILENO) == 0);
  CHECK_THAT(posix_spawn_file_actions_adddup2(actions.get(), out, STDOUT_FILENO) == 0);
  CHECK_THAT(posix_spawn_file_actions_adddup2(actions.get(), err, STDERR_FILENO) == 0);
  CHECK_THAT(posix_spawn_file_actions_addclosefrom_np(actions.get(), STDERR_FILENO + 1) == 0);
  CHECK_THAT(posix_spawnattr_setpgroup(attributes.get(), 0) == 0);
  CHECK_THAT(posix_spawnattr_setsigmask(attributes.get(), &none) == 0);
  CHECK_THAT(posix_spawnattr_setsigdefault(attributes.get(), &all) == 0);
  CHECK_THAT(posix_spawnattr_setflags(attributes.get(), POSIX_SPAWN_SETPGROUP |
                                                            POSIX_SPAWN_SETSIGMASK |
                                                            POSIX_SPAWN_SETSIGDEF) == 0);
  const std::vector<std::string> environment = environment_of(command);
  const std::vector<char*> argv = pointers_to(command.argv);
  const std::vector<char*> envp = pointers_to(environment);
  pid_t pid = -1;
  const int failure = ::posix_spawn(&pid, command.argv[0].c_str(), actions.get(), attributes.get(),
                                    argv.data(), envp.data());
  if (failure != 0) return base::os_error(failure, "start " + command.argv[0]);
  return pid;
}

base::Result<Child> start(const Command& command) {
  TRY(check_command(command));
  const Fd in = TRY(make_input(command.input));
  Pipe out = TRY(make_pipe());
  Pipe err = TRY(make_pipe());
  Child child;
  child.pid = TRY(spawn(command, in.get(), out.write.get(), err.write.get()));
  base::Result<Fd> pidfd = open_pidfd(child.pid);
  if (!pidfd) {
    kill_and_reap(child.pid);
    return std::move(pidfd).error();
  }
  child.pidfd = *std::move(pidfd);
  child.out = std::move(out.read);
  child.err = std::move(err.read);
  ::fcntl(child.out.get(), F_SETFL, O_NONBLOCK);  // cannot fail on a pipe of ours
  ::fcntl(child.err.get(), F_SETFL, O_NONBLOCK);
  return child;
}

// Takes what is in the pipe now; closes it at its end.
void drain(Fd& pipe, std::string& kept, std::size_t kept_max,
           const std::function<void(std::string_view)>& on_output) {
  std::array<char, kChunkBytes> buffer;
  for (int turn = 0; turn < kChunksPerTurn; ++turn) {
    const ssize_t got = ::read(pipe.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      pipe.reset();
      return;
    }
    const std::string_view chunk(buffer.data(), static_cast<std::size_t>(got));
    if (on_output)
      on_output(chunk);
    else
      kept.append(chunk.substr(0, kept_max - kept.size()));
  }
}

// Reads until the child has ended; false when the deadline comes first. Output of processes that
// outlive the child is not waited for.
base::Result<bool> read_to_end(const Command& command, Child& child, Exit& exit) {
  base::Clock& clock = base::system_clock();
  const base::Instant end = clock.now() + std::min(command.deadline, kDeadlineMax);
  bool ended = false;
  while (!ended) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock.now());
    if (left.count() <= 0) return false;
    // poll skips negative descriptors: pipes that have ended.
    std::array<pollfd, 3> fds{{{child.pidfd.get(), POLLIN, 0},
                               {child.out.get(), POLLIN, 0},
                               {child.err.get(), POLLIN, 0}}};
    const int timeout = static_cast<int>(std::min<std::int64_t>(left.count(), 1 << 30));
    if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) {
      return base::os_error(errno, "wait for " + command.argv[0]);
    }
    ended = fds[0].revents != 0;
    if (child.out.is_open() && (ended || fds[1].revents != 0)) {
      drain(child.out, exit.out, command.output_max, command.on_output);
    }
    if (child.err.is_open() && (ended || fds[2].revents != 0)) {
      drain(child.err, exit.err, command.output_max, {});
    }
  }
  return true;
}

}  // namespace

base::Result<Fd> open_pidfd(pid_t pid) {
  // glibc has a wrapper since 2.36 only. The kernel sets close-on-exec.
  const long number = ::syscall(SYS_pidfd_open, pid, 0);
  if (number < 0) return base::os_error(errno, "open process " + std::to_string(pid));
  return Fd(static_cast<int>(number));
}

base::Result<Exit> run(const Command& command) {
  Child child = TRY(start(command));
  Exit exit;
  const base::Result<bool> ended = read_to_end(command, child, exit);
  if (!ended || !*ended) {
    kill_and_reap(child.pid);
    if (!ended) return ended.error();
    return base::Error{base::Code::timed_out,
                       command.argv[0] + " did not end within " +
                           std::to_string(command.deadline.count()) + " ms and was killed",
                       "command_timed_out"};
  }
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED) != 0) {
    if (errno != EINTR) return base::os_error(errno, "reap " + command.argv[0]);
  }
  exit.status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
  return exit;
}

base::Result<std::string> run_checked(const Command& command) {
  Exit exit = TRY(run(command));
  if (exit.status == 0) return std::move(exit.out);
  std::string_view tail = exit.err;
  if (tail.size() > kErrorTailBytes) tail.remove_prefix(tail.size() - kErrorTailBytes);
  while (!tail.empty() && (tail.back() == '\n' || tail.back() == ' ')) tail.remove_suffix(1);
  return base::Error{base::Code::internal,
                     command.argv[0] + " ended with status " + std::to_string(exit.status) +
                         (tail.empty() ? "" : ": " + std::string(tail)),
                     "command_failed"};
}

}  // namespace sys
