// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/replica.h"

#include <algorithm>

namespace dfs::replication {

using base::Instant;

namespace {

constexpr std::size_t kRoundsKept = 256;

std::size_t weight(const Entry& entry) { return sizeof(Entry) + entry.payload.size(); }

}  // namespace

Replica::Replica(ReplicaOptions options, const Rules& rules, StoredState stored, Instant now)
    : options_(std::move(options)),
      rules_(rules),
      promised_(stored.promised),
      base_index_(stored.applied),
      base_epoch_(stored.applied_epoch),
      log_(stored.log.begin(), stored.log.end()),
      committed_(stored.applied),
      applied_(stored.applied),
      heard_primary_(now) {
  durable_ = last_index();
  for (const Entry& entry : log_) log_bytes_ += weight(entry);
}

Index Replica::last_index() const { return base_index_ + log_.size(); }

Epoch Replica::epoch_at(Index index) const {
  CHECK_THAT(index >= base_index_ && index <= last_index());
  return index == base_index_ ? base_epoch_ : log_[index - base_index_ - 1].epoch;
}

Replica::Actions Replica::on_message(const NodeId& from, const Message& message, Instant now) {
  Actions actions;
  std::visit([&](const auto& body) { handle(from, body, now, actions); }, message);
  return actions;
}

// ---- member ----

void Replica::handle(const NodeId& from, const Append& append, Instant now, Actions& actions) {
  if (!rules_.accepts(append.epoch, promised_)) {
    actions.push_back(SendMessage{from, AppendReply{promised_, false, 0, 0, 0}});
    return;
  }
  heard_primary_ = now;
  const bool known = append.previous_index <= last_index() &&
                     (append.previous_index < base_index_ ||
                      epoch_at(append.previous_index) == append.previous_epoch);
  if (!known) {
    const Index meet = std::max(base_index_, std::min(last_index(), append.previous_index - 1));
    actions.push_back(SendMessage{
        from, AppendReply{append.epoch, false, meet, epoch_at(meet), append.lease_round}});
    return;
  }
  accept_entries(from, append, actions);
  const Index matched = append.previous_index + append.entries.size();
  committed_ = std::max(committed_, std::min(append.committed, matched));
  apply_committed(actions);
}

// Requires: the entry before the first one is in our log.
void Replica::accept_entries(const NodeId& from, const Append& append, Actions& actions) {
  // What lies behind this in our log may differ from the primary's: only up to here we vouch.
  const Index matched = append.previous_index + append.entries.size();
  std::vector<Entry> fresh;
  std::optional<Index> keep;
  for (const Entry& entry : append.entries) {
    if (entry.index <= base_index_) continue;
    if (fresh.empty() && entry.index <= last_index()) {
      if (epoch_at(entry.index) == entry.epoch) continue;
      // Only entries that no primary may have acknowledged differ between logs.
      CHECK_THAT(entry.index > committed_);
      keep = entry.index - 1;
    }
    fresh.push_back(entry);
  }
  if (!fresh.empty() || append.epoch > promised_) {
    promised_ = append.epoch;
    write(keep, std::move(fresh), actions);
    writes_.back().reply = PendingReply{from, matched, append.lease_round};
    return;
  }
  actions.push_back(SendMessage{
      from, AppendReply{append.epoch, true, std::min(matched, durable_), 0, append.lease_round}});
}

void Replica::write(std::optional<Index> keep, std::vector<Entry> entries, Actions& actions) {
  if (keep) {
    while (last_index() > *keep) {
      log_bytes_ -= weight(log_.back());
      log_.pop_back();
    }
    durable_ = std::min(durable_, *keep);
    for (PendingWrite& pending : writes_) pending.last = std::min(pending.last, *keep);
  }
  log_.insert(log_.end(), entries.begin(), entries.end());
  for (const Entry& entry : entries) log_bytes_ += weight(entry);
  const std::uint64_t ticket = next_ticket_++;
  writes_.push_back({ticket, last_index(), promised_, std::nullopt});
  actions.push_back(WriteLog{ticket, promised_, keep, std::move(entries)});
}

Replica::Actions Replica::on_durable(std::uint64_t ticket, Instant) {
  Actions actions;
  while (!writes_.empty() && writes_.front().ticket <= ticket) {
    const PendingWrite done = std::move(writes_.front());
    writes_.pop_front();
    durable_ = std::max(durable_, done.last);
    // A reply to a primary that has been replaced meanwhile would vouch for entries that the new
    // one may have cut.
    if (done.reply && done.epoch == promised_) {
      const Index vouched = std::min(done.reply->matched, durable_);
      actions.push_back(SendMessage{
          done.reply->to, AppendReply{done.epoch, true, vouched, 0, done.reply->lease_round}});
    }
  }
  if (is_primary() && established_) {
    durable_of_[options_.self] = durable_;
    advance_commit(actions);
  } else {
    apply_committed(actions);
  }
  return actions;
}

void Replica::apply_committed(Actions& actions) {
  // A node that is still joining may hear of commits before its own disk has the entries.
  const Index through = std::min(committed_, durable_);
  while (applied_ < through) {
    ++applied_;
    actions.push_back(ApplyEntry{log_[applied_ - base_index_ - 1]});
  }
}

void Replica::tick_member(Instant now, Actions& actions) {
  if (asked_ || !rules_.may_replace_primary(now, heard_primary_, options_.times)) return;
  Configuration next = configuration_;
  ++next.epoch;
  next.primary = options_.self;
  std::erase(next.in_sync, configuration_.primary);
  change_configuration(std::move(next), actions);
}

// ---- primary ----

void Replica::become_primary(Instant now, Actions& actions) {
  peers_.clear();
  durable_of_.clear();
  granted_.clear();
  rounds_.clear();
  abandon_all(actions);
  established_ = true;
  inherited_ = last_index();
  promised_ = configuration_.epoch;
  durable_of_[options_.self] = durable_;
  write(std::nullopt, {}, actions);
  for (const NodeId& node : configuration_.in_sync) {
    if (node == options_.self) continue;
    // Every in-sync member has what is committed, so this is where all logs agree.
    Peer& peer = peers_[node];
    peer.next = committed_ + 1;
    peer.heard = now;
    send_append(node, peer, now, actions);
  }
  advance_commit(actions);
}

void Replica::abandon_all(Actions& actions) {
  for (const auto& [index, request] : waiting_) actions.push_back(Abandon{request});
  waiting_.clear();
}

base::Result<Replica::Actions> Replica::propose(std::vector<Proposal> proposals, Instant now) {
  if (!is_primary() || !established_) {
    return base::Error{base::Code::unavailable, "this member is not the group's primary",
                       "not_primary"};
  }
  if (!rules_.enough_copies(configuration_, options_.min_in_sync)) {
    return base::Error{base::Code::unavailable,
                       std::to_string(configuration_.in_sync.size()) + " of at least " +
                           std::to_string(options_.min_in_sync) + " copies are in sync",
                       "too_few_copies"};
  }
  if (waiting_.size() + proposals.size() > kInFlightMax) {
    return base::Error{base::Code::throttled, "too many writes are under way", "in_flight_full"};
  }
  Actions actions;
  std::vector<Entry> entries;
  entries.reserve(proposals.size());
  for (Proposal& proposal : proposals) {
    const Index index = last_index() + 1 + entries.size();
    waiting_[index] = proposal.request;
    entries.push_back({configuration_.epoch, index, proposal.request, std::move(proposal.payload)});
  }
  write(std::nullopt, std::move(entries), actions);
  for (auto& [node, peer] : peers_) {
    if (!peer.probe_round) send_append(node, peer, now, actions);
  }
  return actions;
}

void Replica::send_append(const NodeId& to, Peer& peer, Instant now, Actions& actions) {
  if (peer.next <= base_index_) {
    // Its log ends before ours begins. Only a node outside the in-sync set can be that far behind.
    if (!peer.needs_snapshot) actions.push_back(TransferSnapshot{to});
    peer.needs_snapshot = true;
    return;
  }
  Append append;
  append.epoch = configuration_.epoch;
  append.previous_index = peer.next - 1;
  append.previous_epoch = epoch_at(peer.next - 1);
  const Index most = std::min<Index>(last_index(), peer.next - 1 + kAppendEntriesMax);
  Index last = peer.next - 1;
  for (std::size_t bytes = 0; last < most && bytes < kAppendBytesMax; ++last) {
    append.entries.push_back(log_[last - base_index_]);
    bytes += append.entries.back().payload.size();
  }
  append.committed = committed_;
  append.lease_round = ++lease_round_;
  if (peer.probe_round) peer.probe_round = lease_round_;
  rounds_.emplace_back(lease_round_, now);
  if (rounds_.size() > kRoundsKept) rounds_.pop_front();
  // Counted as arrived; a loss shows as a refused append and sets `next` back.
  peer.next = last + 1;
  peer.sent = now;
  actions.push_back(SendMessage{to, std::move(append)});
}

void Replica::handle(const NodeId& from, const AppendReply& reply, Instant now, Actions& actions) {
  const auto at = peers_.find(from);
  if (!is_primary() || !established_ || reply.epoch != configuration_.epoch || at == peers_.end()) {
    return;
  }
  Peer& peer = at->second;
  remember_round(from, reply.lease_round);
  if (!reply.accepted) {
    // Appends sent before the one that asks where to go on are refused too; they say nothing new.
    if (peer.probe_round && reply.lease_round < *peer.probe_round) return;
    // Epochs only grow along a log, so both can be equal only where ours is no higher.
    Index meet = std::min(reply.durable, last_index());
    while (meet > base_index_ && epoch_at(meet) > reply.refused_epoch) --meet;
    peer.next = std::min(peer.next, std::max(meet, agreed_with(from)) + 1);
    send_append(from, peer, now, actions);
    peer.probe_round = lease_round_;
    return;
  }
  peer.heard = now;  // one that only ever refuses is as good as silent
  if (peer.probe_round && reply.lease_round >= *peer.probe_round) peer.probe_round.reset();
  durable_of_[from] = std::max(durable_of_[from], reply.durable);
  advance_commit(actions);
  try_take_in(actions);
  if (peer.next <= last_index() && !peer.probe_round) send_append(from, peer, now, actions);
}

Index Replica::agreed_with(const NodeId& node) const {
  const auto durable = durable_of_.find(node);
  const Index known = durable == durable_of_.end() ? 0 : durable->second;
  // An in-sync member has all that is committed, whether it knows it or not.
  return configuration_.has(node) ? std::max(known, committed_) : known;
}

void Replica::remember_round(const NodeId& from, std::uint64_t round) {
  const auto at =
      std::lower_bound(rounds_.begin(), rounds_.end(), round,
                       [](const auto& each, auto wanted) { return each.first < wanted; });
  if (at == rounds_.end() || at->first != round) return;
  Instant& granted = granted_[from];
  granted = std::max(granted, at->second);
}

void Replica::advance_commit(Actions& actions) {
  // While a change of the in-sync set is unanswered, both sets must hold an entry.
  Configuration both = configuration_;
  if (asked_) {
    for (const NodeId& node : asked_->in_sync) {
      if (!both.has(node)) both.in_sync.push_back(node);
    }
  }
  if (!rules_.enough_copies(configuration_, options_.min_in_sync)) return;
  const Index through = std::min(rules_.committable(both, durable_of_), last_index());
  committed_ = std::max(committed_, through);
  apply_committed(actions);
  while (!waiting_.empty() && waiting_.begin()->first <= committed_) {
    actions.push_back(Acknowledge{waiting_.begin()->second});
    waiting_.erase(waiting_.begin());
  }
}

bool Replica::may_read(Instant now) const {
  return is_serving() &&
         now < rules_.lease_end(configuration_, options_.self, granted_, options_.times);
}

void Replica::handle(const NodeId& from, const Join& join, Instant now, Actions& actions) {
  if (!is_primary() || !established_ || configuration_.has(from)) return;
  Peer& peer = peers_[from];
  peer.heard = now;
  if (peer.sent != Instant{} && !peer.needs_snapshot) return;  // being brought up to date
  durable_of_.erase(from);
  peer.next = std::min(join.last_index, last_index()) + 1;
  peer.needs_snapshot = false;
  send_append(from, peer, now, actions);
}

void Replica::try_take_in(Actions& actions) {
  if (asked_) return;
  for (const auto& [node, peer] : peers_) {
    const auto durable = durable_of_.find(node);
    if (configuration_.has(node) || peer.needs_snapshot || durable == durable_of_.end()) continue;
    // From the moment of asking, nothing commits without this node: see advance_commit. What was
    // inherited may have been acknowledged by a primary before us, though we cannot commit it yet.
    if (!rules_.caught_up(durable->second, std::max(committed_, inherited_))) continue;
    Configuration next = configuration_;
    ++next.epoch;
    next.in_sync.push_back(node);
    std::sort(next.in_sync.begin(), next.in_sync.end());
    change_configuration(std::move(next), actions);
    return;
  }
}

void Replica::tick_primary(Instant now, Actions& actions) {
  std::optional<NodeId> silent;
  for (auto at = peers_.begin(); at != peers_.end();) {
    auto& [node, peer] = *at;
    const bool is_silent = now - peer.heard >= options_.member_silence;
    if (is_silent && !configuration_.has(node) && !(asked_ && asked_->has(node))) {
      durable_of_.erase(node);
      at = peers_.erase(at);
      continue;
    }
    if (is_silent && configuration_.has(node)) silent = node;
    if (now - peer.sent >= options_.heartbeat) send_append(node, peer, now, actions);
    ++at;
  }
  // With fewer copies nothing could be acknowledged, and the last one might be lost while the one
  // that was taken out has everything.
  if (!silent || asked_ || configuration_.in_sync.size() <= options_.min_in_sync) return;
  Configuration next = configuration_;
  ++next.epoch;
  std::erase(next.in_sync, *silent);
  change_configuration(std::move(next), actions);
}

// ---- configuration ----

void Replica::change_configuration(Configuration next, Actions& actions) {
  next.asked_by = options_.incarnation;
  next.asked_count = ++asked_count_;
  asked_ = next;
  actions.push_back(ChangeConfiguration{std::move(next)});
}

Replica::Actions Replica::on_configuration(const Configuration& configuration, Instant now) {
  Actions actions;
  if (configuration.epoch < configuration_.epoch) return actions;
  const bool ours = rules_.may_lead(asked_, configuration);
  // The epoch that we asked for is taken, by us or by another: the question is settled.
  if (asked_ && asked_->epoch <= configuration.epoch) asked_.reset();
  const bool same = configuration == configuration_;
  const bool led_before = is_primary() && established_;
  configuration_ = configuration;
  if (!is_primary()) {
    if (!same) heard_primary_ = now;
    established_ = false;
    abandon_all(actions);
    return actions;
  }
  if (same && established_) {
    advance_commit(actions);
    return actions;
  }
  // A process that finds itself primary of an epoch that one before it may have led must not order
  // entries in it: others with the same epoch and index may lie on members' disks. It takes the
  // next one.
  if (!ours) {
    Configuration next = configuration_;
    ++next.epoch;
    change_configuration(std::move(next), actions);
    return actions;
  }
  if (!led_before) {
    become_primary(now, actions);
    return actions;
  }
  // Still primary with another in-sync set: what members have on disk stays known, and their
  // leases too; a node that was just taken in has answered appends like them.
  promised_ = configuration_.epoch;
  write(std::nullopt, {}, actions);
  for (auto& [node, peer] : peers_) {
    peer.next = std::min(peer.next, agreed_with(node) + 1);
    send_append(node, peer, now, actions);
  }
  advance_commit(actions);
  return actions;
}

Replica::Actions Replica::on_change_dropped(const Configuration& change) {
  Actions actions;
  if (asked_ != change) return actions;
  asked_.reset();
  if (is_primary() && established_) advance_commit(actions);
  return actions;
}

Replica::Actions Replica::on_tick(Instant now) {
  Actions actions;
  if (is_primary() && established_) {
    tick_primary(now, actions);
  } else if (in_group() && !is_primary()) {
    tick_member(now, actions);
  } else if (!in_group() && !configuration_.primary.empty() &&
             now - join_sent_ >= options_.heartbeat * 2) {
    join_sent_ = now;
    actions.push_back(
        SendMessage{configuration_.primary, Join{configuration_.epoch, last_index()}});
  }
  return actions;
}

bool Replica::needs_snapshot(Index index, Epoch index_epoch) const {
  // A snapshot holds committed entries. A log that lacks the last of them is not in sync and may
  // go; any other holds what others count on.
  return index > applied_ && (index > last_index() || epoch_at(index) != index_epoch);
}

void Replica::on_snapshot_installed(Index index, Epoch index_epoch, Instant now) {
  CHECK_THAT(needs_snapshot(index, index_epoch));
  log_.clear();
  log_bytes_ = 0;
  writes_.clear();
  base_index_ = durable_ = committed_ = applied_ = index;
  base_epoch_ = index_epoch;
  join_sent_ = now - options_.heartbeat * 2;
}

void Replica::discard_log_before(Index index) {
  CHECK_THAT(index <= applied_);
  if (index <= base_index_) return;
  base_epoch_ = epoch_at(index);
  for (; base_index_ < index; ++base_index_) {
    log_bytes_ -= weight(log_.front());
    log_.pop_front();
  }
}

Index Replica::discardable(std::size_t bytes) const {
  Index through = base_index_;
  std::size_t left = log_bytes_;
  while (left > bytes && through < applied_) left -= weight(log_[through++ - base_index_]);
  return through;
}

std::optional<std::vector<Entry>> Replica::log_behind(Index index) const {
  if (index < base_index_ || index > last_index()) return std::nullopt;
  return std::vector<Entry>(log_.begin() + static_cast<std::ptrdiff_t>(index - base_index_),
                            log_.end());
}

bool Replica::is_serving() const {
  return is_primary() && established_ && rules_.may_serve(committed_, inherited_) &&
         applied_ == committed_;
}

}  // namespace dfs::replication
