// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/client.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/support/check_result.h"
#include "tests/unit/dfs/client/client_sim.h"
#include "tests/unit/dfs/client/one_client.h"

using namespace dfs::client::testing;

namespace {

// Seeds per test: the slow suite asks for more through GESTALT_SIM_SEEDS.
std::uint64_t seed_count(std::uint64_t usual) {
  const char* asked = std::getenv("GESTALT_SIM_SEEDS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : usual;
}

void check_seeds(SimOptions options, std::uint64_t usual) {
  const char* only = std::getenv("GESTALT_SIM_SEED");
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t last = only != nullptr ? first : seed_count(usual);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const std::string failure = ClientSim(seed, options).run();
    if (!failure.empty()) FAIL(("seed " + std::to_string(seed) + ": " + failure).c_str());
  }
}

}  // namespace

TEST_GROUP(ClientSimulation){};

TEST(ClientSimulation, one_client_sees_what_it_did) { check_seeds({.clients = 1}, 40); }
TEST(ClientSimulation, two_clients_see_what_the_other_did) { check_seeds({.clients = 2}, 40); }
TEST(ClientSimulation, three_clients_and_links_that_break) {
  check_seeds({.clients = 3, .link_break = 0.002}, 40);
}
TEST(ClientSimulation, metadata_servers_that_come_and_go) {
  check_seeds({.clients = 2, .link_break = 0.001, .restarts = true}, 40);
}
TEST(ClientSimulation, snapshots_show_what_was_while_clients_go_on) {
  check_seeds({.clients = 2, .snapshots = true}, 40);
}
TEST(ClientSimulation, snapshots_while_links_break_and_metadata_servers_come_and_go) {
  check_seeds({.clients = 3, .link_break = 0.001, .restarts = true, .snapshots = true}, 40);
}
TEST(ClientSimulation, a_cache_that_is_too_small) {
  check_seeds({.clients = 2, .inodes_max = 6}, 40);
}

TEST_GROUP(Client){};

TEST(Client, a_write_across_a_cut_that_is_still_to_be_made_ends) {
  OneClient one(1);
  const dfs::InodeNumber inode = one.create("file");
  CHECK_OK(one.write(inode, 0, std::string(150'000, 'x')));
  CHECK_OK(one.resize(inode, 4095));
  CHECK_OK(one.write(inode, 0, std::string(100'000, 'y')));
  CHECK_OK(one.sync(inode));
  CHECK_TRUE(one.storage->objects[inode] == std::string(100'000, 'y'));
}

TEST(Client, a_second_cut_while_what_came_behind_the_first_is_on_its_way_ends) {
  for (int wait_ms = 0; wait_ms < 120; wait_ms += 4) {
    OneClient one(1);
    one.storage->delay_max = std::chrono::milliseconds(40);
    const dfs::InodeNumber inode = one.create("file");
    CHECK_OK(one.write(inode, 0, std::string(150'000, 'x')));
    CHECK_OK(one.sync(inode));
    CHECK_OK(one.resize(inode, 4095));
    CHECK_OK(one.write(inode, 0, std::string(100'000, 'y')));
    bool is_synced = false;
    one.actor->client->fsync(inode, dfs::client::Sync::all,
                             [&](const base::Result<dfs::Nothing>&) { is_synced = true; });
    one.rig.world.run_for(std::chrono::milliseconds(wait_ms));
    CHECK_OK(one.resize(inode, 10));
    CHECK_TRUE(one.rig.world.run_until([&] { return is_synced; }, std::chrono::seconds(5)));
    CHECK_OK(one.sync(inode));
    LONGS_EQUAL(10, UNWRAP(one.actor->stat(inode)).size);
  }
}

TEST(Client, a_file_without_a_name_can_be_given_one_while_it_is_open) {
  OneClient one(1);
  dfs::client::Client& client = *one.actor->client;
  const dfs::InodeNumber inode = one.create("");
  CHECK_OK(one.write(inode, 0, "content"));
  const auto link = [&](const std::string& name) {
    return one.actor->wait<dfs::client::Found>([&](dfs::client::Done<dfs::client::Found> done) {
      client.link(inode, client.root(), name, std::move(done));
    });
  };
  LONGS_EQUAL(0, UNWRAP(one.actor->stat(inode)).links);
  one.actor->kernel.attributes.clear();
  LONGS_EQUAL(1, UNWRAP(link("named")).attributes.links);
  CHECK_OK(one.sync(inode));
  CHECK_TRUE(UNWRAP(one.actor->lookup(client.root(), "named")) == inode);
  const dfs::InodeNumber gone = one.create("");
  client.release(gone);
  CHECK_OK(one.actor->wait<dfs::Nothing>(
      [&](dfs::client::Done<dfs::Nothing> done) { client.sync(std::move(done)); }));
  CHECK_FALSE(one.rig.state->inode_exists(gone));
}
