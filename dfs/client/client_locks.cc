// SPDX-License-Identifier: Apache-2.0
// Locks of fcntl(2) and flock(2): metadata decides all of them.
#include "dfs/client/client_run.h"

namespace dfs::client {

using base::Result;

void Client::set_lock(LockRange lock, bool wait, std::uint64_t ticket, Done<Nothing> done) {
  const auto shared = std::make_shared<Done<Nothing>>(std::move(done));
  const auto failed = [shared](const Result<Nothing>& result) {
    if (!result) (*shared)(result.error());
  };
  run<Nothing>(failed, [=, this]() -> Attempt<Nothing> {
    SetLock request;
    request.session = session_.number();
    request.lock = lock;
    request.wait = wait;
    request.ticket = ticket;
    const auto answered = [this, shared](const Result<Nothing>& reply) {
      if (!reply) session_.on_error(reply.error());
      (*shared)(reply);
    };
    // The inode must be there: one that was made a moment ago may still be in the log.
    Inode* inode = cache_.find(lock.inode);
    if (inode != nullptr && inode->pending > 0) {
      log_.flush(inode->last_position, [this, request, answered](const Result<Nothing>& flushed) {
        if (!flushed) return answered(flushed);
        link_.call(request, Done<Nothing>(answered), MetaLink::Way::ordinary,
                   std::chrono::hours(24 * 365));
      });
    } else {
      link_.call(request, Done<Nothing>(answered), MetaLink::Way::ordinary,
                 std::chrono::hours(24 * 365));
    }
    return Result<Nothing>(Nothing{});
  });
}

void Client::cancel_lock(std::uint64_t ticket) {
  CancelLock request;
  request.session = session_.number();
  request.ticket = ticket;
  // The wait itself is answered with EINTR; whether this arrived does not matter otherwise.
  link_.call(request, [](const Result<Nothing>&) {});
}

void Client::test_lock(LockRange lock, Done<std::optional<LockRange>> done) {
  TestLock request;
  request.session = session_.number();
  request.lock = lock;
  link_.call(request, [done = std::move(done)](const Result<TestLockReply>& reply) {
    if (!reply) return done(reply.error());
    done(reply->held);
  });
}

}  // namespace dfs::client
