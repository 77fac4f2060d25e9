// SPDX-License-Identifier: Apache-2.0
// Timers as an interface, so that everything that waits also runs in virtual time.
//
// Engines: sys::LoopTimers on the daemon's event loop, sim::World (tests).
// Threads: the loop's.
#pragma once

#include <functional>
#include <memory>

#include "common/base/clock.h"

namespace base {

// Ends the timer when it is destroyed. May be destroyed inside its own callback.
class Timer {
 public:
  virtual ~Timer() = default;
};
using TimerHandle = std::unique_ptr<Timer>;

class Timers {
 public:
  virtual ~Timers() = default;
  virtual const Clock& clock() const = 0;
  // Fires once, at or soon after `when`.
  virtual TimerHandle at(Instant when, std::function<void()> fire) = 0;
  TimerHandle after(Duration delay, std::function<void()> fire) {
    return at(clock().now() + delay, std::move(fire));
  }
};

}  // namespace base
