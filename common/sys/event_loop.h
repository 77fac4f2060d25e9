// SPDX-License-Identifier: Apache-2.0
// The daemon's one event loop (sd-event): descriptors, timers, signals, child exits, work handed
// over from other threads.
//
// 1. Everything but post() and stop() is called on the loop thread.
// 2. A callback that throws ends the process: callbacks run under a noexcept thunk.
// Source: sd-event(3), systemd >= 239.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "common/base/clock.h"
#include "common/base/result.h"

struct sd_event;

namespace sys {

// Ends a watch when it is destroyed. May be destroyed inside its own callback. Requires: not
// outliving the loop.
class Watch {
 public:
  virtual ~Watch() = default;
};
using WatchHandle = std::unique_ptr<Watch>;

class EventLoop {
 public:
  static base::Result<std::unique_ptr<EventLoop>> make();
  virtual ~EventLoop() = default;

  // `events` are EPOLLIN, EPOLLOUT, …; the callback gets those that are ready. The descriptor stays
  // the caller's.
  virtual base::Result<WatchHandle> watch_fd(int fd, std::uint32_t events,
                                             std::function<void(std::uint32_t)> ready) = 0;
  // Fires once, at or soon after `when` on the boot-time clock.
  virtual WatchHandle at(base::Instant when, std::function<void()> fire) = 0;
  WatchHandle after(base::Duration delay, std::function<void()> fire) {
    return at(base::system_clock().now() + delay, std::move(fire));
  }
  // Fires every `period` from now on; a late firing does not cause a burst.
  virtual WatchHandle every(base::Duration period, std::function<void()> fire) = 0;
  // Requires: the signal is blocked in every thread (Daemon does this first thing).
  virtual base::Result<WatchHandle> on_signal(int signal, std::function<void()> fire) = 0;
  // Fires when the process behind the pidfd has ended. The descriptor stays the caller's.
  virtual base::Result<WatchHandle> on_exit(int pidfd, std::function<void()> fire) = 0;

  // Runs `work` on the loop thread after the current callback. Threads: any. Cost: one eventfd
  // write when the queue was empty.
  virtual void post(std::function<void()> work) = 0;
  // Runs until stop(). Sends the systemd watchdog's keep-alives when WATCHDOG_USEC asks for them.
  virtual base::Result<void> run() = 0;
  // Threads: any.
  virtual void stop() = 0;
  virtual bool is_loop_thread() const = 0;

  virtual sd_event* native() = 0;  // for sd-bus only
};

// A bounded pool for work that blocks: LMDB commits, exec, libiptc, DNS.
class WorkerPool {
 public:
  struct Limits {
    std::size_t threads = 4;
    std::size_t queue_max = 1024;
  };
  explicit WorkerPool(Limits limits);
  ~WorkerPool();  // runs what is queued, then joins
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Errors: throttled worker_queue_full. Threads: any.
  base::Result<void> submit(std::function<void()> work);
  std::size_t queued() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sys
