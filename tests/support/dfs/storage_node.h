// SPDX-License-Identifier: Apache-2.0
// A storage server in the simulator: its disk, its index and a StorageServer whose groups are
// DirectGroups. For tests of the server and of the client; power can be cut and switched on.
//
// Threads: the world's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "dfs/storage/server.h"
#include "tests/support/dfs/direct_group.h"
#include "tests/support/sim/sim_disk.h"
#include "tests/support/sim/sim_net.h"

namespace dfs::testing {

class StorageNode {
 public:
  struct Options {
    std::string host = "storage";  // also the node's id
    std::uint16_t port = 7863;
    std::function<base::Duration()> delay = {};  // of an entry, see DirectOptions
    base::Duration disk_delay_max = std::chrono::milliseconds(2);
    std::uint64_t disk_bytes = std::uint64_t{8} << 30;
    std::uint64_t reserve_bytes = std::uint64_t{64} << 20;
  };
  // Starts with power and without groups.
  StorageNode(sim::World& world, sim::SimNet& net, Options options);
  ~StorageNode();

  // The group starts on an empty log. Requires: power.
  void add_group(GroupNumber group);
  // Everything in memory goes; the disk keeps what it must, the groups' logs what was appended.
  void cut_power();
  // Groups come back with their logs.
  void power_on();

  storage::StorageServer& server() { return *server_; }
  storage::Device& device() { return *device_; }
  DirectGroup& group(GroupNumber group) { return *groups_.at(group); }
  // Makes what the group applied durable. Requires: power.
  void checkpoint(GroupNumber group);
  base::Endpoint endpoint() const { return {options_.host, options_.port}; }
  NodeAddress address() const { return {options_.host, options_.host, options_.port}; }
  bool device_failed() const { return device_failed_; }

  sim::SimDisk disk;

 private:
  void start();
  base::Result<std::unique_ptr<replication::Group>> make_group(GroupNumber group,
                                                               replication::StateMachine& machine);

  sim::World& world_;
  std::unique_ptr<base::Net> net_;
  const Options options_;
  std::map<GroupNumber, DirectLog> logs_;
  std::map<GroupNumber, DirectGroup*> groups_;
  bool device_failed_ = false;
  std::shared_ptr<int> life_;  // gone with the power: what the disk still does comes to nothing
  std::unique_ptr<storage::BlockIndex> index_;
  std::unique_ptr<storage::Device> device_;
  std::unique_ptr<storage::StorageServer> server_;
};

}  // namespace dfs::testing
