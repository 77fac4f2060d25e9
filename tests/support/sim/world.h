// SPDX-License-Identifier: Apache-2.0
// The simulator's world: virtual time, chance by seed, and the queue of everything that is to
// happen. One thread runs a whole cluster of real code in it; a seed repeats a run exactly.
//
// 1. Time stands still while code runs and jumps to the next event when it has ended.
// 2. Events at the same instant happen in an order that the seed decides.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <tuple>

#include "common/base/clock.h"
#include "common/base/timers.h"

namespace sim {

class World final : public base::Timers {
 public:
  explicit World(std::uint64_t seed) : random_(seed), clock_(*this), rng_(*this) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  const base::Clock& clock() const override { return clock_; }
  base::TimerHandle at(base::Instant when, std::function<void()> fire) override;
  // As at(), for what nobody takes back.
  void schedule(base::Instant when, std::function<void()> happen);
  void schedule_after(base::Duration delay, std::function<void()> happen) {
    schedule(now_ + delay, std::move(happen));
  }

  base::Rng& rng() { return rng_; }
  std::mt19937_64& random() { return random_; }
  bool happens(double probability);
  base::Duration between(base::Duration least, base::Duration most);
  // Moves the wall clock, as an administrator or a time server would. Boot time is not affected.
  void step_wall(base::Duration by) { wall_offset_ += by; }

  // Runs the next event. False when there is none.
  bool step();
  void run_for(base::Duration duration);
  // Until `done` holds, at most for `longest` of virtual time. Returns whether it holds.
  bool run_until(const std::function<bool()>& done,
                 base::Duration longest = std::chrono::minutes(1));

 private:
  class SimClock final : public base::Clock {
   public:
    explicit SimClock(const World& world) : world_(world) {}
    base::Instant now() const override { return world_.now_; }
    base::WallTime wall() const override;

   private:
    const World& world_;
  };
  class SimRng final : public base::Rng {
   public:
    explicit SimRng(World& world) : world_(world) {}
    void fill(std::span<std::uint8_t> out) override;

   private:
    World& world_;
  };

  std::mt19937_64 random_;
  base::Instant now_{std::chrono::seconds(1)};
  base::Duration wall_offset_ = std::chrono::hours(24 * 365 * 56);
  std::uint64_t next_number_ = 0;
  // When, then the seed's choice; the number only keeps keys apart.
  std::map<std::tuple<base::Instant, std::uint64_t, std::uint64_t>, std::function<void()>> events_;
  SimClock clock_;
  SimRng rng_;
};

}  // namespace sim
