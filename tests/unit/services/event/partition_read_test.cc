// SPDX-License-Identifier: Apache-2.0
#include "services/event/partition.h"

#include "tests/support/check_result.h"
#include "tests/support/sim/sim_disk.h"

using base::Code;
using services::event::ChannelOptions;
using services::event::Damage;
using services::event::Event;
using services::event::Offset;
using services::event::Partition;
using services::event::StoredEvent;

namespace {

constexpr std::size_t kReadSegmentBytes = 4096;

}  // namespace

TEST_GROUP(EventPartitionRead) {
  sim::World world{1};
  sim::SimDisk disk{world};
  ChannelOptions options;
  std::unique_ptr<Partition> partition;
  int number = 0;

  void setup() override { CHECK_OK(disk.make_folder("p")); }
  void open() {
    partition.reset();
    partition = UNWRAP(Partition::open(
        disk, world.clock(), {"p", "channel", 0, "secret"}, options,
        {.segment_bytes = kReadSegmentBytes, .index_every_bytes = 512, .dedupe_ids = 16}));
  }
  base::Result<Offset> put() {
    const Event event{"id" + std::to_string(number++), "n", std::nullopt, std::string(300, 'x')};
    const auto placed = TRY(partition->append({&event}));
    return placed[0].offset;
  }
  void put_many(int count) {
    for (int i = 0; i < count; ++i) CHECK_OK(put());
  }
  std::size_t readable(Offset from) {
    std::size_t count = 0;
    for (;;) {
      const auto events = UNWRAP(partition->read(from + count, {}));
      if (events.empty()) return count;
      count += events.size();
    }
  }
  std::vector<std::string> files() { return UNWRAP(disk.list("p")); }
};

TEST(EventPartitionRead, a_wall_clock_that_steps_back_does_not_disorder_times) {
  open();
  put_many(2);
  world.step_wall(-std::chrono::hours(5));
  put_many(2);
  const auto events = UNWRAP(partition->read(0, {}));
  CHECK_TRUE(events[0].time <= events[3].time);
  LONGS_EQUAL(0, UNWRAP(partition->offset_at(events[0].time)));
}

TEST(EventPartitionRead, a_flipped_bit_is_reported_and_not_served_and_reading_goes_on_behind_it) {
  open();
  put_many(30);
  partition->tick();
  partition->tick();
  partition.reset();
  const auto names = files();
  for (const std::string& name : {names[0], names.back()}) {
    // Within the data of the segment's first event.
    disk.flip_bit("p/" + name, 200 * 8);
  }
  open();
  CHECK_ERROR(Code::corrupt, "event_damaged", partition->read(0, {}));
  const auto damage = partition->damage();
  LONGS_EQUAL(2, damage.size());
  std::size_t served = 0;
  Offset at = 0;
  while (at < partition->state().next) {
    const auto events = partition->read(at, {});
    if (events) {
      for (const StoredEvent& stored : *events) {
        STRCMP_EQUAL(("id" + std::to_string(stored.offset)).c_str(), stored.event.id.c_str());
        ++served;
      }
      at = events->back().offset + 1;
      continue;
    }
    STRCMP_EQUAL("event_damaged", std::string(events.error().reason).c_str());
    for (const Damage& one : partition->damage())
      if (one.first == at) at = one.next;
  }
  LONGS_EQUAL(28, served);
  LONGS_EQUAL(30, UNWRAP(put()));
}

TEST(EventPartitionRead, a_damaged_end_of_a_closed_segment_costs_a_scan_and_no_event) {
  open();
  put_many(30);
  partition->tick();
  partition->tick();
  partition.reset();
  const std::string first = "p/" + files()[0];
  auto file = UNWRAP(disk.open(first, base::OpenMode::existing));
  disk.flip_bit(first, (UNWRAP(file->size()) - 500) * 8);
  file.reset();
  open();
  LONGS_EQUAL(30, readable(0));
  CHECK_TRUE(partition->damage().empty());
}

TEST(EventPartitionRead, a_missing_segment_is_damage) {
  open();
  put_many(30);
  partition.reset();
  const auto names = files();
  CHECK_OK(disk.remove("p/" + names[1]));
  open();
  LONGS_EQUAL(1, partition->damage().size());
  const Damage damage = partition->damage()[0];
  CHECK_ERROR(Code::corrupt, "event_damaged", partition->read(damage.first, {}));
  LONGS_EQUAL(30 - damage.next, readable(damage.next));
}
