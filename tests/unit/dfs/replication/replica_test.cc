// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/replica.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/support/check_result.h"
#include "tests/support/sanitizers.h"
#include "tests/unit/dfs/replication/group_sim.h"

using namespace dfs::replication;
using namespace std::chrono_literals;

namespace {

// Seeds per group: the slow suite asks for more through GESTALT_SIM_SEEDS.
std::uint64_t seed_count() {
  const char* asked = std::getenv("GESTALT_SIM_SEEDS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : share_of_seeds(500);
}

void check_seeds(std::size_t nodes, sim::Faults faults) {
  const Rules rules;
  std::uint64_t acknowledged = 0;
  std::uint64_t reads = 0;
  const char* only = std::getenv("GESTALT_SIM_SEED");
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t last = only != nullptr ? first : seed_count();
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    sim::GroupSim group(seed, nodes, rules, faults);
    const std::string failure = group.run(8s);
    if (!failure.empty()) FAIL(("seed " + std::to_string(seed) + ": " + failure).c_str());
    acknowledged += group.acknowledged();
    reads += group.reads();
  }
  // The faults must leave enough to check.
  CHECK_TRUE(acknowledged > (last - first + 1) * 20);
  CHECK_TRUE(reads > (last - first + 1) * 20);
}

// A planted mistake counts as found when some seed out of many goes red or trips an assertion of
// the replica, which ends the process: hence the child.
void check_found(const Rules& rules, sim::Faults faults) {
  if (kSanitized) return;  // see sanitizers.h
  const pid_t child = fork();
  if (child == 0) {
    close(STDERR_FILENO);
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
      if (!sim::GroupSim(seed, 3, rules, faults).run(8s).empty()) _exit(1);
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

TEST_GROUP(ReplicaSimulation){};

TEST(ReplicaSimulation, three_nodes_keep_every_promise_under_all_faults) { check_seeds(3, {}); }
TEST(ReplicaSimulation, five_nodes_keep_every_promise_under_all_faults) { check_seeds(5, {}); }
TEST(ReplicaSimulation, crashes_alone) {
  check_seeds(3, {.drop = 0, .repeat = 0, .partitions = false, .one_way = false});
}

TEST_GROUP(ReplicaPlantedMistakes){};

TEST(ReplicaPlantedMistakes, answering_before_the_sync_is_found) {
  check_found(Rules(), {.planted = sim::Planted::answers_before_sync});
}

TEST(ReplicaPlantedMistakes, committing_on_one_disk_is_found) {
  struct Wrong : Rules {
    Index committable(const Configuration&, const std::map<NodeId, Index>& durable) const override {
      Index most = 0;
      for (const auto& [node, index] : durable) most = std::max(most, index);
      return most;
    }
  };
  check_found(Wrong(), {});
}

TEST(ReplicaPlantedMistakes, accepting_an_older_epoch_is_found) {
  struct Wrong : Rules {
    bool accepts(Epoch, Epoch) const override { return true; }
  };
  check_found(Wrong(), {});
}

TEST(ReplicaPlantedMistakes, reading_without_a_lease_is_found) {
  struct Wrong : Rules {
    base::Instant lease_end(const Configuration&, const NodeId&,
                            const std::map<NodeId, base::Instant>&,
                            const LeaseTimes&) const override {
      return {base::Duration::max()};
    }
  };
  check_found(Wrong(), {});
}

TEST(ReplicaPlantedMistakes, taking_over_before_the_lease_has_run_out_is_found) {
  struct Wrong : Rules {
    bool may_replace_primary(base::Instant now, base::Instant heard,
                             const LeaseTimes&) const override {
      return now - heard > 200ms;
    }
  };
  check_found(Wrong(), {});
}

TEST(ReplicaPlantedMistakes, taking_in_a_node_that_lacks_entries_is_found) {
  struct Wrong : Rules {
    bool caught_up(Index, Index) const override { return true; }
  };
  check_found(Wrong(), {});
}

TEST(ReplicaPlantedMistakes, serving_before_the_inherited_log_is_committed_is_found) {
  struct Wrong : Rules {
    bool may_serve(Index, Index) const override { return true; }
  };
  check_found(Wrong(), {});
}

TEST(ReplicaPlantedMistakes, leading_an_epoch_of_an_earlier_life_is_found) {
  struct Wrong : Rules {
    bool may_lead(const std::optional<Configuration>&, const Configuration&) const override {
      return true;
    }
  };
  check_found(Wrong(), {});
}
