// SPDX-License-Identifier: Apache-2.0
// Locks: those that are held are in the state, those who wait for one are here.
#include <algorithm>
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
  if (is_of_snapshot(request.session)) return lock_snapshot(request, responder);
  begin_lock(request, std::move(responder));
}

// Readers have nobody to keep out: what they lock is not kept, and never in anybody's way.
void Server::lock_snapshot(const SetLock& request, Responder& responder) {
  if (request.lock.kind == LockKind::exclusive)
    return responder.fail(
        {Code::failed_precondition, "a snapshot is read-only", "snapshot_read_only", EROFS});
  responder.answer(encode(SetLockReply{}));
}

// Who has the write lease may have decided locks that are not known here: it gives the lease back
// first, and those come with it. Until this one is decided nobody else gets that lease.
void Server::begin_lock(SetLock request, Responder responder) {
  auto wait = std::make_shared<Wait>(std::move(responder));
  wait->session = request.session;
  wait->pins = true;
  wait->needs = [inode = request.lock.inode, kind = request.lock.kind] {
    std::vector<LeaseClaim> needs;
    if (kind != LockKind::unlock) needs.push_back({inode, Lease::read});
    return needs;
  };
  wait->go = [this, request = std::move(request)](const WaitHandle& self) {
    try_lock(request, self);
  };
  begin(std::move(wait));
}

void Server::try_lock(const SetLock& request, const WaitHandle& waiting) {
  propose(encode_command(SetLockCommand{request.session, request.lock}),
          [this, request, waiting, reign = reign_](const Result<std::string>& answer) {
            unpin(waiting);
            Responder& responder = waiting->responder;
            if (!answer) return responder.fail(answer.error());
            const Result<Nothing> done = decode_answer<Nothing>(*answer);
            if (done) {
              SetLockReply reply;
              reply.is_alone = reign == reign_ && is_alone(request.lock.inode, request.session);
              responder.answer(encode(reply));
              // Less may be locked now, and others may be ready beside this one.
              return retry_locks(request.lock.inode);
            }
            if (done.error().reason != "lock_held" || !request.wait || reign != reign_)
              return responder.fail(done.error());
            if (lock_waits_.is_given_up(request.session, request.ticket))
              return responder.fail(LockWaits::interrupted());
            const auto locks = [this](InodeNumber inode) { return state_.locks(inode); };
            if (lock_waits_.closes_ring(request, locks))
              return responder.fail({Code::failed_precondition,
                                     "the holder of the lock waits for this owner", "deadlock",
                                     EDEADLK});
            if (lock_waits_.size() >= options_.requests_max)
              return responder.fail(
                  {Code::throttled, "too many requests wait", "too_many_requests", ENOLCK});
            lock_waits_.add({request, std::move(responder)});
            retry_locks(request.lock.inode);  // it may have been given back meanwhile
          });
}

bool Server::is_alone(InodeNumber inode, SessionNumber session) const {
  const LockList list = state_.locks(inode);
  return leases_.is_sole_writer(inode, session) && !lock_waits_.has(inode) &&
         std::all_of(list.locks.begin(), list.locks.end(),
                     [&](const LockEntry& entry) { return entry.session == session; });
}

void Server::retry_locks(InodeNumber inode) {
  // One after the other: each may be in the way of the next.
  auto ready = lock_waits_.take_ready(inode, state_.locks(inode));
  if (!ready) return;
  begin_lock(std::move(ready->request), std::move(ready->responder));
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
  if (is_of_snapshot(request.session)) return responder.answer(encode(TestLockReply{}));
  auto wait = std::make_shared<Wait>(std::move(responder));
  wait->session = request.session;
  wait->needs = [inode = request.lock.inode] {
    return std::vector<LeaseClaim>{{inode, Lease::read}};
  };
  wait->go = [this, request](const WaitHandle& self) {
    const LockList list = state_.locks(request.lock.inode);
    TestLockReply reply;
    if (const LockEntry* held = find_conflict(list, request.session, request.lock))
      reply.held = held->range;
    self->responder.answer(encode(reply));
  };
  begin(std::move(wait));
}

}  // namespace dfs::meta
