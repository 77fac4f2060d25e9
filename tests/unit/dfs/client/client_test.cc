// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/client.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/support/check_result.h"
#include "tests/unit/dfs/client/client_sim.h"

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
TEST(ClientSimulation, a_cache_that_is_too_small) {
  check_seeds({.clients = 2, .inodes_max = 6}, 40);
}
