// SPDX-License-Identifier: Apache-2.0
// A whole replica group in one thread and virtual time: nodes with disks that lose what was not
// synced, a network that delays, drops, repeats and reorders, a configuration store, clients, and
// the checks that must hold at every step. One seed decides everything.
//
// Checked: every replica applies the same entries in the same order; what was acknowledged is
// never missing; a primary that may read has applied everything acknowledged before that moment;
// after the faults stop, a write is acknowledged within 10 s.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "dfs/replication/replica.h"

namespace dfs::replication::sim {

// Mistakes of the driver that a run may plant; those of the rules come as another Rules object.
enum class Planted { nothing, answers_before_sync };

struct Faults {
  double drop = 0.02;
  double repeat = 0.02;
  bool crashes = true;
  bool partitions = true;
  bool one_way = true;
  Planted planted = Planted::nothing;
};

class GroupSim {
 public:
  GroupSim(std::uint64_t seed, std::size_t nodes, const Rules& rules, Faults faults);
  // Runs with faults for `chaos`, then heals and waits for progress. Empty when all held, else what
  // went wrong first.
  std::string run(base::Duration chaos);
  std::uint64_t acknowledged() const { return acknowledged_.size(); }
  std::uint64_t epochs() const { return configuration_.epoch; }
  std::uint64_t reads() const { return reads_; }

 private:
  struct Disk {
    Epoch promised = 0;
    Index applied = 0;
    Epoch applied_epoch = 0;
    std::vector<Entry> state;  // the state machine's snapshot: everything applied
    std::vector<Entry> log;
  };
  struct Node {
    NodeId id;
    std::unique_ptr<Replica> replica;  // empty while crashed
    Disk disk;
    std::vector<Entry> applied;
    std::deque<WriteLog> unsynced;
    std::uint64_t life = 0;
    base::Instant down_until;
  };
  struct Event {
    base::Instant at;
    std::uint64_t order = 0;
    std::function<void()> run;
    bool operator>(const Event& other) const {
      return std::tie(at, order) > std::tie(other.at, other.order);
    }
  };

  void at(base::Duration delay, std::function<void()> run);
  void step();
  std::uint64_t pick(std::uint64_t bound) { return rng_() % bound; }
  bool chance(double probability) {
    return std::uniform_real_distribution<>(0, 1)(rng_) < probability;
  }
  base::Duration micros(std::uint64_t least, std::uint64_t most) {
    return std::chrono::microseconds(least + pick(most - least + 1));
  }
  Node& node(const NodeId& id);
  void perform(Node& node, Replica::Actions actions);
  void perform_one(Node& node, const SendMessage& send);
  void perform_one(Node& node, const WriteLog& write);
  void perform_one(Node& node, const ChangeConfiguration& change);
  void perform_one(Node& node, const ApplyEntry& apply);
  void perform_one(Node& node, const Acknowledge& acknowledge);
  void perform_one(Node&, const Abandon&) {}
  void perform_one(Node& node, const TransferSnapshot& transfer);
  void sync(Node& node, std::uint64_t life, std::uint64_t ticket);
  void start(Node& node);
  void crash(Node& node);
  void compact(Node& node);
  void tick();
  void fault();
  void client();
  void check_reads();
  void fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
  }

  std::mt19937_64 rng_;
  const Rules& rules_;
  Faults faults_;
  bool healed_ = false;
  base::Instant now_{std::chrono::seconds(1)};
  std::uint64_t order_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<std::unique_ptr<Node>> nodes_;
  Configuration configuration_;
  std::set<std::pair<NodeId, NodeId>> cut_;  // from, to
  std::map<Index, Entry> truth_;             // what some replica has applied
  std::set<std::uint64_t> acknowledged_;
  std::map<std::uint64_t, Index> index_of_;  // where a request was first applied
  Index acknowledged_through_ = 0;           // highest index of an acknowledged request
  std::uint64_t next_request_ = 1;
  std::uint64_t reads_ = 0;
  std::string failure_;
};

}  // namespace dfs::replication::sim
