// SPDX-License-Identifier: Apache-2.0
// Parts of the cluster simulation: the configuration store and a clock that is wrong.
//
// Threads: the world's.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "dfs/replication/group.h"
#include "tests/support/sim/world.h"

namespace dfs::replication::testing {

class Watcher;

// What Coordination would hold. Answers are late, and some are lost.
class Configurations {
 public:
  Configurations(sim::World& world, Configuration first) : world_(world), now_(std::move(first)) {}
  const Configuration& now() const { return now_; }

 private:
  friend class Watcher;
  using Settled = std::function<void(base::Result<Configuration>)>;

  base::Duration delay() {
    return world_.between(std::chrono::microseconds(500), std::chrono::milliseconds(20));
  }
  void change(const Configuration& next, Settled settled) {
    world_.schedule_after(delay(), [this, next, settled = std::move(settled)] {
      const bool is_lost = world_.happens(0.05);
      // A lost request has no effect; a lost answer has.
      if (!is_lost || world_.happens(0.5)) compare_and_set(next);
      world_.schedule_after(delay(), [this, is_lost, settled] {
        if (is_lost) return settled(base::Error{base::Code::unavailable, "lost", "link_closed"});
        settled(now_);
      });
    });
  }
  void compare_and_set(const Configuration& next) {
    if (next.epoch != now_.epoch + 1) return;
    now_ = next;
    for (const auto& watcher : watchers_) tell(watcher);
  }
  void tell(const std::weak_ptr<std::function<void(const Configuration&)>>& watcher) {
    // Now and then a member is cut off from the store for a while.
    const base::Duration late =
        world_.happens(0.3) ? world_.between({}, std::chrono::seconds(4)) : delay();
    world_.schedule_after(late, [this, watcher] {
      if (const auto changed = watcher.lock()) (*changed)(now_);
    });
  }

  sim::World& world_;
  Configuration now_;
  std::vector<std::weak_ptr<std::function<void(const Configuration&)>>> watchers_;
};

// The store as one member sees it in one life.
class Watcher final : public ConfigurationStore {
 public:
  explicit Watcher(Configurations& configurations) : configurations_(configurations) {}

  void watch(std::function<void(const Configuration&)> changed) override {
    changed_ = std::make_shared<std::function<void(const Configuration&)>>(std::move(changed));
    configurations_.watchers_.push_back(changed_);
    configurations_.tell(changed_);
  }
  void change(const Configuration& next,
              std::function<void(base::Result<Configuration>)> settled) override {
    configurations_.change(next, [alive = std::weak_ptr<bool>(alive_),
                                  settled = std::move(settled)](base::Result<Configuration> now) {
      if (!alive.expired()) settled(std::move(now));
    });
  }

 private:
  Configurations& configurations_;
  // Shared with nobody; the store holds them weakly.
  std::shared_ptr<std::function<void(const Configuration&)>> changed_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Timers whose clock is the wall clock: a planted mistake.
class WallTimers final : public base::Timers {
 public:
  explicit WallTimers(sim::World& world) : world_(world), clock_(world) {}
  const base::Clock& clock() const override { return clock_; }
  base::TimerHandle at(base::Instant when, std::function<void()> fire) override {
    return world_.at(world_.clock().now() + (when - clock_.now()), std::move(fire));
  }

 private:
  class WallClock final : public base::Clock {
   public:
    explicit WallClock(sim::World& world) : world_(world) {}
    base::Instant now() const override { return {world_.clock().wall().time_since_epoch()}; }
    base::WallTime wall() const override { return world_.clock().wall(); }

   private:
    sim::World& world_;
  };
  sim::World& world_;
  WallClock clock_;
};

}  // namespace dfs::replication::testing
