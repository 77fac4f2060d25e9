// SPDX-License-Identifier: Apache-2.0
// The journal on the simulator's disk: power cuts during any change, flipped bits, a full disk. A
// run keeps every state that the groups went through; after a restart the journal must show one of
// them, no older than the last that was called durable.
#include "dfs/replication/journal.h"

#include <cstdlib>

#include "dfs/replication/journal_recovery.h"
#include "tests/support/check_result.h"
#include "tests/support/sanitizers.h"
#include "tests/support/sim/sim_disk.h"
#include "tests/support/sim/sim_disk_queue.h"

using namespace dfs::replication;
using namespace std::chrono_literals;
using sim::SimDisk;
using sim::SimDiskQueue;
using sim::World;

namespace {

constexpr std::uint32_t kGroups = 3;

JournalOptions small() {
  JournalOptions options;
  options.segment_bytes = 32 << 10;
  options.segments_max = 6;
  options.batch_bytes_max = 8 << 10;
  return options;
}

struct GroupState {
  Epoch promised = 0;
  Position base;
  std::vector<Entry> log;  // behind base
  Index last() const { return base.index + log.size(); }
};

// One journal in one life of its process, and the history of all lives.
class Run {
 public:
  explicit Run(std::uint64_t seed, JournalOptions options = small(),
               std::uint64_t capacity = UINT64_MAX)
      : world(seed), disk(world, capacity), options_(std::move(options)) {
    options_.on_fatal = [this](const base::Error&) { died = true; };
  }

  base::Result<void> start() {
    journal.reset();
    queue = std::make_unique<SimDiskQueue>(world);
    died = false;
    journal = TRY(Journal::open(disk, *queue, world, world.rng(), options_));
    return {};
  }

  // Whether the journal shows a state that may be, which is the present from then on.
  bool resume() {
    std::vector<RecoveredGroup> found;
    for (std::uint32_t group = 0; group < kGroups; ++group)
      found.push_back(journal->take_recovered(group));
    for (std::size_t at = history.size(); at-- > durable;) {
      if (!shows(found, history[at])) continue;
      history = {history[at]};
      durable = 0;
      return true;
    }
    return false;
  }

  void append_something() {
    auto& random = world.random();
    const auto group = static_cast<std::uint32_t>(random() % kGroups);
    std::vector<GroupState> next = history.back();
    GroupState& state = next[group];
    LogWrite write;
    if (random() % 10 == 0) ++state.promised;
    write.promised = state.promised;
    const Index lowest = std::max(state.base.index, released[group]);
    if (random() % 10 == 0 && state.last() > lowest) {
      // Never what was released.
      state.log.resize(lowest - state.base.index + random() % (state.last() - lowest));
      write.keep = state.last();
    } else if (random() % 40 == 0) {
      state.base = {state.last() + random() % 20, ++state.promised};
      state.log.clear();
      write.base = state.base;
      write.promised = state.promised;
    }
    for (std::uint64_t i = random() % 4; i > 0; --i) {
      const Entry entry{state.promised, state.last() + 1, random(),
                        std::string(random() % 1500, static_cast<char>('a' + random() % 26))};
      state.log.push_back(entry);
      write.entries.push_back({entry, random() % 5 == 0});
    }
    history.push_back(std::move(next));
    journal->append(group, std::move(write), [this, at = history.size() - 1] { durable = at; });
  }

  // The state machines were made durable in part.
  void release_something() {
    const auto group = static_cast<std::uint32_t>(world.random()() % kGroups);
    const GroupState& state = history[durable][group];
    if (state.log.empty()) return;
    const Entry& through = state.log[world.random()() % state.log.size()];
    // Only what no later state cuts.
    for (std::size_t at = durable; at < history.size(); ++at) {
      const GroupState& each = history[at][group];
      if (each.base.index >= through.index) continue;
      if (each.last() < through.index || entry_at(each, through.index) != through) return;
    }
    journal->release(group, {through.index, through.epoch});
    released[group] = std::max(released[group], through.index);
  }

  void live_until_dead_or(base::Duration longest) {
    const base::Instant end = world.clock().now() + longest;
    while (!died && world.clock().now() < end) {
      if (journal->stats().waiting < 8 && journal->has_room()) append_something();
      if (world.random()() % 3 == 0) release_something();
      world.run_for(world.between(0ns, 2ms));
    }
  }

  World world;
  SimDisk disk;
  std::unique_ptr<SimDiskQueue> queue;
  std::unique_ptr<Journal> journal;
  bool died = false;
  std::vector<std::vector<GroupState>> history = {std::vector<GroupState>(kGroups)};
  std::size_t durable = 0;  // in history
  std::array<Index, kGroups> released{};

 private:
  static const Entry& entry_at(const GroupState& state, Index index) {
    return state.log[index - state.base.index - 1];
  }

  bool shows(const std::vector<RecoveredGroup>& found, const std::vector<GroupState>& state) const {
    for (std::uint32_t group = 0; group < kGroups; ++group) {
      const GroupState& expected = state[group];
      if (found[group].promised != expected.promised) return false;
      if (found[group].base.index > std::max(released[group], expected.base.index)) return false;
      if (found[group].base.index + found[group].log.size() != expected.last() &&
          expected.last() > released[group])
        return false;
      for (const JournalEntry& each : found[group].log) {
        if (each.entry.index <= expected.base.index) continue;
        if (each.entry.index > expected.last()) return false;
        if (entry_at(expected, each.entry.index) != each.entry) return false;
      }
    }
    return true;
  }

  JournalOptions options_;
};

std::uint64_t seed_count() {
  const char* asked = std::getenv("GESTALT_SIM_SEEDS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : share_of_seeds(200);
}

LogWrite entries(Index first, Index last, std::size_t bytes) {
  LogWrite write;
  write.promised = 1;
  for (Index index = first; index <= last; ++index)
    write.entries.push_back({Entry{1, index, index, std::string(bytes, 'x')}, false});
  return write;
}

}  // namespace

TEST_GROUP(Journal){};

TEST(Journal, what_was_durable_is_there_after_a_power_cut_during_any_change) {
  std::uint64_t cuts = 0, durable = 0;
  for (std::uint64_t seed = 1; seed <= seed_count(); ++seed) {
    Run run(seed);
    for (int life = 0; life < 6; ++life) {
      const std::string place = "seed " + std::to_string(seed) + ", life " + std::to_string(life);
      run.disk.cut_power_at_change(run.world.random()() % 80);  // 0: not
      const base::Result<void> started = run.start();
      if (started) {
        CHECK_TRUE_TEXT(run.resume(), place.c_str());
        run.live_until_dead_or(200ms);
      } else {
        CHECK_TRUE_TEXT(!run.disk.has_power(),
                        (place + ": " + base::to_string(started.error())).c_str());
      }
      if (run.disk.has_power()) run.disk.cut_power();
      run.disk.power_on();
      durable += run.durable;
      ++cuts;
    }
  }
  CHECK_TRUE(durable > cuts * 5);
}

TEST(Journal, a_killed_process_loses_nothing_either) {
  Run run(7);
  for (int life = 0; life < 50; ++life) {
    CHECK_OK(run.start());
    CHECK_TRUE(run.resume());
    run.live_until_dead_or(50ms);
    CHECK_FALSE(run.died);
  }
}

TEST(Journal, a_flipped_bit_is_reported_or_does_no_harm) {
  std::uint64_t reported = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Run run(seed);
    CHECK_OK(run.start());
    run.live_until_dead_or(60ms);
    run.world.run_for(1s);  // everything is durable, and the last batch is followed by another
    CHECK_TRUE(run.durable + 1 == run.history.size());
    run.journal.reset();
    const auto names = UNWRAP(run.disk.list("journal"));
    run.disk.flip_bit("journal/" + names[run.world.random()() % names.size()],
                      run.world.random()() % (8 * small().segment_bytes));
    const base::Result<void> started = run.start();
    if (started) {
      CHECK_TRUE_TEXT(run.resume(), std::to_string(seed).c_str());
    } else {
      STRCMP_EQUAL("journal_corrupt", std::string(started.error().reason).c_str());
      ++reported;
    }
  }
  CHECK_TRUE(reported > 30);
}

TEST(Journal, a_missing_segment_is_reported) {
  Run run(1);
  CHECK_OK(run.start());
  for (Index index = 1; index <= 10; ++index) {
    run.journal->append(0, entries(index, index, 6000), {});
    run.world.run_for(50ms);
  }
  CHECK_TRUE(run.journal->stats().segments_in_use >= 3);
  run.journal.reset();
  CHECK_OK(run.disk.remove("journal/2"));
  CHECK_ERROR(base::Code::corrupt, "journal_corrupt", run.start());
}

TEST(Journal, what_waits_goes_into_one_batch) {
  Run run(1);
  CHECK_OK(run.start());
  std::string order;
  for (std::uint32_t group = 0; group < 5; ++group)
    run.journal->append(group, entries(1, 1, 100),
                        [&order, group] { order += static_cast<char>('a' + group); });
  run.world.run_for(50ms);
  STRCMP_EQUAL("abcde", order.c_str());
  LONGS_EQUAL(2, run.journal->stats().batches);
}

TEST(Journal, a_write_that_is_larger_than_a_segment_becomes_durable_in_pieces) {
  Run run(1);
  CHECK_OK(run.start());
  const LogWrite large = entries(1, 60, 1000);
  CHECK_TRUE(encoded_size_max(large) > small().segment_bytes);
  bool durable = false;
  run.journal->append(0, large, [&] { durable = true; });
  run.world.run_for(1s);
  CHECK_TRUE(durable);
  CHECK_TRUE(run.journal->stats().batches > 5);
  CHECK_OK(run.start());
  CHECK_TRUE(run.journal->take_recovered(0).log == large.entries);
}

TEST(Journal, room_ends_before_the_last_segment_and_comes_back_with_a_release) {
  Run run(1);
  CHECK_OK(run.start());
  Index last = 0;
  const auto add = [&] {
    ++last;
    run.journal->append(1, entries(last, last, 6000), {});
    run.world.run_for(10ms);
  };
  while (run.journal->has_room()) add();
  CHECK_TRUE(run.journal->is_held_by(1));
  CHECK_FALSE(run.journal->is_held_by(0));
  add();  // what was under way still goes in
  LONGS_EQUAL(0, run.journal->stats().waiting);
  run.journal->release(1, {last, 1});
  CHECK_TRUE(run.journal->has_room());
  for (int i = 0; i < 100; ++i) {
    add();
    run.journal->release(1, {last, 1});
  }
  CHECK_TRUE(run.journal->stats().segments <= small().segments_max);
}

TEST(Journal, a_process_that_writes_little_and_starts_often_needs_no_more_segments) {
  Run run(1);
  Index last = 0;
  for (int life = 0; life < 30; ++life) {
    CHECK_OK(run.start());
    run.journal->take_recovered(1);
    ++last;
    run.journal->append(1, entries(last, last, 100), {});
    run.world.run_for(1s);
    run.journal->release(1, {last, 1});
    run.world.run_for(1s);
  }
  CHECK_TRUE(run.journal->stats().segments <= 4);
  // Also when nothing was released for a while.
  for (int life = 0; life < 3; ++life) {
    CHECK_OK(run.start());
    CHECK_TRUE(run.journal->take_recovered(1).log.size() == static_cast<std::size_t>(life));
    ++last;
    run.journal->append(1, entries(last, last, 100), {});
    run.world.run_for(1s);
  }
}

TEST(Journal, entries_that_are_written_again_free_the_segments_they_were_in) {
  Run run(1);
  CHECK_OK(run.start());
  run.journal->append(0, entries(1, 2, 1000), {});
  run.world.run_for(10ms);
  Index last = 0;
  while (run.journal->has_room()) {
    ++last;
    run.journal->append(1, entries(last, last, 6000), {});
    run.world.run_for(10ms);
    run.journal->release(1, {last, 1});
  }
  CHECK_TRUE(run.journal->is_held_by(0));
  LogWrite again = entries(1, 2, 1000);
  again.is_repeated = true;
  run.journal->append(0, again, {});
  run.world.run_for(10ms);
  CHECK_TRUE(run.journal->has_room());
  CHECK_OK(run.start());
  const RecoveredGroup found = run.journal->take_recovered(0);
  CHECK_TRUE(found.log == again.entries && found.promised == 1);
}

TEST(Journal, a_full_disk_ends_the_room_and_not_the_process) {
  const JournalOptions options = small();
  Run run(1, options, options.segment_bytes * 3 + 5000);
  CHECK_OK(run.start());
  Index last = 0;
  while (run.journal->has_room()) {
    ++last;
    run.journal->append(0, entries(last, last, 6000), {});
    run.world.run_for(10ms);
  }
  CHECK_FALSE(run.died);
  run.journal->release(0, {last, 1});
  run.world.run_for(2s);
  CHECK_TRUE(run.journal->has_room());
  CHECK_OK(run.start());
  const RecoveredGroup found = run.journal->take_recovered(0);
  LONGS_EQUAL(last, found.base.index + found.log.size());
}

TEST(Journal, a_failed_sync_or_write_is_the_end) {
  for (const bool sync : {true, false}) {
    Run run(1);
    CHECK_OK(run.start());
    (sync ? run.disk.faults.sync_error : run.disk.faults.write_error) = 1;
    bool durable = false;
    run.journal->append(0, entries(1, 1, 10), [&] { durable = true; });
    run.world.run_for(1s);
    CHECK_TRUE(run.died);
    CHECK_FALSE(durable);
  }
}
