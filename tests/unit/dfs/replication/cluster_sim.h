// SPDX-License-Identifier: Apache-2.0
// Whole replica groups in virtual time: the real Group, Journal and links on simulated disks and a
// simulated network, a configuration store, a client, faults by seed, and the checks that must hold
// at every step.
//
// Checked: members apply the same entries in the same order and come to the same state; an
// operation takes effect once; what was acknowledged is never missing; a member that may read has
// applied everything acknowledged before; when the faults have ended, writes are acknowledged and
// all members catch up within 20 s.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dfs/replication/group.h"
#include "dfs/replication/journal.h"
#include "dfs/replication/rpc_peers.h"
#include "tests/support/sim/sim_disk.h"
#include "tests/support/sim/sim_disk_queue.h"
#include "tests/support/sim/sim_net.h"
#include "tests/unit/dfs/replication/log_machine.h"

namespace dfs::replication::testing {

using sim::SimDisk;
using sim::SimDiskQueue;
using sim::SimNet;
using sim::World;

// Mistakes that a run may plant in what surrounds the group; those of the rules are Rules objects.
struct Mistakes {
  bool syncs_do_nothing = false;     // a failed sync that is ignored looks the same
  bool answers_before_sync = false;  // the disk queue reports work that it has not done
  bool no_message_checksum = false;  // damaged messages get a checksum that fits
  bool no_snapshot_checksum = false;
  bool lease_by_wall_clock = false;
  bool keeps_repeated = false;         // operations that are sent again take effect again
  bool keeps_damaged_journal = false;  // a journal that is damaged is started empty, same node id
};

struct ClusterOptions {
  std::size_t nodes = 3;
  std::uint32_t groups = 1;
  const Rules* rules = nullptr;
  Mistakes mistakes = {};
  base::Duration chaos = std::chrono::seconds(6);
};

class Configurations;  // cluster_parts.h

class ClusterSim {
 public:
  ClusterSim(std::uint64_t seed, ClusterOptions options);
  ~ClusterSim();
  // Empty when all held, else what went wrong first.
  std::string run();

  struct Counts {
    std::uint64_t acknowledged = 0, reads = 0, snapshots = 0, rebuilt = 0, epochs = 0, starts = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  friend class Configurations;
  class Peers;
  struct Member;
  struct Node;
  struct GroupTruth {
    std::map<Index, std::pair<Entry, std::uint64_t>> entries;  // and the hash after each
    std::map<std::uint64_t, Index> effects;                    // per operation
    std::set<std::uint64_t> acknowledged;
    Index acknowledged_through = 0;
    Index through_at_heal = 0;
  };

  bool chance(double probability) { return world_.happens(probability); }
  std::uint64_t pick(std::uint64_t bound) { return world_.random()() % bound; }
  void start(Node& node);
  base::Result<void> open_node(Node& node);
  void crash(Node& node);
  void die(Node& node);
  void rebuild(Node& node);
  bool may_damage(const Node& node) const;
  void cut_power(Node& node);
  void fault();
  void damage(Node& node);
  void tick();
  void client();
  void propose(std::uint32_t group, std::uint64_t id, std::size_t size);
  void check_applied(std::uint32_t group, const Node& node, const Entry& entry, std::uint64_t hash,
                     bool took_effect);
  void heal();
  std::string lagging() const;
  std::string describe(std::uint32_t group) const;
  void fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
  }

  ClusterOptions options_;
  World world_;
  SimNet net_{world_};
  std::vector<std::unique_ptr<Configurations>> configurations_;  // per group
  std::vector<GroupTruth> truth_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::uint64_t next_operation_ = 1;
  bool healed_ = false;
  std::uint64_t cuts_ = 0;  // of the network
  Counts counts_;
  std::string failure_;
};

}  // namespace dfs::replication::testing
