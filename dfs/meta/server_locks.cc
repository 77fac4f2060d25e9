// SPDX-License-Identifier: Apache-2.0
// Locks: those that are held are in the state, those who wait for one are here.
#include <cerrno>

#include "dfs/meta/server_parts.h"

namespace dfs::meta {
namespace {

using base::Code;
using base::Error;
using base::Result;

}  // namespace

void Server::handle(const SetLock& request, std::string_view, Responder responder) {
  if (const Result<void> valid = check_lock(request.lock); !valid)
    return responder.fail(valid.error());
  try_lock(request, std::move(responder));
}

void Server::try_lock(SetLock request, Responder responder) {
  auto waiting = std::make_shared<Responder>(std::move(responder));
  propose(encode_command(SetLockCommand{request.session, request.lock}),
          [this, request, waiting, reign = reign_](const Result<std::string>& answer) {
            if (!answer) return waiting->fail(answer.error());
            const Result<Nothing> done = decode_answer<Nothing>(*answer);
            if (done) {
              waiting->answer(encode(Nothing{}));
              // Less may be locked now, and others may be ready beside this one.
              return retry_locks(request.lock.inode);
            }
            if (done.error().reason != "lock_held" || !request.wait || reign != reign_)
              return waiting->fail(done.error());
            const auto locks = [this](InodeNumber inode) { return state_.locks(inode); };
            if (lock_waits_.closes_ring(request, locks))
              return waiting->fail({Code::failed_precondition,
                                    "the holder of the lock waits for this owner", "deadlock",
                                    EDEADLK});
            if (lock_waits_.size() >= options_.requests_max)
              return waiting->fail(
                  {Code::throttled, "too many requests wait", "too_many_requests", ENOLCK});
            lock_waits_.add({request, std::move(*waiting)});
            retry_locks(request.lock.inode);  // it may have been given back meanwhile
          });
}

void Server::retry_locks(InodeNumber inode) {
  // One after the other: each may be in the way of the next.
  auto ready = lock_waits_.take_ready(inode, state_.locks(inode));
  if (!ready) return;
  try_lock(std::move(ready->request), std::move(ready->responder));
}

void Server::retry_all_locks() {
  for (const InodeNumber inode : lock_waits_.inodes()) retry_locks(inode);
}

void Server::handle(const CancelLock& request, std::string_view, Responder responder) {
  lock_waits_.cancel(request.session, request.ticket);
  responder.answer(encode(Nothing{}));
}

void Server::handle(const TestLock& request, std::string_view, Responder responder) {
  if (const Result<void> valid = check_lock(request.lock); !valid)
    return responder.fail(valid.error());
  const LockList list = state_.locks(request.lock.inode);
  TestLockReply reply;
  if (const LockEntry* held = find_conflict(list, request.session, request.lock))
    reply.held = held->range;
  responder.answer(encode(reply));
}

}  // namespace dfs::meta
