// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/dfs/replication/cluster_sim.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "dfs/replication/messages.h"
#include "tests/unit/dfs/replication/cluster_parts.h"

namespace dfs::replication::testing {

using base::Duration;
using base::Error;
using base::Instant;
using base::Result;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kDiskBytes = 2 << 20;

}  // namespace

// Links that now and then damage a message on its way.
class ClusterSim::Peers final : public PeerLinks {
 public:
  Peers(ClusterSim& cluster, PeerLinks& links) : cluster_(cluster), links_(links) {}

  void send(const NodeId& to, std::string message) override {
    if (message.size() > 100 && !cluster_.healed_) damage(message);
    if (cluster_.options_.mistakes.no_snapshot_checksum) fit_checksum(message);
    links_.send(to, std::move(message));
  }

 private:
  void damage(std::string& message) {
    const Mistakes& mistakes = cluster_.options_.mistakes;
    auto decoded = decode_message(message);
    auto* piece = decoded ? std::get_if<SnapshotPiece>(&*decoded) : nullptr;
    const bool is_snapshot = piece != nullptr && !piece->bytes.empty();
    if (!cluster_.chance(is_snapshot ? 0.05 : 0.01)) return;
    if (is_snapshot) {
      // Damage that the message's own checksum does not show, as of a sender's memory.
      char& byte = piece->bytes[cluster_.pick(piece->bytes.size())];
      byte = static_cast<char>(byte ^ 1);
      message = encode_message(*piece);
      return;
    }
    message.back() = static_cast<char>(message.back() ^ 1);
    if (!mistakes.no_message_checksum) return;
    const std::uint32_t fits = base::crc32c(std::string_view(message).substr(4));
    message.replace(0, 4, base::ByteWriter().u32(fits).bytes());
  }

  // As if the receiver did not look at it.
  void fit_checksum(std::string& message) {
    auto decoded = decode_message(message);
    auto* piece = decoded ? std::get_if<SnapshotPiece>(&*decoded) : nullptr;
    if (piece == nullptr) return;
    std::uint32_t& checksum = checksums_[piece->transfer];
    checksum = base::crc32c(piece->bytes, checksum);
    piece->checksum = checksum;
    message = encode_message(*piece);
  }

  ClusterSim& cluster_;
  PeerLinks& links_;
  std::map<std::uint64_t, std::uint32_t> checksums_;  // by transfer
};

struct ClusterSim::Member {
  std::unique_ptr<LogMachine> machine;
  std::unique_ptr<Watcher> watcher;
  std::unique_ptr<Peers> peers;
  std::unique_ptr<Group> group;
};

// What ends with the process comes last, in the order in which it must end.
struct ClusterSim::Node {
  std::string host;
  NodeId id;
  std::uint64_t rebuilds = 0;
  bool is_up = false;
  bool is_dying = false;
  Instant down_until;
  std::uint64_t flipped_at_batch = UINT64_MAX;  // a bit was flipped when the journal had so many
  std::unique_ptr<SimDisk> disk;
  std::unique_ptr<base::Net> net;
  std::unique_ptr<base::Timers> timers;
  std::unique_ptr<SimDiskQueue> queue, placing;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<RpcPeers> peers;
  std::unique_ptr<RpcServer> server;
  std::vector<Member> members;
};

ClusterSim::ClusterSim(std::uint64_t seed, ClusterOptions options)
    : options_(options), world_(seed), truth_(options.groups) {
  net_.faults.link_break = 0.002;
  for (std::size_t i = 0; i < options_.nodes; ++i) {
    auto node = std::make_unique<Node>();
    node->host = "h" + std::to_string(i);
    node->id = NodeId("n" + std::to_string(i));
    node->disk = std::make_unique<SimDisk>(world_, kDiskBytes);
    nodes_.push_back(std::move(node));
  }
  for (std::uint32_t group = 0; group < options_.groups; ++group) {
    Configuration first;
    first.epoch = 1;
    for (const auto& node : nodes_) first.in_sync.push_back(node->id);
    first.primary = first.in_sync[group % first.in_sync.size()];
    configurations_.push_back(std::make_unique<Configurations>(world_, first));
  }
}

ClusterSim::~ClusterSim() {
  for (auto& node : nodes_) crash(*node);
}

// ---- nodes ----

void ClusterSim::start(Node& node) {
  ++counts_.starts;
  const Result<void> opened = open_node(node);
  node.is_up = opened.has_value();
  if (opened) return;
  crash(node);
  if (!node.disk->has_power()) return;
  node.down_until = world_.clock().now() + 300ms;
  if (opened.error().code == base::Code::no_space) return;
  if (node.disk->faults.sync_error > 0) return rebuild(node);
  if (opened.error().code != base::Code::corrupt)
    return fail(node.id.text() + " does not start: " + base::to_string(opened.error()));
  // Only what was damaged on purpose may look damaged.
  if (node.flipped_at_batch == UINT64_MAX)
    return fail(node.id.text() + " finds damage: " + base::to_string(opened.error()));
  if (options_.mistakes.keeps_damaged_journal) {
    for (const std::string& name : node.disk->list("journal").value_or({}))
      static_cast<void>(node.disk->remove("journal/" + name));
    return;
  }
  rebuild(node);
}

Result<void> ClusterSim::open_node(Node& node) {
  node.is_dying = false;
  node.net = net_.host(node.host);
  node.timers =
      options_.mistakes.lease_by_wall_clock ? std::make_unique<WallTimers>(world_) : nullptr;
  base::Timers& timers = node.timers ? *node.timers : static_cast<base::Timers&>(world_);
  node.queue = std::make_unique<SimDiskQueue>(world_);
  node.queue->reports_early = options_.mistakes.answers_before_sync;
  node.placing = std::make_unique<SimDiskQueue>(world_);
  JournalOptions journal;
  journal.segment_bytes = 64 << 10;
  journal.segments_max = 5;
  journal.batch_bytes_max = 16 << 10;
  journal.on_fatal = [this, &node](const Error&) { die(node); };
  node.journal =
      TRY(Journal::open(*node.disk, *node.queue, world_, world_.rng(), std::move(journal)));
  node.peers = std::make_unique<RpcPeers>(*node.net, world_, node.id);
  for (const auto& other : nodes_) node.peers->set_address(other->id, {other->host, 1});
  RpcServer::Handlers handlers;
  handlers.request = [](std::uint8_t, std::string_view, std::string_view, Responder) {};
  handlers.notice = [&node](const std::shared_ptr<Caller>&, std::uint8_t, std::string_view body,
                            std::string_view data) { node.peers->on_notice(body, data); };
  node.server = TRY(RpcServer::listen(*node.net, {node.host, 1}, std::move(handlers)));
  node.members.resize(options_.groups);
  for (std::uint32_t group = 0; group < options_.groups; ++group) {
    Member& member = node.members[group];
    LogMachine::Hooks hooks;
    hooks.applied = [this, &node, group](const Entry& entry, std::uint64_t hash, bool effect) {
      check_applied(group, node, entry, hash, effect);
    };
    hooks.fatal = [this, &node](const Error&) { die(node); };
    hooks.drops_repeated = !options_.mistakes.keeps_repeated;
    member.machine = TRY(LogMachine::open(*node.disk, *node.placing, world_,
                                          "state" + std::to_string(group), std::move(hooks)));
    member.watcher = std::make_unique<Watcher>(*configurations_[group]);
    member.peers = std::make_unique<Peers>(*this, node.peers->links(group));
    GroupOptions options;
    options.replica.self = node.id;
    options.replica.incarnation = world_.random()();
    options.group = group;
    options.log_bytes_max = 40 << 10;
    options.history_bytes = 4 << 10;
    options.checkpoint_every = 700ms;
    options.rules = options_.rules;
    member.group = TRY(start_group(options, *node.journal, *member.machine, *member.watcher,
                                   *member.peers, timers));
    node.peers->set_receiver(group, [&member](const NodeId& from, std::string_view message) {
      member.group->on_message(from, message);
    });
  }
  return {};
}

void ClusterSim::crash(Node& node) {
  node.is_up = false;
  node.server.reset();
  for (Member& member : node.members) member.group.reset();
  node.placing.reset();
  node.queue.reset();
  node.members.clear();
  node.peers.reset();
  node.journal.reset();
  node.net.reset();
}

// The process has ended itself: from within its own code, so it goes a moment later. Its disk is
// not trusted again.
void ClusterSim::die(Node& node) {
  if (std::exchange(node.is_dying, true)) return;
  world_.schedule_after(0ns, [this, &node] {
    if (!node.is_dying) return;
    crash(node);
    if (node.disk->has_power() && !healed_) rebuild(node);
  });
}

// A new, empty disk, hence a new id.
void ClusterSim::rebuild(Node& node) {
  ++counts_.rebuilt;
  node.disk = std::make_unique<SimDisk>(world_, kDiskBytes);
  node.id = NodeId("n" + node.host.substr(1) + "." + std::to_string(++node.rebuilds));
  node.flipped_at_batch = UINT64_MAX;
  node.down_until = world_.clock().now() + world_.between(1ms, 1s);
  for (const auto& other : nodes_) {
    if (other->peers) other->peers->set_address(node.id, {node.host, 1});
  }
}

// Losing what this node holds must leave two copies that are in sync everywhere.
bool ClusterSim::may_damage(const Node& node) const {
  for (const auto& store : configurations_) {
    const Configuration& now = store->now();
    if (now.in_sync.size() < options_.nodes || !now.has(node.id)) return false;
    for (const auto& other : nodes_) {
      const bool is_whole = other->flipped_at_batch == UINT64_MAX && now.has(other->id) &&
                            other->disk->faults.sync_error == 0;
      if (other.get() != &node && !is_whole) return false;
    }
  }
  return true;
}

// ---- faults ----

void ClusterSim::cut_power(Node& node) {
  // Damage that nothing has followed on the disk yet cannot be told from an unfinished write.
  if (node.flipped_at_batch != UINT64_MAX) return;
  if (node.is_up) crash(node);
  if (node.disk->has_power()) node.disk->cut_power();
  node.disk->power_on();
  node.down_until = world_.clock().now() + world_.between(1ms, 3s);
}

void ClusterSim::damage(Node& node) {
  if (!may_damage(node) || !node.is_up) return;
  switch (pick(3)) {
    case 0: {
      const auto names = node.disk->list("journal").value_or({});
      if (names.empty()) return;
      const std::string path = "journal/" + names[pick(names.size())];
      const auto file = node.disk->open(path, base::OpenMode::existing);
      if (!file || (*file)->size().value_or(0) < (64 << 10)) return;
      node.flipped_at_batch = node.journal->stats().batches;
      for (int i = 0; i < 8; ++i) node.disk->flip_bit(path, pick(8 * (64 << 10)));
      // Found when it starts again, at a time when another batch has followed.
      world_.schedule_after(400ms, [this, &node, life = node.rebuilds] {
        if (node.rebuilds != life || !node.is_up) return;
        crash(node);
        node.down_until = world_.clock().now() + world_.between(1ms, 1s);
      });
      return;
    }
    case 1: node.disk->faults.sync_error = 1; return;
    case 2: crash(node); return rebuild(node);
  }
}

void ClusterSim::fault() {
  if (healed_) return;
  Node& victim = *nodes_[pick(nodes_.size())];
  const Node& other = *nodes_[pick(nodes_.size())];
  switch (pick(10)) {
    case 0:
      if (victim.is_up && victim.flipped_at_batch == UINT64_MAX) {
        crash(victim);
        victim.down_until = world_.clock().now() + world_.between(1ms, 3s);
      }
      break;
    case 1: cut_power(victim); break;
    case 2:
      if (!chance(0.3)) break;
      for (auto& each : nodes_) cut_power(*each);
      break;
    case 3:
      ++cuts_;
      for (const auto& each : nodes_) {
        if (each.get() != &victim) net_.partition({victim.host}, {each->host});
      }
      break;
    case 4:
      ++cuts_;
      if (victim.host != other.host) net_.block(victim.host, other.host);
      break;
    case 5:
      if (victim.queue) victim.queue->delays.most = chance(0.5) ? 300ms : 2ms;
      break;
    case 6: {
      // Nearly full, or space again.
      const auto ballast = victim.disk->open("ballast", base::OpenMode::create);
      if (!ballast) break;
      const bool fill = (*ballast)->size().value_or(1) == 0;
      const std::uint64_t space = victim.disk->free_bytes().value_or(0);
      static_cast<void>(
          (*ballast)->truncate(fill ? space - std::min<std::uint64_t>(space, pick(9000)) : 0));
      break;
    }
    case 7:
      // Not while another fault may be under way: two at once are more than is promised.
      net_.heal();
      world_.schedule_after(1200ms, [this, &victim, before = cuts_] {
        if (!healed_ && cuts_ == before) damage(victim);
      });
      break;
    case 8:
      if (victim.is_up) victim.disk->cut_power_at_change(1 + pick(40));
      break;
    default: net_.heal();
  }
  world_.step_wall(world_.between(-3s, 3s));
  world_.schedule_after(world_.between(10ms, 800ms), [this] { fault(); });
}

void ClusterSim::tick() {
  const Instant now = world_.clock().now();
  for (auto& node : nodes_) {
    if (options_.mistakes.syncs_do_nothing) node->disk->faults.sync_lie = 1;
    if (node->is_up && !node->disk->has_power()) {
      crash(*node);
      node->down_until = now + world_.between(1ms, 2s);
    }
    if (!node->is_up) node->disk->power_on();
    if (!node->is_up && (healed_ || now >= node->down_until)) start(*node);
    for (std::uint32_t group = 0; group < node->members.size() && node->is_up; ++group) {
      const Member& member = node->members[group];
      if (!member.group->may_read()) continue;
      ++counts_.reads;
      if (member.machine->position().index < truth_[group].acknowledged_through)
        fail(node->id.text() + " may answer a read without an acknowledged write");
    }
  }
  world_.schedule_after(20ms, [this] { tick(); });
}

// ---- client ----

void ClusterSim::client() {
  const std::size_t size = chance(0.05) ? 1000 + pick(3000) : pick(300);
  for (int count = chance(0.1) ? 20 : 1; count > 0; --count)
    propose(static_cast<std::uint32_t>(pick(options_.groups)), next_operation_++, size);
  world_.schedule_after(world_.between(1ms, 40ms), [this] { client(); });
}

void ClusterSim::propose(std::uint32_t group, std::uint64_t id, std::size_t size) {
  for (auto& node : nodes_) {
    if (!node->is_up || !node->members[group].group->is_serving()) continue;
    node->members[group].group->propose(
        operation(id, size), [this, group, id, size](const Result<std::string>& answer) {
          if (!answer) {
            // It may have been done or not, or be done later: it is sent again.
            if (chance(0.5))
              world_.schedule_after(world_.between(1ms, 500ms),
                                    [this, group, id, size] { propose(group, id, size); });
            return;
          }
          ++counts_.acknowledged;
          GroupTruth& truth = truth_[group];
          truth.acknowledged.insert(id);
          if (!truth.effects.contains(id)) fail("a write was acknowledged before it was applied");
          truth.acknowledged_through =
              std::max<Index>(truth.acknowledged_through, std::stoull(*answer));
        });
  }
}

void ClusterSim::check_applied(std::uint32_t group, const Node& node, const Entry& entry,
                               std::uint64_t hash, bool took_effect) {
  GroupTruth& truth = truth_[group];
  const auto [at, is_new] = truth.entries.emplace(entry.index, std::pair(entry, hash));
  if (!is_new && at->second.first != entry)
    fail(node.id.text() + " disagrees about entry " + std::to_string(entry.index));
  if (!is_new && at->second.second != hash)
    fail(node.id.text() + " comes to another state with entry " + std::to_string(entry.index));
  if (!took_effect) return;
  const auto effect = truth.effects.emplace(operation_id(entry.payload), entry.index);
  if (effect.first->second != entry.index) fail("an operation took effect twice");
}

// ---- the run ----

void ClusterSim::heal() {
  healed_ = true;
  for (GroupTruth& truth : truth_) truth.through_at_heal = truth.acknowledged_through;
  net_.heal();
  for (auto& node : nodes_) {
    if (node->is_up && !node->disk->has_power()) crash(*node);
  }
  net_.faults.link_break = 0;
  for (auto& node : nodes_) {
    node->disk->faults = {};
    node->disk->cut_power_at_change(0);
    node->disk->power_on();
    const auto ballast = node->disk->open("ballast", base::OpenMode::create);
    if (!ballast || !(*ballast)->truncate(0)) fail("a disk does not heal");
    if (node->queue) node->queue->delays = {};
  }
}

std::string ClusterSim::describe(std::uint32_t group) const {
  const Configuration& now = configurations_[group]->now();
  std::string text = "group " + std::to_string(group) + ", epoch " + std::to_string(now.epoch) +
                     ", primary " + now.primary.text() + ", in sync";
  for (const NodeId& id : now.in_sync) text += " " + id.text();
  for (const auto& node : nodes_) {
    text += "; " + node->id.text();
    if (!node->is_up) {
      text += " is down";
      continue;
    }
    const Member& member = node->members[group];
    const JournalStats journal = node->journal->stats();
    text += " applied " + std::to_string(member.group->applied()) + " in epoch " +
            std::to_string(member.group->configuration().epoch) +
            (member.group->is_serving() ? ", serving" : "") +
            (node->journal->has_room() ? "" : ", no room") + ", " +
            std::to_string(journal.segments_in_use) + "/" + std::to_string(journal.segments) +
            " segments, " + std::to_string(journal.waiting) + " waiting";
  }
  return text;
}

std::string ClusterSim::lagging() const {
  for (std::uint32_t group = 0; group < options_.groups; ++group) {
    const Configuration& now = configurations_[group]->now();
    if (now.in_sync.size() != options_.nodes) return describe(group);
    for (const auto& node : nodes_) {
      if (!node->is_up) return node->id.text() + " is down";
      if (node->members[group].machine->position().index < truth_[group].through_at_heal)
        return describe(group);
    }
  }
  return {};
}

std::string ClusterSim::run() {
  tick();
  world_.schedule_after(1ms, [this] { client(); });
  world_.schedule_after(500ms, [this] { fault(); });
  const Instant end = world_.clock().now() + options_.chaos;
  while (world_.clock().now() < end && failure_.empty()) world_.step();
  heal();
  std::vector<std::uint64_t> before;
  for (const GroupTruth& truth : truth_) before.push_back(truth.acknowledged.size());
  const auto settled = [&] {
    if (!failure_.empty()) return true;
    for (std::uint32_t group = 0; group < options_.groups; ++group) {
      if (truth_[group].acknowledged.size() < before[group] + 10) return false;
    }
    return lagging().empty();
  };
  if (!world_.run_until(settled, 20s))
    fail("20 s after healing: " +
         (lagging().empty() ? "no writes are acknowledged: " + describe(0) : lagging()));
  for (const GroupTruth& truth : truth_) {
    for (const std::uint64_t id : truth.acknowledged) {
      if (!truth.effects.contains(id)) fail("an acknowledged write is gone");
    }
  }
  for (const auto& store : configurations_) counts_.epochs += store->now().epoch;
  return failure_;
}

}  // namespace dfs::replication::testing
