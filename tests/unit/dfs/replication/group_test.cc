// SPDX-License-Identifier: Apache-2.0
// Whole groups under all faults, by seed (cluster_sim.h). GESTALT_SIM_SEEDS sets how many seeds,
// GESTALT_SIM_SEED runs one.
#include "dfs/replication/group.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "dfs/replication/group_member.h"
#include "tests/support/check_result.h"
#include "tests/unit/dfs/replication/cluster_sim.h"

using namespace dfs::replication;
using namespace std::chrono_literals;

namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* asked = std::getenv(name);
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : otherwise;
}

void check_seeds(std::uint64_t count, testing::ClusterOptions options) {
  const std::uint64_t only = setting("GESTALT_SIM_SEED", 0);
  const std::uint64_t first = only != 0 ? only : 1;
  const std::uint64_t last = only != 0 ? only : setting("GESTALT_SIM_SEEDS", count);
  testing::ClusterSim::Counts total;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    testing::ClusterSim cluster(seed, options);
    const std::string failure = cluster.run();
    if (!failure.empty()) FAIL(("seed " + std::to_string(seed) + ": " + failure).c_str());
    total.acknowledged += cluster.counts().acknowledged;
    total.reads += cluster.counts().reads;
    total.rebuilt += cluster.counts().rebuilt;
    total.starts += cluster.counts().starts;
    total.epochs += cluster.counts().epochs;
  }
  const std::uint64_t seeds = last - first + 1;
  std::printf("%lu seeds: %lu acknowledged, %lu reads, %lu rebuilt, %lu starts, %lu epochs\n",
              seeds, total.acknowledged, total.reads, total.rebuilt, total.starts, total.epochs);
  // The faults must leave enough to check.
  CHECK_TRUE(total.acknowledged > seeds * 30);
  CHECK_TRUE(total.reads > seeds * 30);
}

// Some seed goes red or trips an assertion, which ends the process: hence the child.
void check_found(testing::ClusterOptions options) {
  const pid_t child = fork();
  if (child == 0) {
    close(STDERR_FILENO);
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
      if (!testing::ClusterSim(seed, options).run().empty()) _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  CHECK_TRUE(waitpid(child, &status, 0) == child);
  const bool red = WIFEXITED(status) && WEXITSTATUS(status) == 1;
  const bool asserted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  if (!red && !asserted) FAIL("400 seeds did not notice the planted mistake");
}

}  // namespace

TEST_GROUP(GroupSimulation){};

TEST(GroupSimulation, three_nodes_keep_every_promise_under_all_faults) { check_seeds(300, {}); }
TEST(GroupSimulation, groups_that_share_a_journal_keep_every_promise) {
  check_seeds(100, {.groups = 3});
}
TEST(GroupSimulation, five_nodes_keep_every_promise_under_all_faults) {
  check_seeds(100, {.nodes = 5});
}

TEST_GROUP(GroupPlantedMistakes){};

TEST(GroupPlantedMistakes, a_failed_sync_that_is_ignored_is_found) {
  check_found({.mistakes = {.syncs_do_nothing = true}});
}
TEST(GroupPlantedMistakes, answering_before_the_sync_is_found) {
  check_found({.mistakes = {.answers_before_sync = true}});
}
TEST(GroupPlantedMistakes, messages_without_a_checksum_are_found) {
  check_found({.mistakes = {.no_message_checksum = true}});
}
TEST(GroupPlantedMistakes, snapshots_without_a_checksum_are_found) {
  check_found({.mistakes = {.no_snapshot_checksum = true}});
}
TEST(GroupPlantedMistakes, a_lease_by_the_wall_clock_is_found) {
  check_found({.mistakes = {.lease_by_wall_clock = true}});
}
TEST(GroupPlantedMistakes, operations_that_take_effect_again_when_sent_again_are_found) {
  check_found({.mistakes = {.keeps_repeated = true}});
}
TEST(GroupPlantedMistakes, going_on_with_a_damaged_journal_is_found) {
  check_found({.mistakes = {.keeps_damaged_journal = true}});
}

TEST(GroupPlantedMistakes, acknowledging_on_one_disk_is_found) {
  struct Wrong : Rules {
    Index committable(const Configuration&, const std::map<NodeId, Index>& durable) const override {
      Index most = 0;
      for (const auto& [node, index] : durable) most = std::max(most, index);
      return most;
    }
  } wrong;
  check_found({.rules = &wrong});
}

TEST(GroupPlantedMistakes, accepting_an_older_epoch_is_found) {
  struct Wrong : Rules {
    bool accepts(Epoch, Epoch) const override { return true; }
  } wrong;
  check_found({.rules = &wrong});
}

TEST(GroupPlantedMistakes, reading_without_a_lease_is_found) {
  struct Wrong : Rules {
    base::Instant lease_end(const Configuration&, const NodeId&,
                            const std::map<NodeId, base::Instant>&,
                            const LeaseTimes&) const override {
      return {base::Duration::max()};
    }
  } wrong;
  check_found({.rules = &wrong});
}
