// SPDX-License-Identifier: Apache-2.0
// Where an instance goes: resources, ports and constraints of nodes, decided in pure code.
//
// Used by the scheduler only.
// 1. A port of a node is free, or held by exactly one instance.
// 2. A freed port goes to the end of the queue, so that a new instance gets the port that has been
// free the longest and old connections cannot hit it.
// Threads: none of its own.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node/api/node.h"
#include "node/master/app.h"

namespace node::master {

class PortPool {
 public:
  PortPool() = default;
  PortPool(std::int64_t first, std::int64_t last);
  bool is_free(std::int64_t port) const;
  std::size_t free_count() const { return free_count_; }
  // The `count` longest free ports; nothing when there are fewer.
  std::optional<std::vector<std::uint16_t>> take(std::size_t count);
  // Takes one named port. Requires: is_free(port).
  void take_exactly(std::int64_t port);
  void give_back(std::int64_t port);
  std::int64_t first() const { return first_; }
  std::int64_t last() const { return last_; }

 private:
  bool covers(std::int64_t port) const { return port >= first_ && port <= last_; }
  std::int64_t first_ = 0;
  std::int64_t last_ = -1;
  std::size_t free_count_ = 0;
  std::vector<bool> used_;
  // Longest free first. Ports taken by name stay in the queue and are skipped by take().
  std::deque<std::uint16_t> queue_;
  std::vector<bool> queued_;
};

// The assignments of a node are one record of the coordination tree, which holds 1 MiB.
inline constexpr std::size_t kInstancesPerNodeMax = 2000;

struct Usage {
  double cpus = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t disk_bytes = 0;
};

struct NodeState {
  api::Node info;
  bool known = false;  // info has been read
  // Why its stored assignments cannot be used; empty when they can. Such a node gets no instances
  // and its assignments stay as they are.
  std::string unreadable;
  bool live = false;
  bool live_known = false;
  base::Instant lost_at{};
  bool synced = false;  // its agent has sent a full report since we began or lost it
  std::string boot;
  std::int64_t sequence = 0;
  std::string last_report_at;
  Usage used;
  std::size_t instances = 0;
  PortPool ports;
  std::int64_t generation = 0;  // of the assignments last decided
};

// What stood in the way, over all nodes: for GET /v2/queue.
struct Refusals {
  std::map<std::string, int> reasons;  // Marathon's words: "InsufficientCpus", …
  int nodes = 0;
};

// How many instances of one app stand on each value of each attribute, for one round of decisions.
class Spread {
 public:
  // `nodes_of` are the nodes of the app's instances that count, one entry per instance.
  Spread(const App& app, const std::map<std::string, NodeState>& nodes,
         const std::vector<std::string>& nodes_of);
  void add(const NodeState& node);
  int on_node(const std::string& name) const;
  // Whether the constraints allow one more instance there.
  bool allows(const NodeState& node) const;

 private:
  struct Rule {
    Constraint constraint;
    std::map<std::string, int> counts;
    std::size_t values = 0;  // distinct values among nodes, for GROUP_BY
  };
  bool allows(const Rule& rule, const NodeState& node) const;
  std::vector<Rule> rules_;
  bool names_zone_ = false;
  std::map<std::string, int> on_node_;
};

// The value of "hostname" or of an attribute on a node; nothing when the node has none.
std::optional<std::string> attribute(const api::Node& node, const std::string& field);

// The best node for one more instance: fewest of the same app, then most room. Looks at each node
// once. Fills `refusals` with what stood in the way.
NodeState* choose_node(const App& app, std::map<std::string, NodeState>& nodes,
                       const Spread& spread, Refusals& refusals);

// Whether resources and ports are left for one more instance; constraints are another matter.
bool has_room(const App& app, const NodeState& node);
// Whether what is used on the node may grow by `more`. A node that is not known yet takes anything.
bool takes_more(const NodeState& node, const Usage& more);

// Takes resources and ports on a node. Requires: choose_node gave this node.
std::vector<std::uint16_t> occupy(const App& app, NodeState& node);
void vacate(const Usage& usage, const std::vector<std::uint16_t>& ports, NodeState& node);
Usage usage_of(const App& app);

}  // namespace node::master
