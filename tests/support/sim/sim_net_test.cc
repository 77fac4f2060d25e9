// SPDX-License-Identifier: Apache-2.0
// The faults of the simulated network.
#include "tests/support/sim/sim_net.h"

#include <optional>
#include <set>

#include "tests/support/check_result.h"

using namespace std::chrono_literals;
using base::Error;
using base::Link;
using base::LinkEvents;
using sim::SimNet;
using sim::World;

namespace {

// A server that keeps what it is sent, and a client.
class Cluster {
 public:
  explicit Cluster(std::uint64_t seed) : world(seed) {
    listener_ = UNWRAP(server_->listen({"server", 1}, [this](std::unique_ptr<Link> link) {
      accepted.push_back(std::move(link));
      return LinkEvents{{},
                        [this](std::string_view frame) { received += std::string(frame) + " "; },
                        [this](const Error& error) { server_closed = error; }};
    }));
  }

  std::unique_ptr<Link> connect() {
    return client_->connect(
        {"server", 1}, {[this] { opened = true; },
                        [this](std::string_view frame) { replies += std::string(frame) + " "; },
                        [this](const Error& error) { client_closed = error; }});
  }

  World world;
  SimNet net{world};
  std::vector<std::unique_ptr<Link>> accepted;
  std::string received, replies;
  bool opened = false;
  std::optional<Error> client_closed, server_closed;

 private:
  std::unique_ptr<base::Net> server_ = net.host("server");
  std::unique_ptr<base::Net> client_ = net.host("client");
  std::unique_ptr<base::Listener> listener_;
};

}  // namespace

TEST_GROUP(SimNet){};

TEST(SimNet, a_partition_holds_frames_up_and_healing_delivers_them_in_order) {
  Cluster cluster(1);
  const auto link = cluster.connect();
  CHECK_OK(link->send("1"));
  cluster.world.run_for(1s);
  cluster.net.partition({"client"}, {"server"});
  for (const char* frame : {"2", "3", "4"}) CHECK_OK(link->send(frame));
  cluster.world.run_for(1h);
  STRCMP_EQUAL("1 ", cluster.received.c_str());
  CHECK_FALSE(cluster.client_closed.has_value());
  cluster.net.heal();
  CHECK_OK(link->send("5"));
  cluster.world.run_for(1s);
  STRCMP_EQUAL("1 2 3 4 5 ", cluster.received.c_str());
}

TEST(SimNet, one_way_may_work_while_the_other_does_not) {
  Cluster cluster(1);
  const auto link = cluster.connect();
  cluster.world.run_for(1s);
  cluster.net.block("client", "server");
  CHECK_OK(link->send("lost"));
  CHECK_OK(cluster.accepted[0]->send("heard"));
  cluster.world.run_for(1s);
  STRCMP_EQUAL("", cluster.received.c_str());
  STRCMP_EQUAL("heard ", cluster.replies.c_str());
}

TEST(SimNet, connecting_across_a_partition_times_out) {
  Cluster cluster(1);
  cluster.net.partition({"client"}, {"server"});
  const auto link = cluster.connect();
  cluster.world.run_for(1min);
  CHECK_TRUE(cluster.client_closed.has_value());
  STRCMP_EQUAL("link_timed_out", std::string(cluster.client_closed->reason).c_str());
  CHECK_TRUE(cluster.accepted.empty());
}

TEST(SimNet, a_link_that_breaks_loses_its_end_and_both_sides_hear_of_it) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Cluster cluster(seed);
    const auto link = cluster.connect();
    cluster.world.run_for(1s);
    cluster.net.faults.link_break = 0.3;
    for (const char* frame : {"1", "2", "3", "4", "5"}) static_cast<void>(link->send(frame));
    cluster.world.run_for(1s);
    CHECK_TRUE(std::string_view("1 2 3 4 5 ").starts_with(cluster.received));
    const bool whole = cluster.received == "1 2 3 4 5 ";
    CHECK_TRUE(whole != cluster.client_closed.has_value());
    CHECK_TRUE(whole != cluster.server_closed.has_value());
    seen.insert(cluster.received);
  }
  CHECK_TRUE(seen.size() > 3);
}

TEST(SimNet, frames_of_different_links_overtake_each_other) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Cluster cluster(seed);
    const auto one = cluster.connect();
    const auto two = cluster.connect();
    CHECK_OK(one->send("1"));
    CHECK_OK(two->send("2"));
    cluster.world.run_for(1s);
    seen.insert(cluster.received);
  }
  CHECK_TRUE(seen == std::set<std::string>({"1 2 ", "2 1 "}));
}

TEST(SimNet, delays_are_within_their_bounds) {
  Cluster cluster(1);
  cluster.net.faults.delay_min = 10ms;
  cluster.net.faults.delay_max = 20ms;
  const base::Instant start = cluster.world.clock().now();
  const auto link = cluster.connect();
  CHECK_TRUE(cluster.world.run_until([&] { return cluster.opened; }));
  const base::Duration round_trip = cluster.world.clock().now() - start;
  CHECK_TRUE(round_trip >= 20ms && round_trip <= 40ms);
}
