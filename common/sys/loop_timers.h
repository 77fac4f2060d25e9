// SPDX-License-Identifier: Apache-2.0
// base::Timers on the daemon's event loop.
//
// Threads: the loop's.
#pragma once

#include "common/base/timers.h"
#include "common/sys/event_loop.h"

namespace sys {

class LoopTimers final : public base::Timers {
 public:
  explicit LoopTimers(EventLoop& loop) : loop_(loop) {}
  const base::Clock& clock() const override { return base::system_clock(); }
  base::TimerHandle at(base::Instant when, std::function<void()> fire) override {
    return std::make_unique<Held>(loop_.at(when, std::move(fire)));
  }

 private:
  struct Held final : base::Timer {
    explicit Held(WatchHandle handle) : watch(std::move(handle)) {}
    WatchHandle watch;
  };
  EventLoop& loop_;
};

}  // namespace sys
