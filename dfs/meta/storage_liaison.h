// SPDX-License-Identifier: Apache-2.0
// What the primary has to do with the storage servers: who is there, which chunk groups they keep,
// fences, and the removal of objects that no file needs.
//
// 1. Groups are made once, over the servers that have come by then; copies of a server that stays
// away go to others. The configuration of a group is its members' own to change (ChangeGroup).
// 2. A fence is done when every group has answered; groups without a primary are asked until they
// have one.
// Threads: the loop's.
#pragma once

#include "dfs/api/rpc.h"
#include "dfs/api/storage_protocol.h"
#include "dfs/meta/server.h"

namespace dfs::meta {

// Spreads `groups` groups and their primaries evenly over the nodes. Requires: nodes.
std::vector<GroupRecord> plan_groups(const std::vector<std::string>& nodes, std::uint32_t groups,
                                     std::size_t copies);
// The copies as they should be with these nodes alive, nullopt: as they are. At most one changes.
// `missing` have been away too long.
std::optional<std::vector<std::string>> plan_copies(
    const GroupRecord& group, const std::map<std::string, std::size_t>& copies_on_alive,
    const std::set<std::string>& missing, std::size_t copies);

class StorageLiaison {
 public:
  using Propose = std::function<void(std::string, std::function<void(base::Result<std::string>)>)>;
  StorageLiaison(const ServerOptions& options, MetaState& state, base::Net& net,
                 base::Timers& timers, Propose propose, ServerCounts& counts);

  // This server became, or ceased to be, the one that does all this.
  void start();
  void stop();
  // Every 100 ms while started.
  void tick();

  void register_storage(const RegisterStorage& request, Responder responder);
  void fence(VolumeNumber volume, std::function<void()> done);
  std::vector<GroupPlace> places() const;
  std::vector<StorageView> view() const;
  std::uint64_t bytes_free() const;

 private:
  struct Seen {
    base::Instant at;
    std::uint64_t bytes_free = 0;
    std::uint64_t bytes_used = 0;  // of all volumes, at that time
  };
  struct FenceJob;
  void note_seen(const std::string& node, std::uint64_t bytes_free);
  bool is_here(const std::string& node, base::Instant now) const;
  std::uint64_t bytes_used() const;
  void place_copies(base::Instant now);
  // Nodes whose copies go to others: silent for too long, or another disk is at their address.
  std::set<std::string> missing_nodes(base::Instant now);
  void forget_replaced(const std::set<std::string>& missing);
  void remove_garbage();
  void remove_object(const GarbageRecord& garbage);
  void report_removed();
  void send_fences(const std::shared_ptr<FenceJob>& job);
  RpcClient* primary_of(GroupNumber group);

  const ServerOptions& options_;
  MetaState& state_;
  base::Net& net_;
  base::Timers& timers_;
  Propose propose_;
  ServerCounts& counts_;
  bool started_ = false;
  base::Instant since_;
  std::map<std::string, Seen> seen_;
  std::map<std::string, std::unique_ptr<RpcClient>> clients_;
  bool placing_ = false;
  std::map<std::string, std::string> replaced_;  // disks that are gone, by whom
  std::set<ObjectNumber> removing_;
  std::vector<ObjectNumber> removed_;
  bool reporting_ = false;
  base::Instant garbage_next_;
  std::vector<std::shared_ptr<FenceJob>> fences_;  // shared with the calls under way
  // Shared with nobody: calls under way look whether it is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::meta
