// SPDX-License-Identifier: Apache-2.0
// Objects and their checkpoints, under power cuts at every change of the disk and with flipped
// bits. GESTALT_SIM_SEEDS sets the number of seeds, GESTALT_SIM_SEED the first one.
#include "dfs/storage/object_store.h"

#include <cstdlib>

#include "dfs/storage/device.h"
#include "dfs/storage/open_files.h"
#include "tests/support/check_result.h"
#include "tests/support/sanitizers.h"
#include "tests/unit/dfs/storage/store_rig.h"

using base::Code;
using dfs::SeekFor;
using namespace dfs::storage;  // NOLINT: the subject
using Kind = StoreOp::Kind;

namespace {

constexpr std::uint64_t kBlock = dfs::kBlockBytes;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

StoreOp write(std::uint64_t offset, std::string data) {
  return {.offset = offset, .data = std::move(data)};
}

// Loses what is written to one path: what a checkpoint without images would be.
class LosesWrites final : public base::Disk {
 public:
  LosesWrites(base::Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  base::Result<std::unique_ptr<base::DiskFile>> open(const std::string& path,
                                                     base::OpenMode mode) override {
    return disk_.open(path == path_ ? path + ".lost" + std::to_string(++lost_) : path,
                      path == path_ ? base::OpenMode::create : mode);
  }
  base::Result<void> make_folder(const std::string& path) override {
    return disk_.make_folder(path);
  }
  base::Result<void> rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  base::Result<void> remove(const std::string& path) override { return disk_.remove(path); }
  base::Result<void> remove_folder(const std::string& path) override {
    return disk_.remove_folder(path);
  }
  base::Result<std::vector<std::string>> list(const std::string& folder) override {
    return disk_.list(folder);
  }
  base::Result<void> sync_folder(const std::string& folder) override {
    return disk_.sync_folder(folder);
  }
  base::Result<std::uint64_t> free_bytes() override { return disk_.free_bytes(); }

 private:
  base::Disk& disk_;
  const std::string path_;
  int lost_ = 0;
};

// One life after the other with a cut at a random change; empty, or what went wrong.
std::string live_and_die(StoreRig& rig, int lives) {
  for (int life = 0; life < lives; ++life) {
    rig.cut_at_change(1 + rig.world.random()() % 120);
    for (int step = 0; step < 60 && rig.disk.has_power(); ++step) {
      if (rig.world.random()() % 8 == 0) {
        rig.checkpoint();
      } else {
        if (!rig.apply(rig.random_op()) && rig.disk.has_power()) return "a change was refused";
      }
      if (rig.world.random()() % 3 == 0) rig.world.step();
    }
    std::string wrong = rig.restart();
    if (wrong.empty()) wrong = rig.compare();
    if (!wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace

TEST_GROUP(ObjectStore) { StoreRig rig{1, Steps::at_once}; };

TEST(ObjectStore, what_was_written_is_read_and_the_rest_is_zeros) {
  CHECK_TRUE(rig.apply(write(5000, "hello")));
  CHECK_TRUE(rig.apply(write(3, std::string(20'000, 'x'))));
  CHECK_TRUE(rig.apply(write(300 * kBlock + 7, "far")));
  STRCMP_EQUAL("", rig.compare().c_str());
  CHECK_TRUE(rig.read(1, 300 * kBlock, 12) == std::string(7, '\0') + "far" + std::string(2, '\0'));
  CHECK_TRUE(rig.read(2, 0, 5) == std::string(5, '\0'));
  CHECK_TRUE(rig.read(1, 0, 0).empty());
}

TEST(ObjectStore, cuts_and_holes_leave_zeros_behind) {
  CHECK_TRUE(rig.apply(write(0, std::string(40'000, 'x'))));
  CHECK_TRUE(rig.apply({.kind = Kind::punch, .offset = 5000, .size = 10'000}));
  CHECK_TRUE(rig.apply({.kind = Kind::punch, .offset = 20'000, .size = 100}));
  STRCMP_EQUAL("", rig.compare().c_str());
  CHECK_TRUE(rig.apply({.kind = Kind::cut, .size = 30'001}));
  STRCMP_EQUAL("", rig.compare().c_str());
  CHECK_TRUE(rig.apply(write(39'000, "y")));
  STRCMP_EQUAL("", rig.compare().c_str());
  CHECK_TRUE(rig.apply({.kind = Kind::punch, .offset = 0, .size = UINT64_MAX}));
  CHECK_TRUE(rig.apply({.kind = Kind::cut, .size = 0}));
  STRCMP_EQUAL("", rig.compare().c_str());
  CHECK_FALSE(UNWRAP(rig.store->page_at_or_after({})).has_value());
}

TEST(ObjectStore, seek_finds_data_and_holes_in_memory_and_at_rest) {
  CHECK_TRUE(rig.apply(write(2 * kBlock, std::string(kBlock, 'x'))));
  CHECK_TRUE(rig.apply(write(1000 * kBlock, std::string(2 * kBlock, 'x'))));
  for (int round = 0; round < 2; ++round) {
    LONGS_EQUAL(2 * kBlock, UNWRAP(rig.store->seek(1, 0, SeekFor::data)));
    LONGS_EQUAL(2 * kBlock + 5, UNWRAP(rig.store->seek(1, 2 * kBlock + 5, SeekFor::data)));
    LONGS_EQUAL(1000 * kBlock, UNWRAP(rig.store->seek(1, 3 * kBlock, SeekFor::data)));
    CHECK_TRUE(UNWRAP(rig.store->seek(1, 1002 * kBlock, SeekFor::data)) == UINT64_MAX);
    LONGS_EQUAL(17, UNWRAP(rig.store->seek(1, 17, SeekFor::hole)));
    LONGS_EQUAL(3 * kBlock, UNWRAP(rig.store->seek(1, 2 * kBlock + 5, SeekFor::hole)));
    LONGS_EQUAL(1002 * kBlock, UNWRAP(rig.store->seek(1, 1001 * kBlock, SeekFor::hole)));
    rig.checkpoint();
  }
}

TEST(ObjectStore, a_removed_object_is_gone_from_disk_and_index) {
  CHECK_TRUE(rig.apply(write(0, std::string(3 * kBlock, 'x'))));
  rig.checkpoint();
  LONGS_EQUAL(1, UNWRAP(rig.disk.list(data_folder({1, 1}))).size());
  CHECK_TRUE(rig.apply({.kind = Kind::remove}));
  rig.checkpoint();
  LONGS_EQUAL(0, UNWRAP(rig.disk.list(data_folder({1, 1}))).size());
  CHECK_FALSE(UNWRAP(rig.index->find(index_key(1, {1, 0}))).has_value());
  CHECK_TRUE(rig.apply({.kind = Kind::remove}));
  STRCMP_EQUAL("", rig.compare().c_str());
}

TEST(ObjectStore, a_checkpoint_leaves_nothing_in_memory) {
  CHECK_TRUE(rig.apply(write(0, std::string(2 * kBlock, 'x'))));
  rig.checkpoint();
  LONGS_EQUAL(1, rig.durable());
  CHECK_TRUE(rig.apply(write(10, "part")));
  LONGS_EQUAL(1, rig.store->held_blocks());
  CHECK_TRUE(rig.apply(write(kBlock, std::string(kBlock, 'y'))));
  CHECK_TRUE(rig.apply(write(kBlock + 5, "part")));
  LONGS_EQUAL(1, rig.store->held_blocks());
  STRCMP_EQUAL("", rig.compare().c_str());
  rig.checkpoint();
  LONGS_EQUAL(0, rig.store->held_blocks());
  LONGS_EQUAL(4, rig.durable());
  STRCMP_EQUAL("", rig.restart().c_str());
  STRCMP_EQUAL("", rig.compare().c_str());
}

TEST(ObjectStore, pages_in_memory_and_open_files_are_bounded) {
  for (dfs::ObjectNumber object = 1; object <= 20; ++object) {
    for (std::uint64_t page = 0; page < 4; ++page) {
      StoreOp op = write(page * kPageBlocks * kBlock, "x");
      op.object = object;
      CHECK_TRUE(rig.apply(op));
    }
  }
  rig.checkpoint();
  CHECK_TRUE(rig.device->files().count() <= 2);
  for (dfs::ObjectNumber object = 1; object <= 20; ++object)
    STRCMP_EQUAL("x", rig.read(object, 3 * kPageBlocks * kBlock, 1).c_str());
  CHECK_TRUE(rig.store->cached_pages() <= 90);
}

TEST(ObjectStore, no_power_cut_at_any_change_loses_or_spoils_anything) {
  for (std::uint64_t cut = 1;; ++cut) {
    StoreRig fresh(7, cut % 2 == 0 ? Steps::at_once : Steps::delayed);
    CHECK_TRUE(fresh.apply(write(0, std::string(9 * kBlock, 'a'))));
    fresh.checkpoint();
    fresh.world.run_for(std::chrono::seconds(1));
    fresh.cut_at_change(cut);
    for (int i = 0; i < 12 && fresh.disk.has_power(); ++i) {
      fresh.apply(fresh.random_op());
      if (i % 4 == 3 && fresh.disk.has_power()) fresh.checkpoint();
      if (i % 4 == 1) fresh.world.run_for(std::chrono::milliseconds(1));
    }
    const bool was_cut = !fresh.disk.has_power();
    STRCMP_EQUAL("", fresh.restart().c_str());
    STRCMP_EQUAL_TEXT("", fresh.compare().c_str(), ("cut " + std::to_string(cut)).c_str());
    if (!was_cut) break;
  }
}

TEST(ObjectStore, seeds_of_lives_that_end_in_power_cuts) {
  const std::uint64_t first = setting("GESTALT_SIM_SEED", 1);
  for (std::uint64_t seed = first; seed < first + setting("GESTALT_SIM_SEEDS", share_of_seeds(150));
       ++seed) {
    StoreRig fresh(seed, seed % 2 == 0 ? Steps::at_once : Steps::delayed);
    STRCMP_EQUAL_TEXT("", live_and_die(fresh, 6).c_str(), ("seed " + std::to_string(seed)).c_str());
  }
}

TEST(ObjectStore, checkpoints_without_images_are_caught) {
  int caught = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    StoreRig fresh(seed, Steps::at_once);
    fresh.wrapped = std::make_unique<LosesWrites>(fresh.disk, "images");
    STRCMP_EQUAL("", fresh.restart().c_str());
    if (!live_and_die(fresh, 6).empty()) ++caught;
  }
  CHECK_TRUE(caught > 0);
}

TEST(ObjectStore, a_flipped_bit_in_any_sector_is_never_served_and_is_mended) {
  const std::string content(4 * kBlock, 'x');
  CHECK_TRUE(rig.apply(write(0, content)));
  rig.checkpoint();
  const std::string path = data_path({1, 1});
  for (std::uint64_t sector = 0; sector < content.size() / 512; ++sector) {
    rig.disk.flip_bit(path, sector * 512 * 8 + sector * 37 % 4096);
    const BlockNumber block = sector * 512 / kBlock;
    CHECK_ERROR(Code::corrupt, "block_corrupt", rig.store->read(1, block * kBlock, 10));
    CHECK_OK(rig.store->read(1, (block + 1) % 4 * kBlock, kBlock));
    CHECK_FALSE(UNWRAP(rig.store->mend({1, block}, std::string(kBlock, 'y'), 1)));
    CHECK_TRUE(UNWRAP(rig.store->mend({1, block}, std::string(kBlock, 'x'), 1)));
    rig.checkpoint();
    STRCMP_EQUAL("", rig.compare().c_str());
  }
}

TEST(ObjectStore, a_part_written_to_a_spoilt_block_does_not_hide_the_damage) {
  CHECK_TRUE(rig.apply(write(0, std::string(2 * kBlock, 'x'))));
  rig.checkpoint();
  rig.disk.flip_bit(data_path({1, 1}), 8 * 100);
  CHECK_TRUE(rig.apply(write(0, "new")));
  CHECK_ERROR(Code::corrupt, "block_corrupt", rig.store->read(1, 0, 3));
  STRCMP_EQUAL("", rig.restart().c_str());
  CHECK_ERROR(Code::corrupt, "block_corrupt", rig.store->read(1, 0, 3));
  rig.checkpoint();
  STRCMP_EQUAL("", rig.restart().c_str());
  CHECK_ERROR(Code::corrupt, "block_corrupt", rig.store->read(1, 0, 3));
  const std::string good = "new" + std::string(kBlock - 3, 'x');
  CHECK_FALSE(UNWRAP(rig.store->mend({1, 0}, good, 1)));  // from before the write
  CHECK_TRUE(UNWRAP(rig.store->mend({1, 0}, good, 2)));
  STRCMP_EQUAL("", rig.compare().c_str());
  rig.disk.flip_bit(data_path({1, 1}), 8 * 100);
  CHECK_TRUE(rig.apply(write(0, "newer")));
  CHECK_TRUE(rig.apply(write(0, std::string(kBlock, 'z'))));
  STRCMP_EQUAL("", rig.compare().c_str());
}

TEST(ObjectStore, a_read_that_a_change_overtakes_is_planned_again) {
  CHECK_TRUE(rig.apply(write(0, std::string(kBlock, 'x'))));
  ReadPlan plan = UNWRAP(rig.store->plan_read(1, 0, kBlock));
  CHECK_TRUE(rig.apply(write(0, std::string(kBlock, 'y'))));
  CHECK_TRUE(UNWRAP(ObjectStore::fill(plan, ReadMode::may_wait)));
  const ReadCheck found = UNWRAP(rig.store->check(plan));
  CHECK_TRUE(found.changed && found.bad.empty());
}

TEST(ObjectStore, a_cold_read_says_so) {
  CHECK_TRUE(rig.apply(write(0, std::string(kBlock, 'x'))));
  ReadPlan plan = UNWRAP(rig.store->plan_read(1, 0, kBlock));
  rig.disk.faults.cold = 1;
  CHECK_FALSE(UNWRAP(ObjectStore::fill(plan, ReadMode::cached_only)));
  rig.disk.faults.cold = 0;
  CHECK_TRUE(UNWRAP(ObjectStore::fill(plan, ReadMode::cached_only)));
}

TEST(ObjectStore, a_sync_that_fails_ends_it) {
  CHECK_TRUE(rig.apply(write(0, "x")));
  rig.disk.faults.sync_error = 1;
  rig.checkpoint();
  CHECK_TRUE(rig.failed());
  rig.disk.faults.sync_error = 0;
  rig.checkpoint();
  LONGS_EQUAL(0, rig.durable());
}
