// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/lock_waits.h"

#include <algorithm>
#include <cerrno>
#include <set>

namespace dfs::meta {
namespace {

using base::Code;
using base::Error;
using Owner = std::pair<SessionNumber, std::uint64_t>;

// More than a client has waits under way; tickets count up, so the oldest is forgotten.
constexpr std::size_t kGivenUpMax = 1024;

}  // namespace

bool LockWaits::closes_ring(const SetLock& request, const Locks& locks) const {
  if (request.lock.flavour != LockFlavour::posix) return false;
  const Owner self{request.session, request.lock.owner};
  std::set<Owner> seen;
  std::vector<const SetLock*> open{&request};
  while (!open.empty()) {
    const SetLock* waiting = open.back();
    open.pop_back();
    const LockList list = locks(waiting->lock.inode);
    for (const LockEntry& entry : list.locks) {
      if (find_conflict({{entry}}, waiting->session, waiting->lock) == nullptr) continue;
      const Owner holder{entry.session, entry.range.owner};
      if (holder == self) return true;
      if (!seen.insert(holder).second) continue;
      for (const auto& [inode, queue] : waits_) {
        for (const Wait& wait : queue) {
          if (Owner{wait.request.session, wait.request.lock.owner} == holder &&
              wait.request.lock.flavour == LockFlavour::posix)
            open.push_back(&wait.request);
        }
      }
    }
  }
  return false;
}

void LockWaits::add(Wait wait) {
  std::deque<Wait>& queue = waits_[wait.request.lock.inode];
  for (Wait& other : queue) {
    if (other.request.session == wait.request.session &&
        other.request.ticket == wait.request.ticket) {
      other.responder = std::move(wait.responder);
      return;
    }
  }
  queue.push_back(std::move(wait));
}

std::optional<LockWaits::Wait> LockWaits::take_ready(InodeNumber inode, const LockList& locks) {
  const auto at = waits_.find(inode);
  if (at == waits_.end()) return std::nullopt;
  for (auto wait = at->second.begin(); wait != at->second.end(); ++wait) {
    if (find_conflict(locks, wait->request.session, wait->request.lock) != nullptr) continue;
    std::optional<Wait> taken(std::move(*wait));
    at->second.erase(wait);
    if (at->second.empty()) waits_.erase(at);
    return taken;
  }
  return std::nullopt;
}

Error LockWaits::interrupted() {
  return {Code::failed_precondition, "the wait was given up", "interrupted", EINTR};
}

bool LockWaits::is_given_up(SessionNumber session, std::uint64_t ticket) const {
  const auto tickets = given_up_.find(session);
  return tickets != given_up_.end() && tickets->second.contains(ticket);
}

void LockWaits::cancel(SessionNumber session, std::uint64_t ticket) {
  std::set<std::uint64_t>& tickets = given_up_[session];
  tickets.insert(ticket);
  if (tickets.size() > kGivenUpMax) tickets.erase(tickets.begin());
  for (auto& [inode, queue] : waits_) {
    const auto wait = std::find_if(queue.begin(), queue.end(), [&](const Wait& other) {
      return other.request.session == session && other.request.ticket == ticket;
    });
    if (wait == queue.end()) continue;
    wait->responder.fail(interrupted());
    queue.erase(wait);
    if (queue.empty()) waits_.erase(inode);
    return;
  }
}

void LockWaits::drop_session(SessionNumber session, const Error& error) {
  given_up_.erase(session);
  for (auto at = waits_.begin(); at != waits_.end();) {
    std::erase_if(at->second, [&](Wait& wait) {
      if (wait.request.session != session) return false;
      wait.responder.fail(error);
      return true;
    });
    at = at->second.empty() ? waits_.erase(at) : std::next(at);
  }
}

std::vector<InodeNumber> LockWaits::inodes() const {
  std::vector<InodeNumber> inodes;
  for (const auto& [inode, queue] : waits_) inodes.push_back(inode);
  return inodes;
}

void LockWaits::clear() {
  given_up_.clear();
  const auto waits = std::exchange(waits_, {});
  for (const auto& [inode, queue] : waits) {
    for (const Wait& wait : queue)
      const_cast<Wait&>(wait).responder.fail(
          {Code::unavailable, "this server does not lead any more", "not_primary"});
  }
}

std::size_t LockWaits::size() const {
  std::size_t sum = 0;
  for (const auto& [inode, queue] : waits_) sum += queue.size();
  return sum;
}

}  // namespace dfs::meta
