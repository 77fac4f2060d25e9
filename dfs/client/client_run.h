// SPDX-License-Identifier: Apache-2.0
// How Client's operations run; for the files client_*.cc only.
#pragma once

#include "dfs/client/client.h"

// Leaves the step with what is lacking.
#define NEED(expression)                           \
  do {                                             \
    auto need_found = (expression);                \
    if (need_found) return std::move(*need_found); \
  } while (false)

namespace dfs::client {

template <class T>
struct Client::Waiting {
  Done<T> done;
  std::function<Attempt<T>()> step;
  std::vector<InodeNumber> pinned;
  int tries = 0;
};

template <class T, class Step>
void Client::run(Done<T> done, Step step) {
  Attempt<T> first = [&]() -> Attempt<T> {
    if (session_.state() == SessionState::fenced) return base::Result<T>(end_reason());
    if (auto need = stop_reason()) return std::move(*need);
    return step();
  }();
  if (auto* result = std::get_if<base::Result<T>>(&first)) return done(std::move(*result));
  auto waiting = std::make_shared<Waiting<T>>();
  waiting->done = std::move(done);
  waiting->step = std::move(step);
  retry(waiting, std::move(std::get<Need>(first)));
}

template <class T, class Step>
void Client::run_change(Done<T> done, Step step) {
  if (session_.terms().durability == Durability::posix)
    return run<T>(std::move(done), std::move(step));
  run<T>(
      [this, done = std::move(done)](base::Result<T> result) {
        if (!result) return done(std::move(result));
        auto kept = std::make_shared<base::Result<T>>(std::move(result));
        log_.flush(log_.last(), [kept, done](const base::Result<Nothing>& flushed) {
          if (!flushed) return done(flushed.error());
          done(std::move(*kept));
        });
      },
      std::move(step));
}

template <class T>
void Client::attempt(const std::shared_ptr<Waiting<T>>& waiting) {
  Attempt<T> outcome = [&]() -> Attempt<T> {
    if (session_.state() == SessionState::fenced) return base::Result<T>(end_reason());
    if (auto need = stop_reason()) return std::move(*need);
    return waiting->step();
  }();
  if (auto* need = std::get_if<Need>(&outcome)) return retry(waiting, std::move(*need));
  for (const InodeNumber number : waiting->pinned)
    if (Inode* inode = cache_.find(number)) --inode->pins;
  waiting->done(std::move(std::get<base::Result<T>>(outcome)));
}

template <class T>
void Client::retry(const std::shared_ptr<Waiting<T>>& waiting, Need need) {
  // What it has gathered is kept for a moment, so that two clients do not take leases from each
  // other forever.
  if (need.what == Need::What::inode && need.lease == Lease::write) {
    Inode& inode = cache_.get(need.inode);
    ++inode.pins;
    waiting->pinned.push_back(need.inode);
  }
  const auto again = [this, waiting](const base::Result<Nothing>& got) {
    if (got) return attempt(waiting);
    for (const InodeNumber number : waiting->pinned)
      if (Inode* inode = cache_.find(number)) --inode->pins;
    waiting->done(got.error());
  };
  if (++waiting->tries < 8) return satisfy(need, again);
  // Others want the same: wait a little, each for a time of its own.
  const std::uint64_t number = next_backoff_++;
  const std::uint64_t longest = 1'000'000ULL << std::min(waiting->tries / 4, 6);
  backoffs_[number] =
      timers_.after(base::Duration(rng_.below(longest)), [this, number, need, again] {
        const base::TimerHandle fired = std::move(backoffs_.at(number));
        backoffs_.erase(number);
        satisfy(need, again);
      });
}

}  // namespace dfs::client
