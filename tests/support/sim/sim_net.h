// SPDX-License-Identifier: Apache-2.0
// The network of the simulator: hosts with links between them that delay, break and are
// partitioned, all by the world's seed.
//
// 1. Frames of one link keep their order; those of different links overtake each other.
// 2. What a partition holds up arrives after it is healed, as TCP would send it again, unless the
// link has ended by then.
// 3. A link that breaks loses frames at its end; each side learns of it at a time of its own, the
// serving one perhaps long after the other has connected anew.
// Threads: the world's. The network outlives all hosts, listeners and links of it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/net.h"
#include "tests/support/sim/world.h"

namespace sim {

struct NetFaults {
  base::Duration delay_min = std::chrono::microseconds(100);
  base::Duration delay_max = std::chrono::milliseconds(2);
  double link_break = 0;  // probability per frame
  // How long the serving side of a broken link may not hear of it: frames that were under way then
  // arrive at some time until then.
  base::Duration linger_max{};
};

class SimNet {
 public:
  explicit SimNet(World& world) : world_(world) {}

  NetFaults faults;

  // The network as one host sees it; the host's name is its address.
  std::unique_ptr<base::Net> host(const std::string& name);
  // Nothing passes from one to the other; the other way may still work.
  void block(const std::string& from, const std::string& to) { blocked_.insert({from, to}); }
  // Nothing passes between the two groups.
  void partition(const std::vector<std::string>& some, const std::vector<std::string>& others);
  void heal();

 private:
  friend class SimLink;
  friend class SimListener;
  friend class SimHost;
  struct Side;
  struct Connection;
  struct Item;
  using ConnectionHandle = std::shared_ptr<Connection>;  // of both links and all events under way

  bool is_blocked(const std::string& from, const std::string& to) const {
    return blocked_.contains({from, to});
  }
  base::Duration delay() { return world_.between(faults.delay_min, faults.delay_max); }
  std::unique_ptr<base::Link> connect(const std::string& from, const base::Endpoint& to,
                                      base::LinkEvents events);
  void arrive(const ConnectionHandle& connection, std::uint16_t from_port);
  base::Result<void> send(const ConnectionHandle& connection, int from, std::string_view frame);
  void let_go(const ConnectionHandle& connection, int side);
  void break_link(const ConnectionHandle& connection);
  void transmit(const ConnectionHandle& connection, int to, Item item);
  void resume(const ConnectionHandle& connection, int to);
  void receive(const ConnectionHandle& connection, int to);
  void end(const ConnectionHandle& connection, int side, const base::Error& error);

  World& world_;
  std::set<std::pair<std::string, std::string>> blocked_;
  std::map<base::Endpoint, base::Accept> listeners_;
  std::vector<std::weak_ptr<Connection>> connections_;
  std::uint16_t next_port_ = 40'000;
};

}  // namespace sim
