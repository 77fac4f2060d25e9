// SPDX-License-Identifier: Apache-2.0
// gestalt-dfs-mount: one mounted volume.
#include <netdb.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "common/base/log.h"
#include "common/rest/notify.h"
#include "common/sys/journal.h"
#include "common/sys/loop_timers.h"
#include "common/sys/tcp_net.h"
#include "dfs/api/introduction.h"
#include "dfs/fuse/command_line.h"

namespace {

using base::Code;
using base::Error;
using base::Result;
using dfs::Nothing;

// In the order they end.
constexpr int kStopSeconds = 60;

std::int64_t wall_clock() {
  timespec now{};
  CHECK_THAT(::clock_gettime(CLOCK_REALTIME, &now) == 0);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

Result<std::vector<base::Endpoint>> resolve(const std::vector<dfs::fuse::Server>& servers) {
  std::vector<base::Endpoint> endpoints;
  std::string last;
  for (const dfs::fuse::Server& server : servers) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = ::getaddrinfo(server.host.c_str(), nullptr, &hints, &found);
    if (status != 0) {
      last = server.host + ": " + ::gai_strerror(status);
      continue;
    }
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0)
      endpoints.push_back({text.data(), server.port});
    ::freeaddrinfo(found);
  }
  // One that is known is enough to begin.
  if (endpoints.empty())
    return Error{Code::unavailable, "no metadata server has an address: " + last,
                 "mount_server_unknown"};
  return endpoints;
}

// Goes on in a child, which says through a pipe how the start went.
class Background {
 public:
  // In the parent it returns only when fork failed.
  Result<void> enter() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return base::os_error(errno, "make a pipe");
    const pid_t child = ::fork();
    if (child < 0) return base::os_error(errno, "go to the background");
    if (child > 0) {
      ::close(ends[1]);
      char status = 1;
      if (::read(ends[0], &status, 1) != 1) status = 1;
      // Not exit(): what the child inherited is the child's.
      ::_exit(status);
    }
    ::close(ends[0]);
    to_parent_ = ends[1];
    ::setsid();
    return {};
  }
  void report(char status) {
    if (to_parent_ < 0) return;
    if (::write(to_parent_, &status, 1) != 1) std::perror("tell the parent");
    ::close(std::exchange(to_parent_, -1));
    // Whoever reads our output waits for its end.
    if (status == 0 && (std::freopen("/dev/null", "r", stdin) == nullptr ||
                        std::freopen("/dev/null", "w", stdout) == nullptr ||
                        std::freopen("/dev/null", "w", stderr) == nullptr))
      std::abort();
  }

 private:
  int to_parent_ = -1;
};

class Program {
 public:
  Program(sys::EventLoop& loop, const dfs::fuse::CommandLine& line, Background& background)
      : loop_(loop),
        line_(line),
        background_(background),
        timers_(loop),
        net_(dfs::introduce_links(sys::make_tcp_net(loop),
                                  base::system_rng().below(UINT64_MAX) + 1)),
        mount_(std::make_unique<dfs::fuse::Mount>(loop, line.mount)) {}

  Result<void> start() {
    dfs::client::Options options;
    options.servers = TRY(resolve(line_.servers));
    options.volume = line_.volume;
    options.epoch = line_.epoch;
    options.takeover = line_.takeover ? dfs::Takeover::exclusive : dfs::Takeover::none;
    options.read_only = line_.mount.read_only;
    options.wall = wall_clock;
    if (line_.inodes_max > 0) options.inodes_max = line_.inodes_max;
    if (line_.dirty_mib > 0) options.data.dirty_max = line_.dirty_mib << 20;
    std::array<char, HOST_NAME_MAX + 1> host{};
    if (::gethostname(host.data(), host.size() - 1) == 0) options.host = host.data();
    client_ = std::make_unique<dfs::client::Client>(*net_, timers_, base::system_rng(), *mount_,
                                                    std::move(options));
    for (const int signal : {SIGTERM, SIGINT})
      signals_.push_back(TRY(loop_.on_signal(signal, [this] { end(); })));
    client_->start([this](const Result<Nothing>& started) { on_started(started); });
    return {};
  }
  int status() const { return status_; }

 private:
  void on_started(const Result<Nothing>& started) {
    if (!started) return fail(started.error());
    const Result<void> mounted = mount_->start(*client_, [this] { on_unmounted(); });
    if (!mounted) return fail(mounted.error());
    base::log::info("DFS_MOUNTED", "the volume is mounted",
                    {{"volume", line_.volume},
                     {"folder", line_.mount.folder},
                     {"epoch", std::to_string(client_->epoch())}});
    const Result<void> told = rest::notify_systemd("READY=1");
    if (!told) base::log::warning("DAEMON_NOTIFY_FAILED", "going on", {}, told.error());
    background_.report(0);
  }

  void fail(const Error& error) {
    base::log::failure("DFS_MOUNT_FAILED", "the volume was not mounted", {{"volume", line_.volume}},
                       error);
    status_ = 1;
    background_.report(1);
    loop_.stop();
  }

  void end() {
    const Result<void> unmounted = mount_->unmount();
    if (!unmounted)
      base::log::warning("DFS_UNMOUNT_FAILED", "trying to go on", {}, unmounted.error());
    if (!mount_->is_mounted()) on_unmounted();
  }

  void on_unmounted() {
    if (std::exchange(is_ending_, true)) return;
    late_ = loop_.after(std::chrono::seconds(kStopSeconds), [this] {
      base::log::failure("DFS_FLUSH_FAILED", "changes could not be made durable before the end", {},
                         Error{Code::timed_out, "no answer", "call_timed_out"});
      status_ = 1;
      loop_.stop();
    });
    client_->stop([this](const Result<Nothing>& stopped) {
      if (!stopped) {
        base::log::failure("DFS_FLUSH_FAILED", "changes could not be made durable before the end",
                           {}, stopped.error());
        status_ = 1;
      } else {
        base::log::info("DFS_UNMOUNTED", "the volume is unmounted", {{"volume", line_.volume}});
      }
      loop_.stop();
    });
  }

  sys::EventLoop& loop_;
  const dfs::fuse::CommandLine& line_;
  Background& background_;
  sys::LoopTimers timers_;
  std::unique_ptr<base::Net> net_;
  std::unique_ptr<dfs::fuse::Mount> mount_;
  std::unique_ptr<dfs::client::Client> client_;
  std::vector<sys::WatchHandle> signals_;
  sys::WatchHandle late_;
  bool is_ending_ = false;
  int status_ = 0;
};

int run(const dfs::fuse::CommandLine& line) {
  Background background;
  if (!line.foreground) {
    const Result<void> entered = background.enter();
    if (!entered) {
      std::fprintf(stderr, "gestalt-dfs-mount: %s\n", base::to_string(entered.error()).c_str());
      return 1;
    }
  }
  sigset_t signals;
  CHECK_THAT(::sigemptyset(&signals) == 0 && ::sigaddset(&signals, SIGTERM) == 0 &&
             ::sigaddset(&signals, SIGINT) == 0 &&
             ::pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  Result<std::unique_ptr<sys::EventLoop>> loop = sys::EventLoop::make();
  CHECK_THAT(loop.has_value());
  Program program(**loop, line, background);
  Result<void> done = program.start();
  if (done) done = (*loop)->run();
  if (!done) {
    std::fprintf(stderr, "gestalt-dfs-mount: %s\n", base::to_string(done.error()).c_str());
    background.report(1);
    return 1;
  }
  return program.status();
}

// After a mount process that was killed: its folder refuses everybody until it is taken away.
int detach(const char* folder) {
  if (::umount2(folder, MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
    std::fprintf(stderr, "gestalt-dfs-mount: %s\n",
                 base::to_string(base::os_error(errno, std::string("unmount ") + folder)).c_str());
    return 1;
  }
  // Not empty, or gone: somebody else's.
  static_cast<void>(::rmdir(folder));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--detach") return detach(argv[2]);
  const Result<dfs::fuse::CommandLine> line =
      dfs::fuse::parse_command_line({argv + 1, argv + argc});
  if (!line) {
    std::fprintf(stderr, "gestalt-dfs-mount: %s\n", base::to_string(line.error()).c_str());
    std::fputs(dfs::fuse::kUsage, stderr);
    return 1;
  }
  if (line->help) {
    std::fputs(dfs::fuse::kUsage, stdout);
    return 0;
  }
  return run(*line);
}
