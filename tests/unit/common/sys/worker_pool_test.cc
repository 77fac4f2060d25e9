// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "common/sys/event_loop.h"
#include "tests/support/check_result.h"

using base::Code;

namespace {

// A gate that workers wait at.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

}  // namespace

TEST_GROUP(WorkerPool){};

TEST(WorkerPool, runs_everything_before_it_goes) {
  std::atomic<int> done = 0;
  {
    sys::WorkerPool pool({.threads = 3, .queue_max = 1000});
    for (int i = 0; i < 500; ++i) CHECK_OK(pool.submit([&] { ++done; }));
  }
  LONGS_EQUAL(500, done.load());
}

TEST(WorkerPool, runs_as_many_jobs_at_once_as_it_has_threads) {
  Gate gate;
  sys::WorkerPool pool({.threads = 3, .queue_max = 10});
  for (int i = 0; i < 3; ++i) CHECK_OK(pool.submit([&] { gate.pass(); }));
  gate.wait_for(3);
  gate.open();
}

TEST(WorkerPool, refuses_work_beyond_its_queue_and_takes_it_again_later) {
  Gate gate;
  sys::WorkerPool pool({.threads = 1, .queue_max = 2});
  CHECK_OK(pool.submit([&] { gate.pass(); }));
  gate.wait_for(1);
  std::atomic<int> done = 0;
  CHECK_OK(pool.submit([&] { ++done; }));
  CHECK_OK(pool.submit([&] { ++done; }));
  LONGS_EQUAL(2, pool.queued());
  CHECK_ERROR(Code::throttled, "worker_queue_full", pool.submit([&] { ++done; }));
  gate.open();
  Gate second;
  while (!pool.submit([&] { second.pass(); })) std::this_thread::yield();
  second.wait_for(1);
  LONGS_EQUAL(2, done.load());
  second.open();
}

TEST(WorkerPool, hands_results_to_the_loop_by_post) {
  auto loop = UNWRAP(sys::EventLoop::make());
  sys::WorkerPool pool({.threads = 2, .queue_max = 1000});
  int sum = 0;
  int count = 0;
  for (int i = 1; i <= 100; ++i) {
    CHECK_OK(pool.submit([&, i] {
      loop->post([&, i] {
        sum += i;
        if (++count == 100) loop->stop();
      });
    }));
  }
  CHECK_OK(loop->run());
  LONGS_EQUAL(5050, sum);
}
