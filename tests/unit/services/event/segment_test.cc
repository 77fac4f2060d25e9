// SPDX-License-Identifier: Apache-2.0
#include "services/event/segment.h"

#include "tests/support/check_result.h"
#include "tests/support/sim/sim_disk.h"

using namespace services::event;

namespace {

std::string batch(std::uint64_t number, Offset first, int count) {
  const Event event{"id", "name", std::nullopt, std::string(600, 'x')};
  std::vector<const Event*> events(static_cast<std::size_t>(count), &event);
  return encode_batch("seal", {number, first, static_cast<std::int64_t>(100 + number)}, events);
}

}  // namespace

TEST_GROUP(EventSegment) {
  sim::World world{1};
  sim::SimDisk disk{world};

  std::unique_ptr<base::DiskFile> file(const std::string& bytes) {
    auto made = UNWRAP(disk.open("segment", base::OpenMode::create));
    CHECK_OK(made->truncate(0));
    CHECK_OK(made->write(0, bytes));
    return made;
  }
};

TEST(EventSegment, batches_in_order_are_all_found) {
  const auto scan = UNWRAP(
      scan_segment(*file(batch(3, 10, 2) + batch(4, 12, 0) + batch(5, 12, 1)), "seal", 10, 1));
  LONGS_EQUAL(13, scan.next);
  LONGS_EQUAL(6, scan.next_number);
  LONGS_EQUAL(105, scan.last_time_ms);
  LONGS_EQUAL(2, scan.index.size());
  LONGS_EQUAL(0, scan.dropped_bytes);
  CHECK_TRUE(scan.damage.empty());
}

TEST(EventSegment, what_is_behind_the_last_whole_batch_is_dropped) {
  const std::string torn = batch(1, 2, 2).substr(0, 700);
  const auto scan = UNWRAP(scan_segment(*file(batch(0, 0, 2) + torn), "seal", 0, 1));
  LONGS_EQUAL(2, scan.next);
  LONGS_EQUAL(700, scan.dropped_bytes);
  CHECK_TRUE(scan.damage.empty());
}

TEST(EventSegment, a_broken_batch_before_a_whole_one_is_damage) {
  std::string broken = batch(1, 2, 3);
  broken[100] ^= 1;
  const auto scan =
      UNWRAP(scan_segment(*file(batch(0, 0, 2) + broken + batch(2, 5, 1)), "seal", 0, 1));
  LONGS_EQUAL(6, scan.next);
  CHECK_TRUE(scan.damage == (std::vector<Damage>{{2, 5}}));
}

TEST(EventSegment, blocks_of_other_segments_and_earlier_ones_do_not_count) {
  const std::string other = encode_batch("other", {1, 2, 5}, {});
  const auto scan =
      UNWRAP(scan_segment(*file(batch(4, 7, 1) + other + batch(2, 3, 1)), "seal", 7, 1));
  LONGS_EQUAL(8, scan.next);
  CHECK_TRUE(scan.damage.empty());
  CHECK_TRUE(scan.dropped_bytes > 0);
}

TEST(EventSegment, the_entry_to_begin_at_is_the_last_one_before) {
  const std::vector<IndexEntry> index{{10, 0, 0}, {20, 0, 512}};
  POINTERS_EQUAL(nullptr, find_entry(index, 9));
  LONGS_EQUAL(0, find_entry(index, 19)->position);
  LONGS_EQUAL(512, find_entry(index, 20)->position);
  LONGS_EQUAL(512, find_entry(index, 99)->position);
}
