// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "common/sys/event_loop.h"

namespace sys {

struct WorkerPool::State {
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> queue;  // guarded by mutex
  bool stopping = false;                    // guarded by mutex
  std::size_t queue_max = 0;
  std::vector<std::thread> threads;

  void work() noexcept {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      std::function<void()> job = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      job();
      job = nullptr;  // what it captured is released without the lock
      lock.lock();
    }
  }
};

WorkerPool::WorkerPool(Limits limits) : state_(std::make_unique<State>()) {
  CHECK_THAT(limits.threads > 0);
  state_->queue_max = limits.queue_max;
  // Workers start with every signal blocked: signals belong to the loop.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  CHECK_THAT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
  for (std::size_t i = 0; i < limits.threads; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
  }
  CHECK_THAT(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

base::Result<void> WorkerPool::submit(std::function<void()> work) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->queue.size() >= state_->queue_max) {
      return base::Error{base::Code::throttled,
                         "the worker queue holds " + std::to_string(state_->queue_max) + " already",
                         "worker_queue_full"};
    }
    state_->queue.push_back(std::move(work));
  }
  state_->changed.notify_one();
  return {};
}

std::size_t WorkerPool::queued() const {
  const std::lock_guard lock(state_->mutex);
  return state_->queue.size();
}

}  // namespace sys
