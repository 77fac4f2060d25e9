// SPDX-License-Identifier: Apache-2.0
// Time for a host of services without an event loop: it passes when a test says so.
//
// Threads: one.
#pragma once

#include <functional>
#include <memory>

#include "common/base/clock.h"

class TestClock final : public base::Clock {
 public:
  base::Instant now() const override { return {since_boot_}; }
  base::WallTime wall() const override { return wall_; }
  void pass(std::chrono::seconds time) {
    since_boot_ += time;
    wall_ += time;
  }

 private:
  base::Duration since_boot_{std::chrono::seconds(100)};
  base::WallTime wall_{std::chrono::milliseconds(1'800'000'000'000)};
};

// Timers that nobody waits for.
class StillTimers final : public base::Timers {
 public:
  explicit StillTimers(const base::Clock& clock) : clock_(clock) {}
  const base::Clock& clock() const override { return clock_; }
  base::TimerHandle at(base::Instant, std::function<void()>) override {
    return std::make_unique<base::Timer>();
  }

 private:
  const base::Clock& clock_;
};
