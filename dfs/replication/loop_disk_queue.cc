// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/loop_disk_queue.h"

#include <cstdint>

#include "common/base/check.h"

namespace dfs::replication {
namespace {

class LoopDiskQueue final : public DiskQueue {
 public:
  explicit LoopDiskQueue(sys::EventLoop& loop) : loop_(loop) {}

  void submit(std::function<void()> work, std::function<void()> done) override {
    // Callers bound what they have under way; the pool's own bound is out of their reach.
    const base::Result<void> taken =
        thread_.submit([this, work = std::move(work), done = std::move(done)]() mutable {
          work();
          work = nullptr;
          loop_.post([alive = std::weak_ptr<bool>(alive_), done = std::move(done)] {
            if (!alive.expired()) done();
          });
        });
    CHECK_THAT(taken.has_value());
  }

 private:
  sys::EventLoop& loop_;
  // Shared with nobody: what is posted only looks whether it is gone, on the loop.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  sys::WorkerPool thread_{{.threads = 1, .queue_max = SIZE_MAX}};  // ends first
};

}  // namespace

std::unique_ptr<DiskQueue> make_loop_disk_queue(sys::EventLoop& loop) {
  return std::make_unique<LoopDiskQueue>(loop);
}

}  // namespace dfs::replication
