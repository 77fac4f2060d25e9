// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>

#include "tests/unit/dfs/meta/sim_client.h"

namespace dfs::meta::testing {
namespace {

bool conflict(Lease one, Lease other) {
  return (one == Lease::write && other != Lease::none) ||
         (other == Lease::write && one != Lease::none);
}

}  // namespace

void Judge::hold(int client, InodeNumber inode, Lease lease) { held_[inode][client] = lease; }

void Judge::drop_all(int client) {
  for (auto& [inode, holders] : held_) holders.erase(client);
}

void Judge::use(int client, InodeNumber inode, Lease lease) {
  ++uses;
  for (const auto& [other, held] : held_[inode]) {
    if (other == client || !conflict(held, lease) || trusted_[other] <= world_.clock().now())
      continue;
    fail("clients " + std::to_string(client) + " and " + std::to_string(other) +
         " both have a lease of inode " + std::to_string(inode));
  }
}

void Judge::wrote(int client, InodeNumber inode, std::uint32_t value) {
  Register& at = registers_[inode];
  at.writer = client;
  at.last = value;
  at.unflushed.push_back(value);
}

void Judge::flushed(InodeNumber inode, std::uint32_t value) {
  Register& at = registers_[inode];
  const auto found = std::find(at.unflushed.begin(), at.unflushed.end(), value);
  if (found == at.unflushed.end()) return;
  at.stored = value;
  at.unflushed.erase(at.unflushed.begin(), found + 1);
}

void Judge::lost(InodeNumber inode) { registers_[inode].is_uncertain = true; }

void Judge::read(int client, InodeNumber inode, std::uint32_t value) {
  ++reads;
  Register& at = registers_[inode];
  // Its session may have ended before its writer comes to know.
  if (!at.unflushed.empty() && trusted_[at.writer] <= world_.clock().now()) at.is_uncertain = true;
  const bool may_be =
      value == at.last ||
      (at.is_uncertain && (value == at.stored || std::find(at.unflushed.begin(), at.unflushed.end(),
                                                           value) != at.unflushed.end()));
  if (!may_be)
    return fail("client " + std::to_string(client) + " read " + std::to_string(value) +
                " of inode " + std::to_string(inode) + ", not " + std::to_string(at.last));
  if (at.is_uncertain) at = {value, value, {}, -1, false};
}

void Judge::check_names() {
  for (const auto& [name, history] : names_) {
    events += history.size();
    if (!is_linearizable(history)) fail("no order explains the history of name " + name);
  }
}

// Wing and Gong's search with Lowe's memory of states that were seen.
bool is_linearizable(std::vector<NameEvent> events) {
  const base::Instant never{base::Duration::max()};
  for (NameEvent& event : events) {
    if (!event.is_known) event.to = never;
  }
  std::sort(events.begin(), events.end(),
            [](const NameEvent& a, const NameEvent& b) { return a.from < b.from; });
  std::set<std::pair<std::vector<bool>, InodeNumber>> seen;
  const std::function<bool(std::vector<bool>&, InodeNumber)> search = [&](std::vector<bool>& taken,
                                                                          InodeNumber now) {
    // Nothing may come before what had ended when it began.
    base::Instant first_end = never;
    bool is_all_known = true;
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (taken[i]) continue;
      first_end = std::min(first_end, events[i].to);
      is_all_known = is_all_known && !events[i].is_known;
    }
    if (is_all_known) return true;  // what is left need not have happened
    if (!seen.emplace(taken, now).second) return false;
    for (std::size_t i = 0; i < events.size(); ++i) {
      const NameEvent& event = events[i];
      if (taken[i]) continue;
      if (event.from > first_end) break;
      InodeNumber next = now;
      bool fits = true;
      switch (event.what) {
        case NameEvent::What::create:
          fits = !event.is_known || event.done == (now == 0);
          if (now == 0) next = event.inode;
          break;
        case NameEvent::What::remove:
          fits = !event.is_known || event.done == (now != 0);
          next = 0;
          break;
        case NameEvent::What::look: fits = event.inode == now; break;
      }
      if (!fits) continue;
      taken[i] = true;
      if (search(taken, next)) return true;
      taken[i] = false;
    }
    return false;
  };
  std::vector<bool> taken(events.size());
  return search(taken, 0);
}

}  // namespace dfs::meta::testing
