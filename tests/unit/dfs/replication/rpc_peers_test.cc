// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/rpc_peers.h"

#include "tests/support/check_result.h"
#include "tests/support/sim/sim_net.h"

using namespace dfs;
using namespace dfs::replication;
using namespace std::chrono_literals;

namespace {

// A node with one group that writes down what it hears.
struct Node {
  Node(sim::World& world, sim::SimNet& net, const std::string& host, const std::string& id)
      : own_net(net.host(host)), peers(*own_net, world, NodeId(id)) {
    RpcServer::Handlers handlers;
    handlers.request = [](std::uint8_t, std::string_view, std::string_view, Responder) {};
    handlers.notice = [this](const std::shared_ptr<Caller>&, std::uint8_t, std::string_view body,
                             std::string_view data) { peers.on_notice(body, data); };
    server = UNWRAP(RpcServer::listen(*own_net, {host, 1}, std::move(handlers)));
    peers.set_receiver(1, [this](const NodeId& from, std::string_view message) {
      heard += from.text() + ":" + std::string(message) + " ";
    });
  }
  std::unique_ptr<base::Net> own_net;
  RpcPeers peers;
  std::unique_ptr<RpcServer> server;
  std::string heard;
};

}  // namespace

TEST_GROUP(RpcPeers) {
  sim::World world{1};
  sim::SimNet net{world};
  Node a{world, net, "ha", "a"};
  Node b{world, net, "hb", "b"};

  void setup() override {
    a.peers.set_address(NodeId("b"), {"hb", 1});
    b.peers.set_address(NodeId("a"), {"ha", 1});
  }
};

TEST(RpcPeers, messages_of_a_group_arrive_in_order_with_their_sender) {
  for (const char* text : {"1", "2", "3"}) a.peers.links(1).send(NodeId("b"), text);
  b.peers.links(1).send(NodeId("a"), "back");
  world.run_for(1s);
  STRCMP_EQUAL("a:1 a:2 a:3 ", b.heard.c_str());
  STRCMP_EQUAL("b:back ", a.heard.c_str());
}

TEST(RpcPeers, what_is_for_another_group_or_another_disk_goes_nowhere) {
  a.peers.links(2).send(NodeId("b"), "other group");
  a.peers.set_address(NodeId("before"), {"hb", 1});
  a.peers.links(1).send(NodeId("before"), "disk that was replaced");
  a.peers.links(1).send(NodeId("unknown"), "nobody");
  b.peers.on_notice("no address", "bytes");
  world.run_for(1s);
  STRCMP_EQUAL("", b.heard.c_str());
}

TEST(RpcPeers, a_node_that_was_silent_is_connected_to_anew) {
  a.peers.links(1).send(NodeId("b"), "1");
  world.run_for(1s);
  net.partition({"ha"}, {"hb"});
  a.peers.links(1).send(NodeId("b"), "held up");
  world.run_for(3s);
  a.peers.links(1).send(NodeId("b"), "into a connection that cannot be made");
  net.heal();
  world.run_for(3s);
  a.peers.links(1).send(NodeId("b"), "2");
  world.run_for(1s);
  CHECK_TRUE(b.heard.starts_with("a:1 "));
  CHECK_TRUE(b.heard.ends_with("a:2 "));
}
