// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/guardian.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/sys/process.h"

namespace netfw {
namespace {

constexpr int kGuardianFd = 3;
constexpr std::chrono::milliseconds kAnswerDeadline{5000};
constexpr std::chrono::milliseconds kRestoreDeadline{30000};
constexpr std::chrono::milliseconds kEndDeadline{35000};  // longer than a restore may take
constexpr std::size_t kMessageMax = 256 << 10;
constexpr char kArmed = 'A';
constexpr char kConfirmed = 'C';
constexpr char kReleased = 'c';
constexpr char kRestored = 'R';

base::Result<pid_t> spawn(const std::string& program, int socket) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, socket, kGuardianFd);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  // A group of its own: a signal to the daemon's group must not end it.
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::string name = program;
  std::string flag = kGuardianFlag;
  char* argv[] = {name.data(), flag.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, argv, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return base::os_error(error, "start the guardian");
  return pid;
}

// Whether there is something to read, or an end, before the time is over.
bool wait_readable(int fd, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  for (;;) {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (rest.count() <= 0) return false;
    pollfd wait = {fd, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(rest.count()));
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0;
  }
}

// One byte, or 0 at the end of the connection or of the time.
char wait_byte(int fd, std::chrono::milliseconds deadline) {
  char byte = 0;
  if (!wait_readable(fd, deadline)) return 0;
  return recv(fd, &byte, 1, 0) == 1 ? byte : '\0';
}

struct Order {
  Policy policy;
  std::chrono::milliseconds deadline{};
  FirewallOptions firewall;
};

base::Result<Order> receive_order() {
  std::string text(kMessageMax, '\0');
  const ssize_t got = recv(kGuardianFd, text.data(), text.size(), 0);
  if (got <= 0) return base::os_error(EIO, "no order");
  text.resize(static_cast<std::size_t>(got));
  const base::Json json = TRY(base::parse_json(text));
  base::Fields fields(json);
  std::int64_t deadline_ms = 0;
  std::string helper;
  std::string lock_file;
  std::string backend;
  fields.required("deadline_ms", deadline_ms, {.min = 1});
  fields.required("helper", helper);
  fields.required("lock_file", lock_file);
  fields.required("backend", backend);
  const base::Json* const policy = fields.find_object("policy");
  TRY(fields.finish(base::UnknownFields::refuse));
  if (policy == nullptr) return base::os_error(EINVAL, "no policy");
  return Order{
      TRY(read_policy(*policy)),
      std::chrono::milliseconds(deadline_ms),
      {.kind = TRY(parse_kind(backend)), .iptables = {.helper = helper, .lock_file = lock_file}}};
}

base::Result<void> restore(const Order& order) {
  if (order.firewall.kind == FirewallKind::off) return {};
  auto backend = TRY(make_firewall(order.firewall));
  TRY(backend->apply(compile_policy(order.policy), Scope::policy_sets, kRestoreDeadline));
  return {};
}

}  // namespace

base::Result<Guardian> Guardian::arm(const std::filesystem::path& program, const Policy& old,
                                     std::chrono::seconds deadline,
                                     const FirewallOptions& firewall) {
  int pair[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return base::os_error(errno, "socketpair");
  }
  sys::Fd ours(pair[0]);
  const sys::Fd theirs(pair[1]);
  const int size = static_cast<int>(kMessageMax);
  setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  Guardian out(std::move(ours), TRY(spawn(program.string(), theirs.get())));
  const base::Json order = {
      {"policy", write_policy(old)},
      {"deadline_ms", std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count()},
      {"backend", kind_name(firewall.kind)},
      {"helper", firewall.iptables.helper.string()},
      {"lock_file", firewall.iptables.lock_file.string()}};
  const std::string text = base::dump_json(order);
  const bool sent = send(out.socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                    static_cast<ssize_t>(text.size());
  if (!sent || wait_byte(out.socket_.get(), kAnswerDeadline) != kArmed) {
    kill(out.pid_, SIGKILL);
    return base::Error{.code = base::Code::failed_precondition,
                       .detail = "the guardian does not stand by, so the policy is not changed",
                       .reason = "guardian_not_armed"};
  }
  return out;
}

Guardian::Guardian(Guardian&& other) noexcept
    : socket_(std::move(other.socket_)), pid_(std::exchange(other.pid_, -1)) {}

Guardian& Guardian::operator=(Guardian&& other) noexcept {
  if (this != &other) {
    reap();
    socket_ = std::move(other.socket_);
    pid_ = std::exchange(other.pid_, -1);
  }
  return *this;
}

Guardian::~Guardian() { reap(); }

void Guardian::reap() {
  socket_.reset();
  if (pid_ < 0) return;
  // After the end of the connection it restores, which takes milliseconds, and ends; one that
  // somebody has stopped does neither, and the caller must not wait for it with what it holds.
  auto ended = sys::open_pidfd(pid_);
  if (ended && !wait_readable(ended->get(), kEndDeadline)) kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

base::Result<void> Guardian::release() {
  const char word = kConfirmed;
  const bool sent = send(socket_.get(), &word, 1, MSG_NOSIGNAL) == 1;
  if (sent && wait_byte(socket_.get(), kAnswerDeadline) == kReleased) return {};
  return base::Error{.code = base::Code::failed_precondition,
                     .detail = "the guardian had ended already: the old policy is in force",
                     .reason = "guardian_gone"};
}

int guardian_main() {
  const auto order = receive_order();
  if (!order) return EXIT_FAILURE;
  send(kGuardianFd, &kArmed, 1, MSG_NOSIGNAL);
  if (wait_byte(kGuardianFd, order->deadline) == kConfirmed) {
    send(kGuardianFd, &kReleased, 1, MSG_NOSIGNAL);
    return EXIT_SUCCESS;
  }
  // Told first, so that the daemon does not take the restore for somebody's meddling and undo it.
  send(kGuardianFd, &kRestored, 1, MSG_NOSIGNAL);
  const auto done = restore(*order);
  if (!done) {
    base::log::failure("NETFW_RESTORE_FAILED", "the old policy could not be put back", {},
                       done.error());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace netfw
