// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/rpc_peers.h"

#include <algorithm>

namespace dfs::replication {

namespace {

// A node that lives is heard more often, by heartbeats and their answers.
constexpr base::Duration kSilence = std::chrono::milliseconds(1500);

// What is in front of each message.
struct Address {
  std::uint32_t group = 0;
  std::string from, to;
  template <class Archive>
  void fields(Archive& archive) {
    archive(group, from, to);
  }
};

}  // namespace

class RpcPeers::GroupLinks final : public PeerLinks {
 public:
  GroupLinks(RpcPeers& peers, std::uint32_t group) : peers_(peers), group_(group) {}
  void send(const NodeId& to, std::string message) override { peers_.send(group_, to, message); }

 private:
  RpcPeers& peers_;
  const std::uint32_t group_;
};

RpcPeers::RpcPeers(base::Net& net, base::Timers& timers, NodeId self)
    : net_(net), timers_(timers), self_(std::move(self)) {}
RpcPeers::~RpcPeers() = default;

void RpcPeers::set_address(const NodeId& node, const base::Endpoint& endpoint) {
  Peer& peer = peers_[node];
  if (peer.client && peer.endpoint == endpoint) return;
  peer.endpoint = endpoint;
  peer.client = std::make_unique<RpcClient>(net_, timers_, endpoint);
}

PeerLinks& RpcPeers::links(std::uint32_t group) {
  std::unique_ptr<GroupLinks>& links = links_[group];
  if (!links) links = std::make_unique<GroupLinks>(*this, group);
  return *links;
}

void RpcPeers::set_receiver(std::uint32_t group, Receive receive) {
  if (receive) {
    receivers_[group] = std::make_shared<const Receive>(std::move(receive));
  } else {
    receivers_.erase(group);
  }
}

void RpcPeers::send(std::uint32_t group, const NodeId& to, std::string_view message) {
  const auto at = peers_.find(to);
  if (at == peers_.end()) return;
  Peer& peer = at->second;
  const base::Instant now = timers_.clock().now();
  if (peer.client->is_open() && now - std::max(peer.heard, peer.connected) >= kSilence)
    peer.client->hang_up();
  if (!peer.client->is_open()) peer.connected = now;
  // One that cannot be sent is lost, as on its way: the group sends again what matters.
  static_cast<void>(peer.client->notify(kReplicateNotice,
                                        encode(Address{group, self_.text(), to.text()}), message));
}

void RpcPeers::on_notice(std::string_view body, std::string_view data) {
  const base::Result<Address> address = decode<Address>(body);
  if (!address || address->to != self_.text()) return;
  const NodeId from(address->from);
  const auto peer = peers_.find(from);
  if (peer != peers_.end()) peer->second.heard = timers_.clock().now();
  const auto receiver = receivers_.find(address->group);
  if (receiver == receivers_.end()) return;
  const std::shared_ptr<const Receive> receive = receiver->second;
  (*receive)(from, data);
}

}  // namespace dfs::replication
