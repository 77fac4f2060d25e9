// SPDX-License-Identifier: Apache-2.0
// A metadata server that crashes, links that break, hosts that are cut off and clients that die, by
// seed: one order explains each name's history, no two clients use leases that conflict, a batch
// has one effect, and the state is consistent at the end.
//
// GESTALT_SIM_SEEDS says how many seeds, GESTALT_SIM_SEED runs one.
#include <cstdio>
#include <cstdlib>

#include "common/base/log.h"
#include "dfs/meta/fsck.h"
#include "tests/unit/dfs/meta/rig.h"
#include "tests/unit/dfs/meta/sim_client.h"

using namespace std::chrono_literals;
using dfs::meta::check_state;
using dfs::meta::FsckReport;
using dfs::meta::testing::is_linearizable;
using dfs::meta::testing::Judge;
using dfs::meta::testing::Mistake;
using dfs::meta::testing::NameEvent;
using dfs::meta::testing::Rig;
using dfs::meta::testing::SimClient;

namespace {

struct Outcome {
  std::string failure;
  std::uint64_t done = 0, uses = 0, reads = 0, events = 0;
};

Outcome run_seed(std::uint64_t seed, Mistake mistake) {
  Rig rig(seed);
  rig.delay_max = 20ms;
  rig.make_volume();
  Judge judge(rig.world);
  const dfs::InodeNumber root = rig.state->volumes().at(1).root;
  rig.network.faults.link_break = 0.002;
  std::vector<std::unique_ptr<SimClient>> clients;
  Outcome outcome;
  const auto make = [&](int number) {
    auto client =
        std::make_unique<SimClient>(rig.world, rig.network, judge, number,
                                    std::vector<base::Endpoint>{{"meta", 7861}}, root, mistake);
    client->start();
    return client;
  };
  int next = 0;
  for (; next < 3; ++next) clients.push_back(make(next));
  const base::Instant end = rig.world.clock().now() + 40s;
  while (rig.world.clock().now() < end && judge.failure.empty()) {
    rig.world.run_for(rig.world.between(500ms, 4s));
    switch (rig.world.random()() % 6) {
      case 0: {  // the server crashes
        rig.stop();
        rig.world.run_for(rig.world.between(0ms, 3s));
        rig.start();
        break;
      }
      case 1: {  // a client dies, another comes
        std::unique_ptr<SimClient>& victim = clients[rig.world.random()() % clients.size()];
        outcome.done += victim->done();
        victim.reset();
        victim = make(next++);
        break;
      }
      case 2: {  // a client is cut off, for longer than its lease or not
        const std::string name = "client-" + std::to_string(rig.world.random()() % 4);
        rig.network.partition({name}, {"meta"});
        rig.world.run_for(rig.world.between(100ms, 9s));
        rig.network.heal();
        break;
      }
      case 3: rig.state->checkpoint([](auto) {}); break;
      default: break;
    }
  }
  rig.network.faults.link_break = 0;
  // Everybody must get on now.
  const auto before = [&] {
    std::uint64_t sum = 0;
    for (const auto& client : clients) sum += client->done();
    return sum;
  };
  const std::uint64_t done = before();
  if (judge.failure.empty() && !rig.world.run_until([&] { return before() > done + 20; }, 60s))
    judge.fail("nobody gets on after the faults");
  for (const auto& client : clients) client->stop();
  const bool idle = rig.world.run_until(
      [&] {
        return std::all_of(clients.begin(), clients.end(),
                           [](const auto& client) { return client->is_idle(); });
      },
      60s);
  if (judge.failure.empty() && !idle) judge.fail("a request is never answered");
  if (judge.failure.empty()) judge.check_names();
  outcome.done += before();
  clients.clear();
  rig.world.run_for(30s);
  if (judge.failure.empty() && !rig.state->sessions().empty())
    judge.fail("sessions of the dead live on");
  const FsckReport report = check_state(*rig.state);
  if (judge.failure.empty() && report.wrong > 0) judge.fail(report.problems.front());
  if (judge.failure.empty() && rig.server->leases() > 0) judge.fail("leases of the dead live on");
  outcome.failure = judge.failure;
  outcome.uses = judge.uses;
  outcome.reads = judge.reads;
  outcome.events = judge.events;
  return outcome;
}

std::uint64_t seeds() {
  const char* wanted = std::getenv("GESTALT_SIM_SEEDS");
  return wanted == nullptr ? 300 : std::strtoull(wanted, nullptr, 10);
}

// As the real clients log it, but nobody reads it here.
void quiet(base::log::Level, std::string_view, std::string_view, base::log::FieldList) noexcept {}

}  // namespace

TEST_GROUP(MetaSimulation){void setup() override{base::log::set_sink(quiet);
}
void teardown() override { base::log::set_sink(base::log::stderr_sink); }
}
;

TEST(MetaSimulation, clients_agree_whatever_breaks) {
  Outcome sum;
  const auto run = [&](std::uint64_t seed) {
    const Outcome outcome = run_seed(seed, Mistake::none);
    if (!outcome.failure.empty())
      FAIL(("seed " + std::to_string(seed) + ": " + outcome.failure).c_str());
    sum.done += outcome.done;
    sum.uses += outcome.uses;
    sum.reads += outcome.reads;
    sum.events += outcome.events;
  };
  if (const char* one = std::getenv("GESTALT_SIM_SEED"))
    return run(std::strtoull(one, nullptr, 10));
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) run(seed);
  std::printf("%llu seeds: %llu requests, %llu uses of leases, %llu reads, %llu name events\n",
              static_cast<unsigned long long>(seeds()), static_cast<unsigned long long>(sum.done),
              static_cast<unsigned long long>(sum.uses), static_cast<unsigned long long>(sum.reads),
              static_cast<unsigned long long>(sum.events));
}

TEST(MetaSimulation, each_planted_mistake_is_noticed) {
  for (const Mistake mistake :
       {Mistake::keeps_after_recall, Mistake::trusts_too_long, Mistake::renumbers_resends,
        Mistake::releases_before_flush, Mistake::reclaims_nothing}) {
    std::uint64_t seed = 1;
    while (seed <= 200 && run_seed(seed, mistake).failure.empty()) ++seed;
    if (seed > 200)
      FAIL(("mistake " + std::to_string(static_cast<int>(mistake)) + " was not noticed").c_str());
  }
}

TEST(MetaSimulation, the_check_of_histories_knows_right_from_wrong) {
  const auto at = [](int seconds) { return base::Instant{std::chrono::seconds(seconds)}; };
  using What = NameEvent::What;
  const NameEvent create{What::create, 7, true, at(0), at(2), true};
  const NameEvent sees{What::look, 7, false, at(1), at(3), true};
  const NameEvent misses{What::look, 0, false, at(1), at(3), true};
  const NameEvent late_miss{What::look, 0, false, at(4), at(5), true};
  NameEvent perhaps{What::remove, 0, false, at(0), at(0), false};
  CHECK_TRUE(is_linearizable({create, sees}));
  CHECK_TRUE(is_linearizable({create, misses}));
  CHECK_FALSE(is_linearizable({create, late_miss}));
  CHECK_TRUE(is_linearizable({create, late_miss, perhaps}));
  CHECK_FALSE(is_linearizable({create, create}));
}
