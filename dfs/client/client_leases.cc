// SPDX-License-Identifier: Apache-2.0
// How leases are given back: asked for by the server, for want of room, or because the session has
// ended.
#include <algorithm>

#include "common/base/log.h"
#include "dfs/client/client_run.h"

namespace dfs::client {

using base::Error;
using base::Result;

namespace {

// How long an operation that gathers several leases may keep one that is asked back.
constexpr base::Duration kPinned = std::chrono::milliseconds(10);
// The kernel may be unable to forget while a caller waits for us with a lock held.
constexpr base::Duration kKernelMax = std::chrono::milliseconds(100);
constexpr int kKernelRounds = 5;
constexpr std::size_t kTrimStep = 256;
constexpr std::size_t kTrimMost = 4096;
constexpr std::uint64_t kContentEvery = 256;  // looking through all of it takes a moment

}  // namespace

void Client::on_recall(const Recall& recall) {
  for (const LeaseClaim& claim : recall.leases) {
    ++recall_count_;
    Inode* inode = cache_.find(claim.inode);
    if (inode == nullptr || inode->lease <= claim.lease) {
      note_release(claim.inode, inode, inode == nullptr ? Lease::none : inode->lease);
      continue;
    }
    if (inode->pins == 0 || inode->is_recalled) {
      give_back(*inode, claim.lease);
      continue;
    }
    const std::uint64_t number = next_backoff_++;
    backoffs_[number] =
        timers_.after(kPinned + base::Duration(rng_.below(10'000'000)), [this, number, claim] {
          const base::TimerHandle fired = std::move(backoffs_.at(number));
          backoffs_.erase(number);
          if (Inode* held = cache_.find(claim.inode)) give_back(*held, claim.lease);
        });
  }
  if (!to_release_.empty()) send_releases();
}

// The server holds what is open for whoever keeps no lease of it; with one, whoever takes the last
// name away asks for it.
void Client::note_release(InodeNumber number, Inode* inode, Lease keeps) {
  const bool is_open = inode != nullptr && inode->opens > 0;
  if (is_open && keeps == Lease::none) inode->is_held = true;
  to_release_.push_back({number, keeps, is_open});
}

void Client::give_back(Inode& inode, Lease keep) {
  inode.keep = std::min(inode.keep, keep);
  if (std::exchange(inode.is_recalled, true)) return;
  recall_step(inode.number);
}

void Client::recall_step(InodeNumber number) {
  Inode* inode = cache_.find(number);
  if (inode == nullptr || !inode->is_recalled) return;
  const auto again = [this, number](const Result<Nothing>& done) {
    if (done) recall_step(number);
  };
  if (inode->lease == Lease::write) {
    const bool has_content =
        inode->file && (!inode->file->dirty.empty() || !inode->file->flights.empty());
    // The log brings content along when it has an entry for it.
    if (inode->pending > 0) return log_.flush(inode->last_position, again);
    if (has_content) return data_.flush(*inode, again);
    if (inode->file && inode->file->is_cutting) {
      const std::uint64_t timer = next_backoff_++;
      backoffs_[timer] = timers_.after(std::chrono::milliseconds(1), [this, timer, number] {
        const base::TimerHandle fired = std::move(backoffs_.at(timer));
        backoffs_.erase(timer);
        recall_step(number);
      });
      return;
    }
  }
  if (want_told(number)) return tell_locks(number, again);
  if (inode->keep == Lease::none) return forget_in_kernel(*inode);
  finish_recall(*inode);
}

void Client::forget_in_kernel(Inode& inode) {
  struct Forgetting {
    base::TimerHandle timer;
    int rounds = 0;
    std::uint64_t reads = 0;
    bool is_done = false;
  };
  bool is_known = inode.attributes_in_kernel || inode.pages_in_kernel;
  if (is_known) kernel_.forget_inode(inode.number, inode.pages_in_kernel);
  inode.attributes_in_kernel = false;
  for (auto& [name, dentry] : inode.names) {
    if (!std::exchange(dentry.in_kernel, false)) continue;
    kernel_.forget_name(inode.number, name);
    is_known = true;
  }
  if (!is_known || kernel_.is_waiting(inode.number)) {
    inode.pages_in_kernel = false;
    return finish_recall(inode);
  }
  const auto state = std::make_shared<Forgetting>();
  state->reads = inode.reads;
  const auto finish = [this, state, number = inode.number] {
    if (std::exchange(state->is_done, true)) return;
    state->timer.reset();
    Inode* held = cache_.find(number);
    if (held == nullptr || !held->is_recalled) return;
    held->pages_in_kernel = false;
    finish_recall(*held);
  };
  // Called again by itself, so it owns itself until it is done.
  const auto check = std::make_shared<std::function<void()>>();
  *check = [this, state, finish, number = inode.number, weak = std::weak_ptr(check)] {
    Inode* held = cache_.find(number);
    const auto self = weak.lock();
    if (state->is_done || held == nullptr || !self) return;
    if (held->reads_under_way > 0) {
      const std::uint64_t timer = next_backoff_++;
      backoffs_[timer] = timers_.after(std::chrono::milliseconds(1), [this, timer, self] {
        const base::TimerHandle fired = std::move(backoffs_.at(timer));
        backoffs_.erase(timer);
        (*self)();
      });
      return;
    }
    // Pages that were read while the kernel forgot are forgotten once more.
    if (held->reads == state->reads || ++state->rounds > kKernelRounds) return finish();
    state->reads = held->reads;
    kernel_.forget_inode(number, true);
    kernel_.when_done([self] { (*self)(); });
  };
  state->timer = timers_.after(kKernelMax, finish);
  kernel_.when_done([check] { (*check)(); });
}

void Client::finish_recall(Inode& inode) {
  const Lease keep = std::min(inode.lease, inode.keep);
  cache_.reduce(inode, keep);
  note_release(inode.number, &inode, keep);
  inode.is_recalled = false;
  inode.keep = Lease::write;
  if (!release_timer_)
    release_timer_ = timers_.after({}, [this] {
      const base::TimerHandle fired = std::move(release_timer_);
      send_releases();
    });
  for (const auto& call : std::exchange(inode.released, {})) call();
}

void Client::send_releases() {
  if (to_release_.empty()) return;
  ReleaseLeases request;
  request.session = session_.number();
  request.leases = std::exchange(to_release_, {});
  ++release_serial_;
  if (fetches_ > 0)
    for (const ReleasedLease& lease : request.leases) released_[lease.inode] = release_serial_;
  link_.call(request, [this](const Result<Nothing>& reply) {
    if (!reply) session_.on_error(reply.error());
  });
}

void Client::trim() {
  if (is_trimming_) return;
  const auto over = [](std::size_t count, std::size_t max) { return count - std::min(count, max); };
  std::size_t excess = std::max(over(cache_.size(), options_.inodes_max),
                                over(cache_.name_count(), options_.names_max));
  if (++trims_ % kContentEvery == 0 && cache_.content_bytes() > options_.content_max)
    excess = std::max(excess, kTrimStep);
  if (excess == 0) return;
  is_trimming_ = true;
  const std::size_t most = std::clamp(excess, kTrimStep, kTrimMost);
  std::vector<InodeNumber> old;
  for (const Inode* inode : cache_.by_age()) {
    if (old.size() >= most) break;
    if (inode->pending > 0 || inode->opens > 0 || inode->pins > 0 || inode->has_unwritten() ||
        inode->is_recalled || inode->number == root() || inode->turn == cache_.turn())
      continue;
    old.push_back(inode->number);
  }
  for (const InodeNumber number : old) {
    Inode* inode = cache_.find(number);
    if (inode == nullptr) continue;
    if (inode->lease != Lease::none) give_back(*inode, Lease::none);
    inode = cache_.find(number);
    if (inode != nullptr && !inode->is_recalled && inode->lease == Lease::none)
      cache_.erase(*inode);
  }
  is_trimming_ = false;
}

std::vector<LeaseClaim> Client::claims() {
  std::vector<LeaseClaim> claims;
  claims.reserve(cache_.size());
  for (const auto& [number, inode] : cache_.all())
    if (inode->lease != Lease::none) claims.push_back({number, inode->lease});
  return claims;
}

void Client::forget_all_in_kernel() {
  for (const auto& [number, inode] : cache_.all()) {
    if (inode->attributes_in_kernel || inode->pages_in_kernel)
      kernel_.forget_inode(number, inode->pages_in_kernel);
    for (auto& [name, dentry] : inode->names)
      if (std::exchange(dentry.in_kernel, false)) kernel_.forget_name(number, name);
    inode->attributes_in_kernel = false;
    inode->pages_in_kernel = false;
  }
}

void Client::on_session(SessionState state) {
  switch (state) {
    case SessionState::opening: return;
    case SessionState::live: {
      storage_.resume();
      for (const Done<Nothing>& call : std::exchange(session_waiters_, {})) call(Nothing{});
      return;
    }
    case SessionState::suspended:
      // Others may change things from now on: the kernel must ask us, and we wait.
      storage_.hold();
      forget_all_in_kernel();
      base::log::warning("DFS_SESSION_SUSPENDED",
                         "the metadata servers do not answer, callers wait");
      return;
    case SessionState::lost:
      // Whether another has taken the volume over, which callers are told apart from a session that
      // merely ended, the answer to the next opening says; they wait for that.
      storage_.hold();
      forget_all_in_kernel();
      return reopen();
    case SessionState::fenced:
      base::log::warning("DFS_FENCED",
                         "the volume was taken over by another client, every call fails from now");
      lose_everything();
      for (const Done<Nothing>& call : std::exchange(session_waiters_, {})) call(Nothing{});
      return;
  }
}

void Client::lose_everything() {
  const bool is_fenced = session_.state() == SessionState::fenced;
  const Error error = is_fenced ? fenced_error() : posix_error(EIO);
  // Callbacks below may bring new inodes into the cache.
  std::vector<InodeNumber> numbers;
  for (const auto& [number, inode] : cache_.all()) numbers.push_back(number);
  for (const InodeNumber number : numbers) {
    Inode* inode = cache_.find(number);
    if (inode == nullptr) continue;
    if (inode->pending > 0 || inode->has_unwritten()) inode->error = is_fenced ? ESTALE : EIO;
    if (inode->attributes_in_kernel || inode->pages_in_kernel)
      kernel_.forget_inode(number, inode->pages_in_kernel);
    for (auto& [name, dentry] : inode->names)
      if (std::exchange(dentry.in_kernel, false)) kernel_.forget_name(number, name);
    inode->attributes_in_kernel = inode->pages_in_kernel = false;
    data_.discard(*inode);
  }
  to_release_.clear();
  const std::vector<Done<Nothing>> lock_waiters = lose_locks();
  storage_.fail_all(error);
  log_.fail_all(error);
  log_.restart();
  std::vector<std::function<void()>> released;
  for (const InodeNumber number : numbers) {
    Inode* inode = cache_.find(number);
    if (inode == nullptr) continue;
    data_.discard(*inode);
    inode->is_recalled = false;
    inode->keep = Lease::write;
    inode->is_held = false;
    inode->copied.reset();
    inode->next_object = 0;
    cache_.reduce(*inode, Lease::none);
    for (auto& call : std::exchange(inode->released, {})) released.push_back(std::move(call));
    if (inode->file) {
      inode->file->must_move = false;
      inode->file->cut_done = kNoCut;
      inode->file->cut_after = 0;
      inode->file->inline_dirty = {};
      inode->file->is_sized = false;
    }
  }
  numbers_left_ = 0;
  spare_numbers_.count = 0;
  // Their answers are of the old session; the operations ask again once there is a new one.
  link_.fail_all({base::Code::failed_precondition, "the session has ended",
                  is_fenced ? "stale_epoch" : "session_unknown", is_fenced ? ESTALE : EIO});
  for (const auto& call : released) call();
  for (const Done<Nothing>& call : lock_waiters) call(Nothing{});
  for (const Done<Nothing>& call : std::exchange(data_waiters_, {})) call(Nothing{});
}

void Client::reopen() {
  if (is_stopping_ || reopen_timer_) return;
  reopen_timer_ = timers_.after(std::chrono::milliseconds(50), [this] {
    const base::TimerHandle fired = std::move(reopen_timer_);
    if (session_.state() != SessionState::lost) return;
    open_request_.client = rng_.uuid();
    session_.open(open_request_, [this](const Result<Nothing>& opened) {
      if (opened) return storage_.set_groups(session_.terms().groups);
      session_.on_error(opened.error());
      reopen();
    });
  });
}

}  // namespace dfs::client
