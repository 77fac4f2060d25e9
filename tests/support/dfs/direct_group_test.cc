// SPDX-License-Identifier: Apache-2.0
#include "tests/support/dfs/direct_group.h"

#include "tests/support/check_result.h"
#include "tests/support/sim/world.h"

using namespace std::chrono_literals;
using dfs::testing::DirectGroup;
using dfs::testing::DirectLog;
using namespace dfs::replication;  // NOLINT: the subject

namespace {

// Collects payloads; durable up to where the test says.
class Collector final : public StateMachine {
 public:
  Position durable() const override { return {durable_index, 1}; }
  std::string apply(const Entry& entry) override {
    seen += entry.payload;
    return std::to_string(entry.index);
  }
  void checkpoint(std::function<void(base::Result<Position>)> done) override { done(durable()); }
  base::Result<std::unique_ptr<SnapshotSource>> open_snapshot() override { return unsupported(); }
  base::Result<std::unique_ptr<SnapshotSink>> receive_snapshot() override { return unsupported(); }
  void on_role(bool is_serving) override { serving = is_serving; }

  static base::Error unsupported() { return {base::Code::unsupported, "not here"}; }
  Index durable_index = 0;
  std::string seen;
  bool serving = false;
};

struct Fixture {
  sim::World world{1};
  DirectLog log;
  Collector machine;
  std::string answers;
  Group::OnApplied note() {
    return [this](base::Result<std::string> answer) {
      answers += answer ? *answer : std::string(answer.error().reason);
      answers += ' ';
    };
  }
};

}  // namespace

TEST_GROUP(DirectGroup){};

TEST(DirectGroup, entries_take_effect_in_the_order_of_proposing) {
  Fixture f;
  std::vector<base::Duration> delays = {5ms, 0ms, 1ms};
  std::size_t next = 0;
  DirectGroup group(f.log, f.machine, f.world, {.delay = [&] { return delays[next++]; }});
  CHECK_TRUE(f.machine.serving && group.may_read());
  for (const char* payload : {"a", "b", "c"}) group.propose(payload, f.note());
  STRCMP_EQUAL("", f.answers.c_str());
  f.world.run_for(1s);
  STRCMP_EQUAL("abc", f.machine.seen.c_str());
  STRCMP_EQUAL("1 2 3 ", f.answers.c_str());
}

TEST(DirectGroup, a_machine_that_was_started_again_gets_what_it_had_not_made_durable) {
  Fixture f;
  {
    DirectGroup group(f.log, f.machine, f.world);
    for (const char* payload : {"a", "b", "c"}) group.propose(payload, f.note());
    f.world.run_for(1s);
    group.propose("lost", f.note());
  }
  f.world.run_for(1s);
  STRCMP_EQUAL("1 2 3 ", f.answers.c_str());
  Collector again;
  again.durable_index = 1;
  const DirectGroup group(f.log, again, f.world);
  STRCMP_EQUAL("bc", again.seen.c_str());
}

TEST(DirectGroup, what_was_under_way_at_the_end_may_be_in_the_log) {
  Fixture f;
  {
    DirectGroup group(f.log, f.machine, f.world, {.keeps_unapplied = [] { return true; }});
    group.propose("kept", f.note());
  }
  STRCMP_EQUAL("", f.machine.seen.c_str());
  LONGS_EQUAL(1, f.log.entries.size());
}

TEST(DirectGroup, who_does_not_lead_refuses) {
  Fixture f;
  DirectGroup group(f.log, f.machine, f.world);
  group.propose("under way", f.note());
  group.set_serving(false);
  CHECK_FALSE(f.machine.serving || group.may_read());
  group.propose("late", f.note());
  STRCMP_EQUAL("", f.answers.c_str());
  f.world.run_for(1s);
  STRCMP_EQUAL("not_primary not_primary ", f.answers.c_str());
  group.set_serving(true);
  group.propose("x", f.note());
  f.world.run_for(1s);
  STRCMP_EQUAL("x", f.machine.seen.c_str());
}

TEST(DirectGroup, it_may_be_destroyed_by_an_answer) {
  Fixture f;
  auto group = std::make_unique<DirectGroup>(f.log, f.machine, f.world);
  group->propose("a", [&](base::Result<std::string>) { group.reset(); });
  group->propose("b", f.note());
  f.world.run_for(1s);
  STRCMP_EQUAL("", f.answers.c_str());
}
