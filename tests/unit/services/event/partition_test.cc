// SPDX-License-Identifier: Apache-2.0
#include "services/event/partition.h"

#include "tests/support/check_result.h"
#include "tests/support/sim/sim_disk.h"

using base::Code;
using services::event::ChannelOptions;
using services::event::Event;
using services::event::Offset;
using services::event::Partition;

namespace {

constexpr std::size_t kSegmentBytes = 4096;

}  // namespace

TEST_GROUP(EventPartition) {
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
        {.segment_bytes = kSegmentBytes, .index_every_bytes = 512, .dedupe_ids = 16}));
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

TEST(EventPartition, a_full_segment_is_followed_by_another_and_all_is_read_across) {
  open();
  put_many(40);
  CHECK_TRUE(files().size() > 4);
  LONGS_EQUAL(40, readable(0));
  open();
  LONGS_EQUAL(40, partition->state().next);
  LONGS_EQUAL(40, readable(0));
  LONGS_EQUAL(3, readable(37));
  LONGS_EQUAL(40, UNWRAP(put()));
}

TEST(EventPartition, retention_by_size_takes_whole_segments_from_the_front) {
  options.retention_bytes = 3 * kSegmentBytes;
  open();
  put_many(60);
  partition->tick();
  const auto state = partition->state();
  CHECK_TRUE(state.first > 0);
  CHECK_TRUE(files().size() <= 4);
  CHECK_ERROR(Code::not_found, "offset_trimmed", partition->read(state.first - 1, {}));
  LONGS_EQUAL(state.next - state.first, readable(state.first));
  open();
  LONGS_EQUAL(state.first, partition->state().first);
}

TEST(EventPartition, retention_by_age_also_takes_the_last_segment) {
  options.retention_age = std::chrono::minutes(1);
  open();
  put_many(20);
  world.run_for(std::chrono::minutes(2));
  partition->tick();
  LONGS_EQUAL(20, partition->state().first);
  LONGS_EQUAL(20, UNWRAP(put()));
  LONGS_EQUAL(1, readable(20));
}

TEST(EventPartition, a_failed_sync_ends_appending_and_keeps_reading) {
  open();
  put_many(3);
  disk.faults.sync_error = 1;
  CHECK_ERROR(Code::unavailable, "event_log_failed", put());
  disk.faults.sync_error = 0;
  CHECK_ERROR(Code::unavailable, "event_log_failed", put());
  LONGS_EQUAL(3, readable(0));
  open();
  const Offset next = partition->state().next;
  CHECK_TRUE(next == 3 || next == 4);
  CHECK_OK(put());
}

TEST(EventPartition, a_full_disk_refuses_and_recovers_when_there_is_space) {
  sim::SimDisk small{world, 16 << 10};
  CHECK_OK(small.make_folder("p"));
  auto log = UNWRAP(
      Partition::open(small, world.clock(), {"p", "c", 0, "s"}, options, {.segment_bytes = 4096}));
  const auto append = [&log](int n) {
    const Event event{"id" + std::to_string(n), "n", std::nullopt, std::string(900, 'x')};
    return log->append({&event});
  };
  int n = 0;
  while (append(n)) ++n;
  CHECK_ERROR(Code::no_space, "", append(n));
  CHECK_TRUE(n > 2);
  LONGS_EQUAL(n, log->state().next);
  log->release_before(static_cast<Offset>(n) / 2);
  log->tick();
  CHECK_OK(append(n));
  LONGS_EQUAL(n + 1, log->state().next);
}

TEST(EventPartition, only_the_last_ids_are_remembered) {
  open();
  put_many(40);
  const Event last{"id39", "n"};
  CHECK_TRUE(UNWRAP(partition->append({&last}))[0].is_duplicate);
  const Event old{"id3", "n"};
  CHECK_FALSE(UNWRAP(partition->append({&old}))[0].is_duplicate);
}
