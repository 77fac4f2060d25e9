// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/dfs/replication/group_sim.h"

#include <algorithm>

namespace dfs::replication::sim {

using base::Duration;
using base::Instant;
using namespace std::chrono_literals;

GroupSim::GroupSim(std::uint64_t seed, std::size_t nodes, const Rules& rules, Faults faults)
    : rng_(seed), rules_(rules), faults_(faults) {
  configuration_.epoch = 1;
  for (std::size_t i = 0; i < nodes; ++i) {
    auto made = std::make_unique<Node>();
    made->id = NodeId("n" + std::to_string(i));
    configuration_.in_sync.push_back(made->id);
    nodes_.push_back(std::move(made));
  }
  configuration_.primary = configuration_.in_sync[0];
}

void GroupSim::at(Duration delay, std::function<void()> run) {
  events_.push(Event{now_ + delay, order_++, std::move(run)});
}

void GroupSim::step() {
  // priority_queue gives no way to move its top out.
  Event event = events_.top();
  events_.pop();
  now_ = event.at;
  event.run();
}

GroupSim::Node& GroupSim::node(const NodeId& id) {
  for (auto& each : nodes_) {
    if (each->id == id) return *each;
  }
  CHECK_THAT(false);
}

void GroupSim::perform(Node& node, Replica::Actions actions) {
  for (const Action& action : actions) {
    if (!node.replica) return;
    std::visit([&](const auto& each) { perform_one(node, each); }, action);
  }
}

void GroupSim::perform_one(Node& from, const SendMessage& send) {
  const int copies = healed_ ? 1 : chance(faults_.drop) ? 0 : chance(faults_.repeat) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    // Mostly quick, now and then late enough to be overtaken by an epoch or two.
    const Duration delay = !healed_ && chance(0.01) ? micros(1000, 2'000'000) : micros(50, 2000);
    at(delay, [this, sender = from.id, to = send.to, message = send.message] {
      Node& target = node(to);
      if (!target.replica || cut_.contains({sender, to})) return;
      perform(target, target.replica->on_message(sender, message, now_));
    });
  }
}

void GroupSim::perform_one(Node& owner, const WriteLog& write) {
  owner.unsynced.push_back(write);
  const auto finish = [this, id = owner.id, life = owner.life, ticket = write.ticket] {
    sync(node(id), life, ticket);
  };
  at(!healed_ && chance(0.02) ? micros(1000, 400'000) : micros(50, 3000), finish);
  if (faults_.planted == Planted::answers_before_sync) {
    perform(owner, owner.replica->on_durable(write.ticket, now_));
  }
}

void GroupSim::sync(Node& owner, std::uint64_t life, std::uint64_t ticket) {
  if (owner.life != life || !owner.replica) return;
  while (!owner.unsynced.empty() && owner.unsynced.front().ticket <= ticket) {
    const WriteLog& write = owner.unsynced.front();
    Disk& disk = owner.disk;
    disk.promised = write.promised;
    if (write.keep) disk.log.resize(*write.keep - disk.applied);
    disk.log.insert(disk.log.end(), write.entries.begin(), write.entries.end());
    owner.unsynced.pop_front();
  }
  if (faults_.planted != Planted::answers_before_sync) {
    perform(owner, owner.replica->on_durable(ticket, now_));
  }
}

void GroupSim::perform_one(Node& owner, const ChangeConfiguration& change) {
  const auto ask = [this, id = owner.id, life = owner.life, next = change.next] {
    if (next.epoch == configuration_.epoch + 1) configuration_ = next;
    // The answer is a read behind the attempt, whoever won.
    at(micros(500, 20'000), [this, id, life] {
      Node& asker = node(id);
      if (!asker.replica || asker.life != life) return;
      perform(asker, asker.replica->on_configuration(configuration_, now_));
    });
    for (auto& each : nodes_) {
      at(micros(500, 60'000), [this, watcher = each.get(), seen = configuration_] {
        if (!watcher->replica) return;
        if (watcher->replica->configuration().epoch >= seen.epoch) return;
        perform(*watcher, watcher->replica->on_configuration(configuration_, now_));
      });
    }
  };
  at(micros(500, 20'000), ask);
}

void GroupSim::perform_one(Node& owner, const ApplyEntry& apply) {
  const Entry& entry = apply.entry;
  if (entry.index != owner.applied.size() + 1) fail(owner.id.text() + " skipped an entry");
  owner.applied.push_back(entry);
  const auto [at_index, is_new] = truth_.emplace(entry.index, entry);
  if (!is_new && at_index->second != entry) {
    fail("replicas disagree about entry " + std::to_string(entry.index));
  }
  index_of_.emplace(entry.request, entry.index);
  if (owner.applied.size() % 20 == 0) compact(owner);
}

// The state machine becomes durable now and then, and the log before it goes.
void GroupSim::compact(Node& owner) {
  Disk& disk = owner.disk;
  const Index applied = owner.applied.size();
  const Index on_disk = disk.applied + disk.log.size();
  if (!owner.unsynced.empty() || applied > on_disk || applied <= disk.applied) return;
  disk.log.erase(disk.log.begin(),
                 disk.log.begin() + static_cast<std::ptrdiff_t>(applied - disk.applied));
  disk.state = owner.applied;
  disk.applied = applied;
  disk.applied_epoch = owner.applied.back().epoch;
  owner.replica->discard_log_before(applied);
}

void GroupSim::perform_one(Node&, const Acknowledge& acknowledge) {
  acknowledged_.insert(acknowledge.request);
  const auto applied = index_of_.find(acknowledge.request);
  if (applied == index_of_.end()) return fail("a write was acknowledged before it was applied");
  acknowledged_through_ = std::max(acknowledged_through_, applied->second);
}

void GroupSim::perform_one(Node& from, const TransferSnapshot& transfer) {
  const auto deliver = [this, to = transfer.to, state = from.applied, sender = from.id] {
    Node& target = node(to);
    if (!target.replica || cut_.contains({sender, to})) return;
    if (state.empty() || !target.replica->needs_snapshot(state.size(), state.back().epoch)) return;
    target.applied = target.disk.state = state;
    target.disk.applied = state.size();
    target.disk.applied_epoch = state.back().epoch;
    target.disk.log.clear();
    target.unsynced.clear();
    target.replica->on_snapshot_installed(state.size(), state.back().epoch, now_);
  };
  at(micros(5000, 50'000), deliver);
}

void GroupSim::start(Node& owner) {
  ++owner.life;
  owner.applied = owner.disk.state;
  ReplicaOptions options;
  options.self = owner.id;
  options.incarnation = rng_();
  StoredState stored{owner.disk.promised, owner.disk.applied, owner.disk.applied_epoch,
                     owner.disk.log};
  owner.replica = std::make_unique<Replica>(options, rules_, std::move(stored), now_);
  perform(owner, owner.replica->on_configuration(configuration_, now_));
}

void GroupSim::crash(Node& owner) {
  owner.replica.reset();
  owner.unsynced.clear();
  owner.applied.clear();
  owner.down_until = now_ + micros(1000, 4'000'000);
}

void GroupSim::tick() {
  for (auto& each : nodes_) {
    if (!each->replica && (healed_ || now_ >= each->down_until)) start(*each);
    if (each->replica) perform(*each, each->replica->on_tick(now_));
  }
  check_reads();
  at(25ms, [this] { tick(); });
}

void GroupSim::fault() {
  if (healed_) return;
  Node& victim = *nodes_[pick(nodes_.size())];
  const Node& other = *nodes_[pick(nodes_.size())];
  switch (pick(5)) {
    case 0:
      if (faults_.crashes && victim.replica) crash(victim);
      break;
    case 1:
      // All power at once.
      if (faults_.crashes && chance(0.2)) {
        for (auto& each : nodes_) {
          if (each->replica) crash(*each);
        }
      }
      break;
    case 2:
      if (!faults_.partitions) break;
      for (const auto& each : nodes_) {
        cut_.insert({victim.id, each->id});
        cut_.insert({each->id, victim.id});
      }
      break;
    case 3:
      if (faults_.one_way) cut_.insert({victim.id, other.id});
      break;
    default: cut_.clear();
  }
  at(micros(10'000, 1'500'000), [this] { fault(); });
}

void GroupSim::client() {
  for (auto& each : nodes_) {
    if (!each->replica || !each->replica->is_primary()) continue;
    const std::uint64_t request = next_request_++;
    auto proposed = each->replica->propose({{request, "write " + std::to_string(request)}}, now_);
    if (proposed) perform(*each, *std::move(proposed));
  }
  at(micros(100, 30'000), [this] { client(); });
}

void GroupSim::check_reads() {
  for (const auto& each : nodes_) {
    if (!each->replica || !each->replica->may_read(now_)) continue;
    ++reads_;
    if (each->applied.size() < acknowledged_through_) {
      fail(each->id.text() + " may answer a read without an acknowledged write");
    }
  }
}

std::string GroupSim::run(Duration chaos) {
  for (auto& each : nodes_) start(*each);
  at(0ns, [this] { tick(); });
  at(1ms, [this] { client(); });
  at(500ms, [this] { fault(); });
  const Instant heal = now_ + chaos;
  while (now_ < heal && failure_.empty()) step();
  healed_ = true;
  cut_.clear();
  const std::uint64_t first_after = next_request_;
  const Instant end = now_ + 10s;
  const auto progressed = [&] {
    return acknowledged_.lower_bound(first_after) != acknowledged_.end();
  };
  while (now_ < end && failure_.empty() && !progressed()) step();
  if (failure_.empty() && !progressed()) {
    std::string seen;
    for (const NodeId& id : configuration_.in_sync) seen += " " + id.text();
    fail("no write was acknowledged within 10 s of healing; epoch " +
         std::to_string(configuration_.epoch) + ", primary " + configuration_.primary.text() +
         ", in sync" + seen);
  }
  // All nodes are back: everything acknowledged must be on every one of them in the end.
  const Instant settle = now_ + 10s;
  while (now_ < settle && failure_.empty()) step();
  for (const std::uint64_t request : acknowledged_) {
    if (failure_.empty() && !index_of_.contains(request)) fail("an acknowledged write is gone");
  }
  for (const auto& each : nodes_) {
    if (failure_.empty() && each->applied.size() < acknowledged_through_ / 2) {
      fail(each->id.text() + " did not catch up");
    }
  }
  return failure_;
}

}  // namespace dfs::replication::sim
