// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "common/base/log.h"
#include "common/sys/process.h"
#include "netfw/haproxy/cli.h"

namespace netfw {
namespace {

constexpr std::chrono::milliseconds kPauseMax{5000};

base::Result<pid_t> spawn(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  // It must outlive a daemon that is killed with its group.
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  char* environment[] = {nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], nullptr, &attributes, argv.data(), environment);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return base::os_error(error, "start " + words[0]);
  return pid;
}

}  // namespace

base::Result<void> HaproxyChild::start() {
  const std::filesystem::path admin = options_.run_folder / "admin.sock";
  if (CliSession::open(admin)) {
    // Not our child: nothing tells us of its end, so look now and then.
    timer_ = loop_.after(kPauseMax, [this] {
      if (!start()) ended();
    });
    return {};
  }
  const std::string master = (options_.run_folder / "master.sock").string();
  pid_ = TRY(spawn({options_.binary.string(), "-W", "-S", master + ",mode,600", "-f",
                    options_.config.string()}));
  pidfd_ = TRY(sys::open_pidfd(pid_));
  exit_watch_ = TRY(loop_.on_exit(pidfd_.get(), [this] { ended(); }));
  return {};
}

void HaproxyChild::ended() {
  exit_watch_.reset();
  pidfd_.reset();
  if (pid_ > 0) {
    waitpid(pid_, nullptr, WNOHANG);
    pid_ = -1;
    base::log::warning("NETFW_HAPROXY_ENDED", "HAProxy has ended, starting it again");
  }
  timer_ = loop_.after(pause_, [this] {
    const auto started = start();
    if (!started) ended();
  });
  pause_ = std::min(pause_ * 2, kPauseMax);
}

}  // namespace netfw
