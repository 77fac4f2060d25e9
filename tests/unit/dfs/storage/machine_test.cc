// SPDX-License-Identifier: Apache-2.0
// Two members of a group on two simulated disks: one falls behind, and a snapshot brings it back.
#include "dfs/storage/machine.h"

#include "dfs/storage/snapshot.h"
#include "tests/support/check_result.h"
#include "tests/support/dfs/log_index.h"
#include "tests/unit/dfs/storage/store_rig.h"

using base::Code;
using base::Result;
using namespace dfs;           // NOLINT: the subject
using namespace dfs::storage;  // NOLINT: the subject
using replication::Entry;
using replication::Position;

namespace {

constexpr GroupNumber kGroup = 1;
constexpr std::uint64_t kBlock = kBlockBytes;

struct Member {
  explicit Member(sim::World& its_world) : world(its_world), disk(its_world) { open(); }

  void open() {
    machine.reset();
    device.reset();
    index = UNWRAP(dfs::testing::open_log_index(disk));
    Device::Options options;
    options.failed = [](const base::Error& error) { FAIL(to_string(error).c_str()); };
    options.placed_min = kBlockBytes;
    const auto executor = [this](std::function<void()> work, std::function<void()> then) {
      work();
      world.schedule_after(std::chrono::microseconds(world.random()() % 500), std::move(then));
    };
    device = UNWRAP(Device::open(disk, *index, executor, std::move(options)));
    machine = UNWRAP(ChunkMachine::open(*device, kGroup));
    is_new = true;
  }
  // As a start does: the log's copy of what was placed is in the files.
  void take_back(const std::vector<Entry>& log) {
    for (const auto& [number, substitute] : substitutes) {
      if (number <= machine->position().index) continue;
      const Entry& entry = log[number - 1];
      CHECK_TRUE(entry.payload == replication::Payload(UNWRAP(machine->placed(entry, substitute))));
    }
    is_new = false;
  }
  void restart() {
    machine.reset();
    device.reset();
    disk.cut_power();
    disk.power_on();
    open();
  }
  void apply(const std::vector<Entry>& log) {
    if (is_new) take_back(log);
    for (std::size_t i = machine->position().index; i < log.size(); ++i) {
      bool is_durable = false;
      const bool is_known = substitutes.contains(log[i].index);
      const auto substitute =
          is_known ? std::nullopt : machine->place(log[i], [&is_durable] { is_durable = true; });
      if (substitute) {
        CHECK_TRUE(substitute->size() < log[i].payload.size());
        substitutes[log[i].index] = *substitute;
        CHECK_TRUE(world.run_until([&is_durable] { return is_durable; }));
      }
      machine->apply(log[i]);
    }
  }
  void checkpoint() {
    bool done = false;
    machine->checkpoint([&done](const Result<Position>&) { done = true; });
    CHECK_TRUE(world.run_until([&done] { return done; }));
  }

  sim::World& world;
  sim::SimDisk disk;
  std::map<replication::Index, std::string> substitutes;  // as the journal has them
  bool is_new = false;
  std::unique_ptr<BlockIndex> index;
  std::unique_ptr<Device> device;
  std::unique_ptr<ChunkMachine> machine;
};

std::string content(Member& member, ObjectNumber object) {
  const Result<std::string> read = member.machine->store().read(object, 0, 3 << 20);
  return read ? *read : std::string(read.error().reason);
}

}  // namespace

TEST_GROUP(ChunkMachine) {
  sim::World world{1};
  Member one{world};
  Member two{world};
  std::vector<Entry> log;
  std::uint64_t bytes_sent = 0;

  void propose(std::string payload) { log.push_back({1, log.size() + 1, 0, std::move(payload)}); }
  void write(ObjectNumber object, std::uint64_t offset, const std::string& data,
             VolumeEpoch epoch = 1) {
    propose(encode_operation(WriteObject{{7, epoch, kGroup, object}, offset, sums_of(offset, data)},
                             data));
  }
  void random_entry() {
    auto& random = world.random();
    const ObjectNumber object = 1 + random() % 4;
    const ObjectPlace place{7, 1, kGroup, object};
    const std::uint64_t offset = random() % (2 << 20);
    switch (random() % 12) {
      case 0: return propose(encode_operation(RemoveObject{place}));
      case 1: return propose(encode_operation(CutObject{place, offset}));
      case 2: return propose(encode_operation(PunchObject{place, offset, random() % 50'000}));
      case 3: return propose("");
      default: break;
    }
    const std::uint64_t size = 1 + random() % 30'000;
    const bool whole = random() % 2 == 0;
    write(object, whole ? offset / kBlock * kBlock : offset,
          std::string(whole ? size / kBlock * kBlock + kBlock : size,
                      static_cast<char>('a' + random() % 26)));
  }

  // Until `pieces` were exchanged; whether it was installed.
  bool send_snapshot(Member & from, Member & to, const std::function<void()>& between,
                     int pieces = 100'000) {
    const auto source = UNWRAP(from.machine->open_snapshot());
    const auto sink = UNWRAP(to.machine->receive_snapshot());
    std::string answer;
    while (pieces-- > 0) {
      const std::string piece = UNWRAP(source->next(answer));
      CHECK_TRUE(piece.size() <= 1 << 20);
      if (piece.empty()) {
        CHECK_OK(sink->install(source->position()));
        return true;
      }
      bytes_sent += piece.size();
      answer = UNWRAP(sink->take(piece));
      between();
      world.step();
    }
    return false;
  }
  void check_same() {
    for (ObjectNumber object = 1; object <= 4; ++object)
      CHECK_TRUE(content(one, object) == content(two, object));
    CHECK_TRUE(one.machine->epochs() == two.machine->epochs());
  }
};

TEST(ChunkMachine, members_that_apply_the_same_are_the_same_also_after_power_cuts) {
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 10; ++i) random_entry();
    one.apply(log);
    two.apply(log);
    if (round % 3 == 0) one.checkpoint();
    if (round % 4 == 0) {
      one.restart();
      CHECK_TRUE(one.machine->durable().index <= log.size());
      one.apply(log);
    }
  }
  check_same();
}

TEST(ChunkMachine, a_large_write_into_a_hole_leaves_its_checksums_in_the_journal) {
  write(1, 0, std::string(20 * kBlock, 'a'));
  write(1, 4 * kBlock, std::string(4 * kBlock, 'b'));  // nothing of it is a hole
  write(1, 30 * kBlock, std::string(4 * kBlock, 'c'));
  write(1, 40 * kBlock + 1, std::string(4 * kBlock, 'd'));
  one.apply(log);
  CHECK_TRUE(one.substitutes.contains(1) && one.substitutes.contains(3));
  LONGS_EQUAL(2, one.substitutes.size());
  const std::string before = content(one, 1);
  one.restart();
  one.apply(log);
  CHECK_TRUE(before == content(one, 1));
}

TEST(ChunkMachine, what_comes_on_top_of_a_placed_write_survives_power_cuts_with_it) {
  write(1, 0, std::string(8 * kBlock, 'a'));
  write(1, kBlock, std::string(kBlock, 'b'));
  write(1, 3 * kBlock + 5, "c");
  propose(encode_operation(CutObject{{7, 1, kGroup, 1}, 6 * kBlock}));
  write(1, 7 * kBlock, std::string(kBlock, 'e'));
  one.apply(log);
  const std::string before = content(one, 1);
  for (int round = 0; round < 3; ++round) {
    one.restart();
    one.apply(log);
    CHECK_TRUE(before == content(one, 1));
    if (round == 1) one.checkpoint();
  }
}

TEST(ChunkMachine, what_was_placed_and_is_not_there_is_not_taken_for_it) {
  write(1, 0, std::string(8 * kBlock, 'a'));
  const auto substitute = one.machine->place(log[0], [] {});
  CHECK_TRUE(substitute.has_value());
  two.open();
  CHECK_ERROR(Code::corrupt, "entry_not_placed", two.machine->placed(log[0], *substitute));
  CHECK_ERROR(Code::corrupt, "entry_not_placed",
              one.machine->placed(
                  log[0], encode_operation(WriteObject{
                              {7, 1, kGroup, 1}, 0, sums_of(0, std::string(8 * kBlock, 'b'))})));
}

TEST(ChunkMachine, a_checkpoint_is_durable_up_to_where_it_says) {
  write(1, 0, "hello");
  one.apply(log);
  LONGS_EQUAL(0, one.machine->durable().index);
  one.checkpoint();
  LONGS_EQUAL(1, one.machine->durable().index);
  one.restart();
  LONGS_EQUAL(1, one.machine->durable().index);
  LONGS_EQUAL(1, one.machine->durable().epoch);
  one.checkpoint();  // nothing to do
  STRCMP_EQUAL("hello", content(one, 1).substr(0, 5).c_str());
}

TEST(ChunkMachine, an_entry_that_is_none_has_no_effect) {
  propose("nonsense");
  one.apply(log);
  LONGS_EQUAL(1, one.machine->position().index);
}

TEST(ChunkMachine, a_snapshot_makes_an_empty_member_the_same) {
  for (int i = 0; i < 150; ++i) random_entry();
  propose(encode_operation(Fence{kGroup, 7, 4}));
  one.apply(log);
  CHECK_TRUE(send_snapshot(one, two, [] {}));
  LONGS_EQUAL(log.size(), two.machine->position().index);
  check_same();
  two.restart();
  LONGS_EQUAL(log.size(), two.machine->durable().index);
  check_same();
}

TEST(ChunkMachine, only_what_differs_is_sent) {
  write(1, 0, std::string(2 << 20, 'x'));
  one.apply(log);
  two.apply(log);
  two.checkpoint();
  write(1, 5 * kBlock, std::string(kBlock, 'y'));
  write(2, 0, "small");
  one.apply(log);
  CHECK_TRUE(send_snapshot(one, two, [] {}));
  check_same();
  CHECK_TRUE(bytes_sent < 40'000);
}

TEST(ChunkMachine, a_snapshot_is_taken_while_changes_go_on) {
  for (int i = 0; i < 60; ++i) random_entry();
  one.apply(log);
  two.apply(log);
  two.checkpoint();
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 20; ++i) random_entry();
    one.apply(log);
    CHECK_TRUE(send_snapshot(one, two, [this] {
      if (world.random()() % 3 != 0) return;
      random_entry();
      one.apply(log);
      if (world.random()() % 5 == 0) one.machine->checkpoint([](const Result<Position>&) {});
    }));
    two.apply(log);
    check_same();
    if (round % 5 == 0) two.restart();
    two.apply(log);
    check_same();
  }
}

TEST(ChunkMachine, a_snapshot_that_was_broken_off_begins_anew) {
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 40; ++i) random_entry();
    one.apply(log);
    const int pieces = 1 + static_cast<int>(world.random()() % 8);
    if (!send_snapshot(
            one, two, [] {}, pieces)) {
      // By a power cut, or by the link alone.
      if (round % 2 == 0) two.restart();
      CHECK_TRUE(send_snapshot(one, two, [] {}));
    }
    check_same();
  }
}

TEST(ChunkMachine, a_snapshot_replaces_blocks_that_do_not_match) {
  write(1, 0, std::string(100 * kBlock, 'x'));
  one.apply(log);
  two.apply(log);
  two.checkpoint();
  two.disk.flip_bit(data_path({kGroup, 1}), 33 * kBlock * 8);
  STRCMP_EQUAL("block_corrupt", content(two, 1).c_str());
  CHECK_TRUE(send_snapshot(one, two, [] {}));
  check_same();
}

TEST(ChunkMachine, pieces_that_are_none_are_refused) {
  write(1, 0, "x");
  one.apply(log);
  const auto source = UNWRAP(one.machine->open_snapshot());
  const std::string hello = UNWRAP(source->next(""));
  const std::string offer = UNWRAP(source->next(""));
  const auto sink = UNWRAP(two.machine->receive_snapshot());
  CHECK_ERROR(Code::corrupt, "", sink->take(""));
  CHECK_ERROR(Code::corrupt, "snapshot_invalid", sink->take("\x09"));
  CHECK_ERROR(Code::corrupt, "snapshot_invalid", sink->take(offer));
  CHECK_OK(sink->take(hello));
  for (std::size_t size = 1; size < offer.size(); size += 7)
    static_cast<void>(sink->take(offer.substr(0, size)));
  CHECK_ERROR(Code::corrupt, "snapshot_invalid", sink->install({99, 99}));
}

TEST(ChunkMachine, group_states_survive_and_damaged_ones_are_refused) {
  const std::string record = encode_group_state({{5, 6}, {{7, 8}, {9, 10}}});
  const GroupState state = UNWRAP(decode_group_state(record));
  CHECK_TRUE(state.position == (Position{5, 6}) && state.epochs.at(9) == 10);
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string flipped = record;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    CHECK_FALSE(decode_group_state(flipped).has_value());
  }
}
