// SPDX-License-Identifier: Apache-2.0
#include "services/event/offsets.h"

#include "tests/support/check_result.h"
#include "tests/support/sim/sim_disk.h"

using base::Code;
using services::event::GroupOffset;
using services::event::Offset;
using services::event::Offsets;

TEST_GROUP(EventOffsets) {
  sim::World world{1};
  sim::SimDisk disk{world};
  std::unique_ptr<Offsets> offsets;

  void open() {
    offsets.reset();
    offsets = UNWRAP(Offsets::open(disk, world.clock(), "offsets"));
  }
  void commit(const std::string& group, const std::string& channel, Offset offset) {
    const GroupOffset one{channel, 0, offset};
    CHECK_OK(offsets->commit(group, std::span(&one, 1)));
  }
};

TEST(EventOffsets, the_last_commit_of_a_place_counts_also_after_a_restart) {
  open();
  commit("g", "c", 5);
  commit("g", "c", 9);
  commit("g", "c", 7);
  commit("h", "c", 1);
  open();
  LONGS_EQUAL(7, offsets->find("g", "c", 0).value());
  LONGS_EQUAL(1, offsets->find("h", "c", 0).value());
  CHECK_FALSE(offsets->find("g", "d", 0).has_value());
}

TEST(EventOffsets, a_removed_channel_is_forgotten_for_good) {
  open();
  commit("g", "c", 5);
  commit("g", "d", 6);
  offsets->forget_channel("c");
  open();
  CHECK_FALSE(offsets->find("g", "c", 0).has_value());
  LONGS_EQUAL(6, offsets->find("g", "d", 0).value());
}

TEST(EventOffsets, the_log_stays_small_and_nothing_is_lost) {
  open();
  commit("quiet", "c", 77);
  for (Offset i = 0; i < 25'000; ++i) {
    commit("busy", "c", i);
    if (i % 1000 == 0) offsets->tick();
  }
  offsets->tick();
  std::uint64_t bytes = 0;
  for (const std::string& name : UNWRAP(disk.list("offsets"))) {
    auto file = UNWRAP(disk.open("offsets/" + name, base::OpenMode::existing));
    bytes += UNWRAP(file->size());
  }
  CHECK_TRUE(bytes < (std::uint64_t{10} << 20));
  open();
  LONGS_EQUAL(77, offsets->find("quiet", "c", 0).value());
  LONGS_EQUAL(24'999, offsets->find("busy", "c", 0).value());
}

TEST(EventOffsets, a_group_without_a_name_is_refused) {
  open();
  const GroupOffset one{"c", 0, 1};
  CHECK_ERROR(Code::invalid_argument, "group_invalid", offsets->commit("", std::span(&one, 1)));
}
