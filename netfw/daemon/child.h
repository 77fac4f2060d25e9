// SPDX-License-Identifier: Apache-2.0
// HAProxy as the daemon's own child, for tests and for machines without systemd.
//
// 1. One that already answers is left as it is: it survived an earlier life of the daemon.
// 2. It is started again when it ends, after a pause that grows.
// Threads: loop thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>

#include "common/sys/event_loop.h"
#include "common/sys/handle.h"

namespace netfw {

class HaproxyChild {
 public:
  struct Options {
    std::filesystem::path binary;
    std::filesystem::path config;
    std::filesystem::path run_folder;
  };
  HaproxyChild(sys::EventLoop& loop, Options options) : loop_(loop), options_(std::move(options)) {}
  HaproxyChild(const HaproxyChild&) = delete;
  HaproxyChild& operator=(const HaproxyChild&) = delete;
  base::Result<void> start();

 private:
  void ended();

  sys::EventLoop& loop_;
  Options options_;
  pid_t pid_ = -1;
  sys::Fd pidfd_;
  sys::WatchHandle exit_watch_;
  sys::WatchHandle timer_;
  std::chrono::milliseconds pause_{100};
};

}  // namespace netfw
