// SPDX-License-Identifier: Apache-2.0
// Locks of fcntl(2) and flock(2): decided here while nobody else is concerned (held_locks.h),
// otherwise by metadata.
#include "dfs/client/client_run.h"

namespace dfs::client {

using base::Result;

namespace {

constexpr base::Duration kLockPatience = std::chrono::hours(24 * 365);

}  // namespace

bool Client::decides_locks(InodeNumber number) {
  const auto held = locks_.find(number);
  const Inode* inode = cache_.find(number);
  return held != locks_.end() && held->second.is_own && inode != nullptr && !inode->is_recalled &&
         InodeCache::may_write(*inode);
}

// Until metadata knows again what is held, where it is being told or is to be.
std::optional<Need> Client::want_told(InodeNumber number) {
  const auto held = locks_.find(number);
  if (held == locks_.end() || (!held->second.is_telling && !held->second.is_own))
    return std::nullopt;
  Need need{Need::What::other, number};
  need.begin = [this, number](Done<Nothing> done) { tell_locks(number, std::move(done)); };
  return need;
}

void Client::set_lock(LockRange lock, bool wait, std::uint64_t ticket, Done<Nothing> done) {
  const auto shared = std::make_shared<Done<Nothing>>(std::move(done));
  const auto failed = [shared](const Result<Nothing>& result) {
    if (!result) (*shared)(result.error());
  };
  run<Nothing>(failed, [=, this]() -> Attempt<Nothing> {
    if (decides_locks(lock.inode)) {
      const Result<void> decided = decide_lock(locks_.at(lock.inode).now, lock);
      if (decided) {
        (*shared)(Nothing{});
        return Result<Nothing>(Nothing{});
      }
      if (!wait || decided.error().reason != "lock_held") return Result<Nothing>(decided.error());
      // It waits at metadata, where what it waits for is to be known then.
    }
    NEED(want_told(lock.inode));
    SetLock request;
    request.session = session_.number();
    request.lock = lock;
    request.wait = wait;
    request.ticket = ticket;
    ask_lock(request, [shared](const Result<Nothing>& result) { (*shared)(result); });
    return Result<Nothing>(Nothing{});
  });
}

void Client::ask_lock(const SetLock& request, Done<Nothing> done) {
  HeldLocks& held = locks_[request.lock.inode];
  if (held.life == 0) held.life = next_life_++;
  ++held.asked;
  const auto answered = [this, lock = request.lock, life = held.life,
                         done = std::move(done)](const Result<SetLockReply>& reply) {
    const auto found = locks_.find(lock.inode);
    if (found != locks_.end() && found->second.life == life) {
      HeldLocks& own = found->second;
      --own.asked;
      if (reply) set_range(own.now, 0, lock);
      const Inode* inode = cache_.find(lock.inode);
      if (reply && reply->is_alone && own.asked == 0 && !own.is_telling && inode != nullptr &&
          !inode->is_recalled && InodeCache::may_write(*inode)) {
        own.told = own.now;
        own.is_own = true;
      }
      if (own.is_idle()) locks_.erase(found);
    }
    if (!reply) session_.on_error(reply.error());
    if (!reply) return done(reply.error());
    done(Nothing{});
  };
  send_lock(request, answered);
}

void Client::send_lock(const SetLock& request, Done<SetLockReply> done) {
  // The inode must be there: one that was made a moment ago may still be in the log.
  Inode* inode = cache_.find(request.lock.inode);
  if (inode == nullptr || inode->pending == 0) {
    link_.call(request, std::move(done), MetaLink::Way::ordinary, kLockPatience);
    return;
  }
  log_.flush(inode->last_position, [this, request,
                                    done = std::move(done)](const Result<Nothing>& flushed) {
    if (!flushed) return done(flushed.error());
    link_.call(request, Done<SetLockReply>(done), MetaLink::Way::ordinary, kLockPatience);
  });
}

// From now on metadata decides, once it knows what is held.
void Client::tell_locks(InodeNumber number, Done<Nothing> done) {
  const auto found = locks_.find(number);
  if (found == locks_.end() || (!found->second.is_own && !found->second.is_telling))
    return done(Nothing{});
  HeldLocks& held = found->second;
  held.waiting.push_back(std::move(done));
  if (std::exchange(held.is_telling, true)) return;
  held.is_own = false;
  const std::vector<LockRange> changes = lock_changes(held.told, held.now);
  if (changes.empty()) return end_telling(number, held.life);
  const auto left = std::make_shared<std::size_t>(changes.size());
  for (const LockRange& change : changes) {
    SetLock request;
    request.session = session_.number();
    request.lock = change;
    send_lock(request, [this, number, left, life = held.life](const Result<SetLockReply>& reply) {
      if (!reply) session_.on_error(reply.error());
      if (--*left == 0) end_telling(number, life);
    });
  }
}

void Client::end_telling(InodeNumber number, std::uint64_t life) {
  const auto found = locks_.find(number);
  if (found == locks_.end() || found->second.life != life) return;
  found->second.is_telling = false;
  found->second.told = {};
  const auto waiting = std::exchange(found->second.waiting, {});
  if (found->second.is_idle()) locks_.erase(found);
  for (const Done<Nothing>& call : waiting) call(Nothing{});
}

// The session has ended, and with it all locks.
std::vector<Done<Nothing>> Client::lose_locks() {
  std::vector<Done<Nothing>> waiting;
  for (auto& [number, held] : std::exchange(locks_, {}))
    std::move(held.waiting.begin(), held.waiting.end(), std::back_inserter(waiting));
  return waiting;
}

void Client::cancel_lock(std::uint64_t ticket) {
  CancelLock request;
  request.session = session_.number();
  request.ticket = ticket;
  // The wait itself is answered with EINTR; whether this arrived does not matter otherwise.
  link_.call(request, [](const Result<Nothing>&) {});
}

void Client::test_lock(LockRange lock, Done<std::optional<LockRange>> done) {
  using Held = std::optional<LockRange>;
  const auto shared = std::make_shared<Done<Held>>(std::move(done));
  const auto failed = [shared](const Result<Nothing>& result) {
    if (!result) (*shared)(result.error());
  };
  run<Nothing>(failed, [=, this]() -> Attempt<Nothing> {
    if (decides_locks(lock.inode)) {
      const LockEntry* held = find_conflict(locks_.at(lock.inode).now, 0, lock);
      (*shared)(held == nullptr ? Held() : Held(held->range));
      return Result<Nothing>(Nothing{});
    }
    NEED(want_told(lock.inode));
    TestLock request;
    request.session = session_.number();
    request.lock = lock;
    link_.call(request, [shared](const Result<TestLockReply>& reply) {
      if (!reply) return (*shared)(reply.error());
      (*shared)(reply->held);
    });
    return Result<Nothing>(Nothing{});
  });
}

}  // namespace dfs::client
