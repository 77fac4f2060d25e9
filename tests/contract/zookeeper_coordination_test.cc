// SPDX-License-Identifier: Apache-2.0
// The ZooKeeper engine against the contract on a real server, and what only it promises: it
// outlives a server that went away for a moment, and its lease ends before others can take over.
#include "common/coordination/zookeeper.h"

#include <zookeeper/zookeeper.h>

#include <cstring>
#include <map>

#include "tests/contract/coordination_suite.h"
#include "tests/support/zookeeper_server.h"

using base::Code;
using coordination::Coordination;
using coordination::Kind;
using coordination::ZookeeperTicket;
using namespace std::chrono_literals;

namespace {

// One server for all tests of this program; each engine has a tree of its own.
ZookeeperServer& server() {
  static ZookeeperServer the_server;
  return the_server;
}

std::string new_root() {
  static int number = 0;
  return "/tests/tree" + std::to_string(++number);
}

coordination::ZookeeperOptions options(std::string root, base::Duration timeout) {
  coordination::ZookeeperOptions out;
  out.servers = server().address();
  out.root = std::move(root);
  out.session_timeout = timeout;
  return out;
}

class ZookeeperEngine : public contract::CoordinationEngine {
 public:
  std::unique_ptr<Coordination> open() override { return open_with(1s); }
  std::unique_ptr<Coordination> open_with(base::Duration timeout) {
    auto session = UNWRAP(coordination::open_zookeeper(options(root_, timeout)));
    tickets_[session->session_id()] = session->ticket();
    return session;
  }
  // Other handles take the session over and close it, until one finds it gone: its owner may take
  // it back in between.
  void expire(std::uint64_t session) override {
    for (int round = 0; round < 50; ++round) {
      if (is_gone_or_closed(tickets_.at(session))) return;
    }
    FAIL("the session does not end");
  }

 private:
  // Whether it was gone before; else it has been closed, unless its owner was quicker.
  static bool is_gone_or_closed(const ZookeeperTicket& ticket) {
    clientid_t id{};
    id.client_id = ticket.session;
    std::memcpy(id.passwd, ticket.password.data(), sizeof id.passwd);
    zhandle_t* handle = zookeeper_init(server().address().c_str(), nullptr, 1000, &id, nullptr, 0);
    CHECK_TRUE(handle != nullptr);
    Stat stat{};
    zoo_exists(handle, "/", 0, &stat);  // returns once it is connected or refused
    const bool is_gone = zoo_state(handle) == ZOO_EXPIRED_SESSION_STATE;
    zookeeper_close(handle);
    return is_gone;
  }

  const std::string root_ = new_root();
  std::map<std::uint64_t, ZookeeperTicket> tickets_;
};

}  // namespace

TEST_GROUP(ZookeeperCoordination) { ZookeeperEngine engine; };

COORDINATION_CONTRACT_TESTS(ZookeeperCoordination, CONTRACT_TEST)

TEST(ZookeeperCoordination,
     a_server_that_is_back_in_time_finds_session_watches_and_ephemeral_nodes) {
  const auto session = engine.open_with(8s);
  CHECK_OK(session->create({"/e", "", Kind::ephemeral}));
  contract::Event lost, change;
  session->on_session_lost(lost.callback());
  CHECK_OK(session->find("/e", change.callback()));
  server().kill();
  CHECK_ERROR(Code::unavailable, "coordination_lost", session->create({"/f", ""}));
  server().start();
  const base::Instant deadline = base::system_clock().now() + 15s;
  while (!session->set({"/e", "again"})) CHECK_TRUE(base::system_clock().now() < deadline);
  CHECK_TRUE(change.happened());
  LONGS_EQUAL(0, lost.count());
}

TEST(ZookeeperCoordination, the_lease_is_renewed_and_ends_when_nobody_answers) {
  const auto session = engine.open_with(1s);
  const base::Instant first = session->lease_valid_until();
  const base::Instant deadline = base::system_clock().now() + 5s;
  while (session->lease_valid_until() <= first) CHECK_TRUE(base::system_clock().now() < deadline);
  server().kill();
  while (session->lease_valid_until() > base::system_clock().now())
    CHECK_TRUE(base::system_clock().now() < deadline);
  server().start();
}

TEST(ZookeeperCoordination, wrong_settings_say_what_is_wrong) {
  CHECK_ERROR(Code::invalid_argument, "path_invalid",
              coordination::open_zookeeper(options("no/slash", 2s)));
  coordination::ZookeeperOptions nobody = options("/x", 2s);
  nobody.servers = "127.0.0.1:1";
  nobody.connect_timeout = 300ms;
  CHECK_ERROR(Code::unavailable, "coordination_lost", coordination::open_zookeeper(nobody));
}
