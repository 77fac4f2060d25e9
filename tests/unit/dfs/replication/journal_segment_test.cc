// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/journal_segment.h"

#include <algorithm>

#include "tests/support/check_result.h"
#include "tests/support/sim/sim_disk.h"

using namespace dfs::replication;

TEST_GROUP(JournalSegment) {
  sim::World world{1};
  sim::SimDisk disk{world};

  std::unique_ptr<base::DiskFile> make() {
    auto file = UNWRAP(disk.open("segment", base::OpenMode::create));
    CHECK_OK(file->write(0, std::string(16 * kJournalBlock, '\0')));
    return file;
  }
};

TEST(JournalSegment, one_copy_of_the_header_is_enough_and_the_newer_one_counts) {
  const auto file = make();
  CHECK_OK(write_segment_header(*file, {1, 2, 3, 4, 5}));
  CHECK_OK(file->write(0, encode_segment_header({7, 8, 9, 10, 11})));
  LONGS_EQUAL(7, UNWRAP(read_segment_header(*file)).generation);
  CHECK_OK(file->write(0, "damaged"));
  LONGS_EQUAL(1, UNWRAP(read_segment_header(*file)).generation);
  CHECK_OK(file->write(kJournalBlock, "damaged"));
  CHECK_ERROR(base::Code::corrupt, "journal_corrupt", read_segment_header(*file));
}

TEST(JournalSegment, a_segment_has_its_name_only_once_it_is_whole) {
  CHECK_OK(disk.make_folder("j"));
  CHECK_OK(disk.sync_folder(""));
  for (std::uint64_t cut = 1; cut < 20; ++cut) {
    disk.cut_power_at_change(cut);
    SegmentMaker maker(disk, "j", "1", 64 << 10);
    base::Result<bool> whole = false;
    while (whole && !*whole) whole = maker.step();
    if (disk.has_power()) disk.cut_power();
    disk.power_on();
    const auto names = UNWRAP(disk.list("j"));
    const bool is_there = std::find(names.begin(), names.end(), "1") != names.end();
    CHECK_TRUE(is_there || !whole);
    if (!is_there) continue;
    const auto file = UNWRAP(disk.open("j/1", base::OpenMode::existing));
    LONGS_EQUAL(64 << 10, UNWRAP(file->size()));
    LONGS_EQUAL(0, UNWRAP(read_segment_header(*file)).generation);
    CHECK_OK(disk.remove("j/1"));
    CHECK_OK(disk.sync_folder("j"));
  }
}

TEST(JournalSegment, a_scan_ends_where_an_unfinished_batch_begins_and_not_before_a_finished_one) {
  const auto file = make();
  const auto put = [&](std::uint64_t block, std::uint64_t number) {
    CHECK_OK(file->write(kSegmentStart + block * kJournalBlock, encode_batch({}, 5, number)));
  };
  const auto scan = [&](std::optional<std::uint64_t> end = {}) {
    SegmentScan state{5, 0, end};
    return scan_segment(*file, state, [](JournalBatch) { return base::Result<void>(); });
  };
  put(0, 1);
  put(1, 2);
  LONGS_EQUAL(kSegmentStart + 2 * kJournalBlock, UNWRAP(scan()));
  put(3, 3);  // what an earlier life would not leave: its number is not higher than the next one's
  LONGS_EQUAL(kSegmentStart + 2 * kJournalBlock, UNWRAP(scan()));
  put(3, 4);
  CHECK_ERROR(base::Code::corrupt, "journal_corrupt", scan());
  LONGS_EQUAL(kSegmentStart + 2 * kJournalBlock, UNWRAP(scan(kSegmentStart + 2 * kJournalBlock)));
  CHECK_ERROR(base::Code::corrupt, "journal_corrupt", scan(kSegmentStart + 3 * kJournalBlock));
}
