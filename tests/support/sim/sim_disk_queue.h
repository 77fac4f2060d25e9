// SPDX-License-Identifier: Apache-2.0
// A DiskQueue in virtual time: each piece of work happens at one instant, after a delay by seed.
//
// Threads: the world's. The world outlives it.
#pragma once

#include <deque>
#include <memory>

#include "dfs/replication/disk_queue.h"
#include "tests/support/sim/world.h"

namespace sim {

struct DiskDelays {
  base::Duration least = std::chrono::microseconds(50);
  base::Duration most = std::chrono::milliseconds(2);
};

class SimDiskQueue final : public dfs::replication::DiskQueue {
 public:
  explicit SimDiskQueue(World& world) : world_(world) {}

  DiskDelays delays;
  bool reports_early = false;  // a planted mistake: `done` comes before the work

  void submit(std::function<void()> work, std::function<void()> done) override {
    queue_.push_back({std::move(work), std::move(done)});
    if (queue_.size() == 1) start();
  }

 private:
  struct Piece {
    std::function<void()> work, done;
  };

  void start() {
    world_.schedule_after(world_.between(delays.least, delays.most),
                          [this, alive = std::weak_ptr<bool>(alive_)] {
                            if (!alive.expired()) run();
                          });
  }

  void run() {
    const std::weak_ptr<bool> alive = alive_;
    const Piece piece = std::move(queue_.front());
    if (reports_early) {
      world_.schedule_after(delays.most, [alive, work = piece.work] {
        if (!alive.expired()) work();
      });
    } else {
      piece.work();
    }
    if (alive.expired()) return;
    queue_.pop_front();
    if (!queue_.empty()) start();
    piece.done();
  }

  World& world_;
  std::deque<Piece> queue_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with nobody
};

}  // namespace sim
