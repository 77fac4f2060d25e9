// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/group_member.h"

#include <algorithm>

#include "common/base/log.h"

namespace dfs::replication {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr base::Duration kAskAgain = std::chrono::milliseconds(200);
// Proposals of one write.
constexpr std::size_t kBatchEntries = 1024;
constexpr std::size_t kBatchBytes = std::size_t{1} << 20;

const Rules& right_rules() {
  static const Rules rules;
  return rules;
}

}  // namespace

GroupMember::GroupMember(GroupOptions options, Parts parts, StoredState stored, Index settled)
    : options_(std::move(options)),
      parts_(parts),
      replica_(options_.replica, options_.rules != nullptr ? *options_.rules : right_rules(),
               std::move(stored), now()),
      sender_(parts_.machine, parts_.timers.clock(), options_.replica.incarnation,
              [this](const NodeId& to, const PeerMessage& message) {
                parts_.peers.send(to, encode_message(message));
              }),
      receiver_(parts_.machine,
                [this](const NodeId& to, const PeerMessage& message) {
                  parts_.peers.send(to, encode_message(message));
                },
                {[this](Position position) {
                   return replica_.needs_snapshot(position.index, position.epoch);
                 },
                 [this](Position position) { on_installed(position); }}),
      applied_(replica_.applied()),
      durable_(replica_.applied()),
      next_request_(options_.replica.incarnation),
      settled_(settled),
      settled_on_disk_(settled),
      checkpoint_at_(now() + options_.checkpoint_every) {}

void GroupMember::start(bool reset_journal, std::optional<Index> keep) {
  const Position durable = parts_.machine.durable();
  LogWrite repair = plain_write();
  if (reset_journal) repair.base = durable;
  repair.keep = keep;
  if (reset_journal || keep) parts_.journal.append(options_.group, std::move(repair), {});
  parts_.journal.release(options_.group, durable);
  const std::weak_ptr<bool> alive = alive_;
  parts_.configurations.watch([this, alive](const Configuration& now_in_force) {
    if (!alive.expired()) run(replica_.on_configuration(now_in_force, now()));
  });
  tick();
}

// ---- actions ----

void GroupMember::run(Replica::Actions actions) {
  std::move(actions.begin(), actions.end(), std::back_inserter(actions_));
  if (performing_) return;
  performing_ = true;
  const std::weak_ptr<bool> alive = alive_;
  do {
    while (!actions_.empty()) {
      const Action action = std::move(actions_.front());
      actions_.pop_front();
      std::visit([this](const auto& each) { perform(each); }, action);
      if (alive.expired()) return;
    }
    after_actions();
    if (alive.expired()) return;
  } while (!actions_.empty());
  performing_ = false;
}

void GroupMember::after_actions() {
  if (const bool serving = replica_.is_serving(); serving != serving_) {
    serving_ = serving;
    if (!serving) sender_.drop_all();
    parts_.machine.on_role(serving);
  }
  trim();
}

void GroupMember::perform(const SendMessage& send) {
  parts_.peers.send(send.to, encode_message(send.message));
}

// Entries behind this go, and others will have their indices.
void GroupMember::unsettle_behind(Index index) {
  settled_ = std::min(settled_, index);
  for (Write& each : writes_) each.last = std::min(each.last, index);
}

LogWrite GroupMember::plain_write() const {
  LogWrite write;
  write.promised = replica_.promised();
  write.settled = settled_;
  return write;
}

void GroupMember::perform(const WriteLog& write) {
  if (write.keep) unsettle_behind(*write.keep);
  LogWrite log = plain_write();
  log.promised = write.promised;
  log.keep = write.keep;
  settled_on_disk_ = settled_;
  Write& pending = writes_.emplace_back(Write{write.ticket});
  const std::weak_ptr<bool> alive = alive_;
  const auto finish_one = [this, alive, ticket = write.ticket] {
    if (!alive.expired()) finish_part(ticket);
  };
  log.entries.reserve(write.entries.size());
  for (const Entry& entry : write.entries) {
    pending.last = entry.index;
    std::optional<std::string> substitute = parts_.machine.place(entry, finish_one);
    if (substitute) {
      ++pending.parts;
      pending.has_placed = true;
      written_bytes_ += entry.payload.size();  // a start reads it back
      log.entries.push_back(
          {{entry.epoch, entry.index, entry.request, *std::move(substitute)}, true});
    } else {
      log.entries.push_back({entry, false});
    }
  }
  written_bytes_ += encoded_size_max(log);
  parts_.journal.append(options_.group, std::move(log), finish_one);
}

void GroupMember::finish_part(std::uint64_t ticket) {
  const auto at = std::find_if(writes_.begin(), writes_.end(),
                               [&](const Write& each) { return each.ticket == ticket; });
  CHECK_THAT(at != writes_.end() && at->parts > 0);
  --at->parts;
  std::optional<std::uint64_t> done;
  while (!writes_.empty() && writes_.front().parts == 0) {
    done = writes_.front().ticket;
    if (writes_.front().has_placed) settled_ = std::max(settled_, writes_.front().last);
    writes_.pop_front();
  }
  if (!done) return;
  const std::weak_ptr<bool> alive = alive_;
  run(replica_.on_durable(*done, now()));
  if (!alive.expired()) flush();
}

void GroupMember::perform(const ApplyEntry& apply) {
  std::string answer = parts_.machine.apply(apply.entry);
  applied_ = apply.entry.index;
  const auto pending = pending_.find(apply.entry.request);
  if (pending != pending_.end()) pending->second.answer = std::move(answer);
}

void GroupMember::perform(const Acknowledge& acknowledge) {
  const auto pending = pending_.find(acknowledge.request);
  if (pending == pending_.end()) return;
  CHECK_THAT(pending->second.answer.has_value());
  finish(acknowledge.request, *std::move(pending->second.answer));
}

void GroupMember::perform(const Abandon& abandon) {
  finish(abandon.request,
         Error{Code::unavailable, "the group has another primary; the write may take effect",
               "not_primary"});
}

void GroupMember::perform(const ChangeConfiguration& change) {
  asked_ = change.next;
  ask(change.next);
}

// Until it is known what holds, the same attempt is made again: it takes effect once at most.
void GroupMember::ask(const Configuration& next) {
  const std::weak_ptr<bool> alive = alive_;
  parts_.configurations.change(next, [this, alive, next](Result<Configuration> settled) {
    if (alive.expired() || asked_ != next) return;
    if (settled) {
      asked_.reset();
      return run(replica_.on_configuration(*settled, now()));
    }
    ask_timer_ = parts_.timers.after(kAskAgain, [this, next] {
      if (asked_ == next) ask(next);
    });
  });
}

void GroupMember::perform(const TransferSnapshot& transfer) {
  const Result<void> started = sender_.start(transfer.to);
  if (!started)
    base::log::warning("DFS_SNAPSHOT_FAILED", "no snapshot for a member, it will ask again",
                       {{"member", transfer.to.text()}}, started.error());
}

// ---- proposals ----

Result<void> GroupMember::check_room(std::size_t bytes) const {
  if (!parts_.journal.has_room())
    return Error{Code::no_space, "the journal has no room until some of it was written back",
                 "journal_full"};
  if (pending_.size() >= kInFlightMax || pending_bytes_ + bytes > options_.log_bytes_max)
    return Error{Code::throttled, "too many writes are under way", "in_flight_full"};
  return {};
}

void GroupMember::propose(Payload payload, OnApplied applied) {
  const std::size_t bytes = payload.size();
  const Result<void> room = check_room(bytes);
  if (!room) return fail_soon(std::move(applied), room.error());
  const std::uint64_t request = next_request_++;
  pending_.emplace(request, Pending{std::move(applied), bytes, std::nullopt});
  pending_bytes_ += bytes;
  queue_bytes_ += bytes;
  queue_.push_back({request, std::move(payload)});
  flush();
}

void GroupMember::flush() {
  if (queue_.empty()) return;
  const bool is_full = queue_.size() >= kBatchEntries || queue_bytes_ >= kBatchBytes;
  if (!writes_.empty() && !is_full) return;
  std::vector<std::uint64_t> requests;
  for (const Proposal& each : queue_) requests.push_back(each.request);
  queue_bytes_ = 0;
  Result<Replica::Actions> actions = replica_.propose(std::exchange(queue_, {}), now());
  if (actions) return run(*std::move(actions));
  for (const std::uint64_t request : requests) {
    auto node = pending_.extract(request);
    pending_bytes_ -= node.mapped().bytes;
    fail_soon(std::move(node.mapped().applied), actions.error());
  }
}

void GroupMember::finish(std::uint64_t request, Result<std::string> answer) {
  auto node = pending_.extract(request);
  if (node.empty()) return;
  pending_bytes_ -= node.mapped().bytes;
  node.mapped().applied(std::move(answer));
}

void GroupMember::fail_soon(OnApplied applied, const Error& error) {
  refused_.emplace_back(std::move(applied), error);
  if (refusal_timer_) return;
  refusal_timer_ = parts_.timers.after({}, [this] {
    const auto refused = std::exchange(refused_, {});
    const base::TimerHandle fired = std::move(refusal_timer_);
    const std::weak_ptr<bool> alive = alive_;
    for (const auto& [applied_callback, why] : refused) {
      if (alive.expired()) return;
      applied_callback(why);
    }
  });
}

// ---- messages ----

void GroupMember::on_message(const NodeId& from, std::string_view bytes) {
  Result<PeerMessage> message = decode_message(bytes);
  if (!message) return;  // as if it was lost; the link counts and ends
  if (const auto* piece = std::get_if<SnapshotPiece>(&*message)) {
    const Result<void> taken = receiver_.on_piece(from, *piece);
    if (!taken && taken.error().reason != "snapshot_refused")
      base::log::warning("DFS_SNAPSHOT_FAILED", "a snapshot was not taken, asking again",
                         {{"member", from.text()}}, taken.error());
    return;
  }
  if (const auto* answer = std::get_if<SnapshotAnswer>(&*message)) {
    const Result<void> sent = sender_.on_answer(from, *answer);
    if (!sent)
      base::log::warning("DFS_SNAPSHOT_FAILED", "a snapshot cannot go on, starting anew",
                         {{"member", from.text()}}, sent.error());
    return;
  }
  Message& plain = std::get<Message>(*message);
  auto* append = std::get_if<Append>(&plain);
  const bool has_room = parts_.journal.has_room();
  if (append != nullptr && !has_room) append->entries.clear();
  Replica::Actions actions = replica_.on_message(from, plain, now());
  // A member without room accepts nothing, and is taken out until it has some. What was committed
  // it still hears, and where its log does not fit it says so, so that it goes on and room comes
  // back.
  if (append != nullptr && !has_room)
    std::erase_if(actions, [](const Action& each) {
      const auto* send = std::get_if<SendMessage>(&each);
      const auto* reply = send != nullptr ? std::get_if<AppendReply>(&send->message) : nullptr;
      return reply != nullptr && reply->accepted;
    });
  run(std::move(actions));
}

void GroupMember::on_installed(Position position) {
  unsettle_behind(position.index);
  LogWrite reset = plain_write();
  reset.base = position;
  // Writes that are under way are of the log that goes; the journal does them before this one.
  parts_.journal.append(options_.group, std::move(reset), {});
  applied_ = durable_ = position.index;
  written_bytes_ = 0;
  replica_.on_snapshot_installed(position.index, position.epoch, now());
}

// ---- time ----

void GroupMember::tick() {
  const std::weak_ptr<bool> alive = alive_;
  run(replica_.on_tick(now()));
  if (alive.expired()) return;
  sender_.on_tick();
  settle();
  checkpoint_if_due();
  flush();
  if (alive.expired()) return;
  tick_timer_ = parts_.timers.after(options_.replica.heartbeat / 3, [this] { tick(); });
}

// Tells the journal of payloads that have become durable elsewhere, when no write does.
void GroupMember::settle() {
  if (settled_ == settled_on_disk_ || !writes_.empty()) return;
  settled_on_disk_ = settled_;
  parts_.journal.append(options_.group, plain_write(), {});
}

void GroupMember::checkpoint_if_due() {
  if (checkpointing_) return;
  const bool is_short = !parts_.journal.has_room() || parts_.journal.is_held_by(options_.group);
  if (applied_ == durable_) {
    if (is_short) write_again();
    return;
  }
  if (written_bytes_ < options_.log_bytes_max && now() < checkpoint_at_ && !is_short) return;
  checkpointing_ = true;
  written_bytes_ = 0;
  checkpoint_at_ = now() + options_.checkpoint_every;
  const std::weak_ptr<bool> alive = alive_;
  parts_.machine.checkpoint([this, alive](Result<Position> durable) {
    if (alive.expired()) return;
    checkpointing_ = false;
    if (!durable) return parts_.journal.fail(durable.error());
    durable_ = std::max(durable_, durable->index);
    parts_.journal.release(options_.group, *durable);
    trim();
  });
}

// Entries that cannot be committed now must not hold the journal's oldest segment for ever.
void GroupMember::write_again() {
  if (!parts_.journal.is_held_by(options_.group) || parts_.journal.stats().waiting > 0) return;
  const std::optional<std::vector<Entry>> entries = replica_.log_behind(durable_);
  if (!entries || entries->empty()) return;
  // From the back, so that the oldest segment needs one entry less each time; in pieces, since
  // nothing is cut by it.
  const std::size_t most = parts_.journal.options().batch_bytes_max / 2;
  std::size_t bytes = 0;
  LogWrite again = plain_write();
  again.is_repeated = true;
  const auto write = [&] {
    std::reverse(again.entries.begin(), again.entries.end());
    parts_.journal.append(options_.group, again, {});
    again.entries.clear();
    bytes = 0;
  };
  for (auto entry = entries->rbegin(); entry != entries->rend(); ++entry) {
    again.entries.push_back({*entry, false});
    bytes += sizeof(Entry) + entry->payload.size();
    if (bytes >= most) write();
  }
  if (!again.entries.empty()) write();
}

// Keeps in memory what a member that is being brought up to date still needs, within the limit.
void GroupMember::trim() {
  if (replica_.log_bytes() <= options_.history_bytes) return;
  Index through = replica_.discardable(options_.history_bytes);
  const std::optional<Index> wanted = sender_.wanted_behind();
  if (wanted && *wanted < through)
    through = std::max(*wanted, replica_.discardable(options_.log_bytes_max));
  replica_.discard_log_before(std::min(through, applied_));
}

}  // namespace dfs::replication
