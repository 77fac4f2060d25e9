// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/leases.h"

#include <algorithm>

namespace dfs::meta {
namespace {

constexpr std::size_t kOrderSlack = 4096;  // what is gone, in the order of granting

bool conflict(Lease one, Lease other) {
  return (one == Lease::write && other != Lease::none) ||
         (other == Lease::write && one != Lease::none);
}

template <class Items>
auto find_session(Items& items, SessionNumber session) {
  return std::find_if(items.begin(), items.end(),
                      [&](const auto& item) { return item.session == session; });
}

}  // namespace

Lease LeaseTable::held(InodeNumber inode, SessionNumber session) const {
  const auto at = entries_.find(inode);
  if (at == entries_.end()) return Lease::none;
  const auto holder = find_session(at->second.holders, session);
  return holder == at->second.holders.end() ? Lease::none : holder->lease;
}

bool LeaseTable::is_sole_writer(InodeNumber inode, SessionNumber session) const {
  if (held(inode, session) != Lease::write) return false;
  const auto recalls = recalled_.find(session);
  return recalls == recalled_.end() || !recalls->second.contains(inode);
}

bool LeaseTable::is_free(InodeNumber inode, SessionNumber session, Lease lease,
                         Ticket ticket) const {
  if (lease == Lease::none) return true;
  const auto at = entries_.find(inode);
  if (at == entries_.end()) return true;
  for (const Pin& pin : at->second.pins) {
    if (pin.session != session) return false;
  }
  Lease own = Lease::none;
  for (const Holder& holder : at->second.holders) {
    if (holder.session == session) {
      own = holder.lease;
    } else if (conflict(holder.lease, lease)) {
      return false;
    }
  }
  if (own >= lease) return true;
  return std::none_of(
      at->second.waiters.begin(), at->second.waiters.end(), [&](const Waiter& waiter) {
        return waiter.session != session && waiter.ticket < ticket && conflict(waiter.lease, lease);
      });
}

void LeaseTable::recall(InodeNumber inode, SessionNumber session, Lease keeps) {
  const auto [at, is_new] = recalled_[session].try_emplace(inode, keeps);
  if (!is_new && at->second <= keeps) return;
  at->second = keeps;
  recalls_due_[session].push_back({inode, keeps});
}

void LeaseTable::recall_for(InodeNumber inode, SessionNumber session, Lease lease) {
  const auto at = entries_.find(inode);
  if (at == entries_.end()) return;
  for (const Holder& holder : at->second.holders) {
    if (holder.session == session || !conflict(holder.lease, lease)) continue;
    recall(inode, holder.session, lease == Lease::read ? Lease::read : Lease::none);
  }
}

void LeaseTable::set(Entry& entry, InodeNumber inode, SessionNumber session, Lease lease) {
  const auto holder = find_session(entry.holders, session);
  if (holder != entry.holders.end()) {
    holder->lease = lease;
    return;
  }
  entry.holders.push_back({session, lease});
  ++counts_[session];
  order_.emplace_back(inode, session);
  if (order_.size() <= 2 * entries_.size() + kOrderSlack) return;
  std::set<std::pair<InodeNumber, SessionNumber>> seen;
  std::erase_if(order_, [&](const auto& granted) {
    return held(granted.first, granted.second) == Lease::none || !seen.insert(granted).second;
  });
}

Lease LeaseTable::grant(InodeNumber inode, SessionNumber session, Lease wanted) {
  const Lease own = held(inode, session);
  // What is being recalled is neither given again nor confirmed: the client may have given it back
  // already, and its word is on the way.
  const auto recalls = recalled_.find(session);
  if (recalls != recalled_.end()) {
    const auto recalled = recalls->second.find(inode);
    if (recalled != recalls->second.end()) return std::min(own, recalled->second);
  }
  if (wanted <= own) return own;
  const auto at = entries_.find(inode);
  Lease most = wanted;
  if (at != entries_.end()) {
    for (const Pin& pin : at->second.pins) {
      if (pin.session != session) return own;
    }
    for (const Holder& holder : at->second.holders) {
      if (holder.session == session) continue;
      if (holder.lease == Lease::write) return own;
      if (holder.lease == Lease::read) most = std::min(most, Lease::read);
    }
    for (const Waiter& waiter : at->second.waiters) {
      if (waiter.session == session) continue;
      most = std::min(most, waiter.lease == Lease::write ? Lease::none : Lease::read);
    }
  }
  if (most <= own) return own;
  set(entries_[inode], inode, session, most);
  return most;
}

void LeaseTable::expect_release(InodeNumber inode, SessionNumber session, Lease keeps) {
  if (held(inode, session) > keeps) recalled_[session].try_emplace(inode, keeps);
}

void LeaseTable::release(InodeNumber inode, SessionNumber session, Lease keeps) {
  const auto recalls = recalled_.find(session);
  if (recalls != recalled_.end()) {
    const auto recalled = recalls->second.find(inode);
    if (recalled != recalls->second.end() && keeps <= recalled->second)
      recalls->second.erase(recalled);
    if (recalls->second.empty()) recalled_.erase(recalls);
  }
  const auto at = entries_.find(inode);
  if (at == entries_.end()) return;
  const auto holder = find_session(at->second.holders, session);
  if (holder == at->second.holders.end() || holder->lease <= keeps) return;
  if (keeps == Lease::none) {
    at->second.holders.erase(holder);
    if (--counts_[session] == 0) counts_.erase(session);
  } else {
    holder->lease = keeps;
  }
  wake(at->second);
  drop_if_empty(inode);
}

bool LeaseTable::reclaim(InodeNumber inode, SessionNumber session, Lease lease) {
  if (lease == Lease::none) return true;
  Entry& entry = entries_[inode];
  for (const Holder& holder : entry.holders) {
    if (holder.session != session && conflict(holder.lease, lease)) return false;
  }
  set(entry, inode, session, lease);
  return true;
}

void LeaseTable::pin(InodeNumber inode, SessionNumber session) {
  Entry& entry = entries_[inode];
  const auto pin = find_session(entry.pins, session);
  if (pin == entry.pins.end()) {
    entry.pins.push_back({session, 1});
  } else {
    ++pin->count;
  }
}

void LeaseTable::unpin(InodeNumber inode, SessionNumber session) {
  const auto at = entries_.find(inode);
  if (at == entries_.end()) return;
  const auto pin = find_session(at->second.pins, session);
  if (pin == at->second.pins.end() || --pin->count > 0) return;
  at->second.pins.erase(pin);
  wake(at->second);
  drop_if_empty(inode);
}

void LeaseTable::wait(Ticket ticket, SessionNumber session, const std::vector<LeaseClaim>& needs) {
  // Who merely waits on wakes nobody: two would wake each other for ever.
  std::set<InodeNumber> left = remove_waiter(ticket);
  woken_.erase(ticket);
  std::vector<InodeNumber>& inodes = waiting_[ticket];
  for (const LeaseClaim& need : needs) {
    if (need.lease == Lease::none) continue;
    inodes.push_back(need.inode);
    entries_[need.inode].waiters.push_back({ticket, session, need.lease});
    left.erase(need.inode);
  }
  wake_and_drop(left);
}

void LeaseTable::stop_waiting(Ticket ticket) { wake_and_drop(remove_waiter(ticket)); }

std::set<InodeNumber> LeaseTable::remove_waiter(Ticket ticket) {
  std::set<InodeNumber> left;
  const auto at = waiting_.find(ticket);
  if (at == waiting_.end()) return left;
  for (const InodeNumber inode : at->second) {
    const auto entry = entries_.find(inode);
    if (entry == entries_.end()) continue;
    std::erase_if(entry->second.waiters,
                  [&](const Waiter& waiter) { return waiter.ticket == ticket; });
    left.insert(inode);
  }
  waiting_.erase(at);
  return left;
}

void LeaseTable::wake_and_drop(const std::set<InodeNumber>& inodes) {
  for (const InodeNumber inode : inodes) {
    const auto entry = entries_.find(inode);
    if (entry == entries_.end()) continue;
    wake(entry->second);
    drop_if_empty(inode);
  }
}

void LeaseTable::wake(const Entry& entry) {
  for (const Waiter& waiter : entry.waiters) woken_.insert(waiter.ticket);
}

void LeaseTable::drop_if_empty(InodeNumber inode) {
  const auto at = entries_.find(inode);
  if (at != entries_.end() && at->second.holders.empty() && at->second.pins.empty() &&
      at->second.waiters.empty())
    entries_.erase(at);
}

void LeaseTable::drop_session(SessionNumber session) {
  recalled_.erase(session);
  recalls_due_.erase(session);
  counts_.erase(session);
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    const bool had = std::erase_if(entry.holders, [&](const Holder& holder) {
                       return holder.session == session;
                     }) > 0;
    if (had) wake(entry);
    const bool is_empty = entry.holders.empty() && entry.pins.empty() && entry.waiters.empty();
    at = is_empty ? entries_.erase(at) : std::next(at);
  }
}

void LeaseTable::clear() { *this = LeaseTable(); }

std::map<SessionNumber, std::vector<LeaseClaim>> LeaseTable::take_recalls() {
  return std::exchange(recalls_due_, {});
}

std::vector<LeaseClaim> LeaseTable::open_recalls(SessionNumber session) const {
  std::vector<LeaseClaim> claims;
  const auto at = recalled_.find(session);
  if (at == recalled_.end()) return claims;
  for (const auto& [inode, keeps] : at->second) claims.push_back({inode, keeps});
  return claims;
}

std::set<Ticket> LeaseTable::take_woken() { return std::exchange(woken_, {}); }

std::size_t LeaseTable::held_by(SessionNumber session) const {
  const auto at = counts_.find(session);
  return at == counts_.end() ? 0 : at->second;
}

void LeaseTable::recall_all(SessionNumber session) {
  std::vector<InodeNumber> held_inodes;
  for (const auto& [inode, entry] : entries_)
    if (held(inode, session) != Lease::none) held_inodes.push_back(inode);
  for (const InodeNumber inode : held_inodes) recall(inode, session, Lease::none);
}

void LeaseTable::recall_oldest(std::size_t count_max) {
  std::size_t recalled = 0;
  for (const auto& [session, inodes] : recalled_) recalled += inodes.size();
  while (!order_.empty() && entries_.size() > count_max + recalled) {
    const auto [inode, session] = order_.front();
    order_.pop_front();
    if (held(inode, session) == Lease::none) continue;
    recall(inode, session, Lease::none);
    ++recalled;
  }
}

}  // namespace dfs::meta
