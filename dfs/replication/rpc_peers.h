// SPDX-License-Identifier: Apache-2.0
// Links between the members of all groups of a process: one connection to each other node, made
// when it is needed, over which all groups send.
//
// The daemon hands it the notices of kind kReplicateNotice that its RpcServer receives.
// 1. A message names the disk it is for (NodeId): one for a disk that was replaced goes nowhere.
// 2. A connection to a node that has been silent is made anew, so that after a cut the first
// message does not wait for TCP's own patience.
// Threads: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "dfs/api/rpc.h"
#include "dfs/api/storage_protocol.h"
#include "dfs/replication/group.h"

namespace dfs::replication {

inline constexpr std::uint8_t kReplicateNotice = static_cast<std::uint8_t>(StorageKind::replicate);

class RpcPeers {
 public:
  using Receive = std::function<void(const NodeId& from, std::string_view message)>;

  // Requires: net and timers outlive it.
  RpcPeers(base::Net& net, base::Timers& timers, NodeId self);
  ~RpcPeers();
  RpcPeers(const RpcPeers&) = delete;
  RpcPeers& operator=(const RpcPeers&) = delete;

  // Where a node is; nodes without an address are not sent to.
  void set_address(const NodeId& node, const base::Endpoint& endpoint);
  // Lives as long as this object. What arrives for a group without `receive` is dropped.
  PeerLinks& links(std::uint32_t group);
  void set_receiver(std::uint32_t group, Receive receive);
  void on_notice(std::string_view body, std::string_view data);

 private:
  class GroupLinks;
  struct Peer {
    base::Endpoint endpoint;
    std::unique_ptr<RpcClient> client;
    base::Instant connected, heard;
  };

  void send(std::uint32_t group, const NodeId& to, std::string_view message);

  base::Net& net_;
  base::Timers& timers_;
  const NodeId self_;
  std::map<NodeId, Peer> peers_;
  std::map<std::uint32_t, std::unique_ptr<GroupLinks>> links_;
  std::map<std::uint32_t, std::shared_ptr<const Receive>> receivers_;  // shared with a call
};

}  // namespace dfs::replication
