// SPDX-License-Identifier: Apache-2.0
// Power cuts under the store, the coordination and the replica groups' journal: their writer works
// on ext4 on a disk that forgets what was not flushed, the power fails during a random write of the
// disk, and the next start must find everything that was acknowledged. A writer whose syncs do
// nothing must be caught.
//
// POWER_CUTS sets the number of cuts per engine (10 when unset), POWER_SEED the seed.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>

#include "common/sys/handle.h"
#include "tests/support/check_result.h"
#include "tests/support/child_process.h"
#include "tests/support/power_loss/mounts.h"
#include "tests/support/temp_folder.h"

namespace {

using base::Result;
using power_loss::LoopDevice;

// More than one block group, so that there is a copy of the superblock.
constexpr off_t kImageBytes = 256 << 20;
// Writes of the disk from power-on to the cut: some cuts hit the mount, most the commits.
constexpr std::uint64_t kCutAtMax = 160;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

struct Life {
  std::uint64_t acknowledged = 0;
  bool was_cut = false;
};

struct Look {
  bool intact = false;
  std::uint64_t last = 0;
};

}  // namespace

TEST_GROUP(PowerCut) {
  TempFolder folder;

  void setup() override {
    static const Result<void> entered = power_loss::enter_private_mounts();
    CHECK_OK(entered);
    for (const char* name : {"raw", "mount"}) std::filesystem::create_directory(folder / name);
  }

  std::string at(const std::string& name) const { return (folder / name).string(); }

  void format() const {
    const std::string image = at("image");
    const sys::Fd fd(::open(image.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600));
    LONGS_EQUAL(0, ftruncate(fd.get(), kImageBytes));
    ChildProcess mkfs({"/usr/sbin/mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "nodiscard", image});
    LONGS_EQUAL(0, mkfs.wait());
  }

  // From power-on to the cut. The writer ends by itself when its disk is gone.
  Life live_until_cut(const std::string& command, const std::string& kind, std::uint64_t seed,
                      std::uint64_t cut_at, std::uint64_t before) const {
    Life life{before, false};
    ChildProcess disk(
        {POWER_LOSS_DISK, at("image"), std::to_string(seed), at("raw"), std::to_string(cut_at)});
    STRCMP_EQUAL("ready", disk.read_line().c_str());
    LoopDevice loop = UNWRAP(LoopDevice::attach(at("raw/disk")));
    // The power may fail while the file system is being mounted.
    if (power_loss::mount_ext4(loop.path(), at("mount"))) {
      ChildProcess writer({STORAGE_CHILD, command, kind, at("mount/data")});
      const std::vector<std::string> lines = writer.read_lines();
      if (!lines.empty()) life.acknowledged = std::stoull(lines.back());
      CHECK_TRUE(writer.wait() != 0);
      CHECK_OK(power_loss::unmount(at("mount")));
    }
    CHECK_OK(std::move(loop).detach());
    CHECK_OK(power_loss::unmount(at("raw")));
    LONGS_EQUAL(0, disk.wait());
    life.was_cut = disk.read_line().starts_with("cut ");
    return life;
  }

  // The next start, on what is left of the disk.
  Look look(const std::string& kind) const {
    LoopDevice loop = UNWRAP(LoopDevice::attach(at("image")));
    CHECK_OK(power_loss::mount_ext4(loop.path(), at("mount")));
    ChildProcess reader({STORAGE_CHILD, "verify", kind, at("mount/data")});
    const std::string line = reader.read_line();
    const Look found{reader.wait() == 0, line.empty() ? 0 : std::stoull(line)};
    CHECK_OK(power_loss::unmount(at("mount")));
    CHECK_OK(std::move(loop).detach());
    return found;
  }

  void survive_cuts(const std::string& kind) const {
    const std::uint64_t seed = setting("POWER_SEED", 1);
    std::mt19937_64 random(seed);
    format();
    std::uint64_t acknowledged = 0;
    for (std::uint64_t cut = 0; cut < setting("POWER_CUTS", 10); ++cut) {
      const std::uint64_t cut_at = 1 + random() % kCutAtMax;
      const Life life = live_until_cut("append", kind, random(), cut_at, acknowledged);
      const std::string place = "seed " + std::to_string(seed) + ", cut " + std::to_string(cut) +
                                " at write " + std::to_string(cut_at);
      CHECK_TRUE_TEXT(life.was_cut, place.c_str());
      const Look found = look(kind);
      CHECK_TRUE_TEXT(found.intact, place.c_str());
      CHECK_TRUE_TEXT(found.last >= life.acknowledged, place.c_str());
      CHECK_TRUE_TEXT(found.last <= life.acknowledged + 1, place.c_str());
      acknowledged = found.last;
    }
    CHECK_TRUE(acknowledged > 0);
    ChildProcess fsck({"/usr/sbin/e2fsck", "-fn", at("image")});
    fsck.read_lines();
    LONGS_EQUAL(0, fsck.wait());
    std::printf("%d file systems were mended at a start\n", power_loss::file_systems_mended());
  }

  void catch_lies(const std::string& kind) const {
    std::mt19937_64 random(setting("POWER_SEED", 1));
    int caught = 0;
    for (int cut = 0; cut < 3; ++cut) {
      format();
      const Life life =
          live_until_cut("append-lying", kind, random(), kCutAtMax / 2 + random() % kCutAtMax, 0);
      CHECK_TRUE(life.was_cut);
      const Look found = look(kind);
      if (!found.intact || found.last < life.acknowledged) ++caught;
    }
    CHECK_TRUE(caught > 0);
  }
};

TEST(PowerCut, the_store_loses_nothing_that_was_acknowledged) { survive_cuts("store"); }

TEST(PowerCut, the_coordination_loses_nothing_that_was_acknowledged) {
  survive_cuts("coordination");
}

TEST(PowerCut, the_journal_loses_nothing_that_was_acknowledged) { survive_cuts("journal"); }

TEST(PowerCut, a_storage_device_loses_nothing_that_was_acknowledged) { survive_cuts("chunks"); }

TEST(PowerCut, a_storage_device_that_does_not_sync_is_caught) { catch_lies("chunks"); }

TEST(PowerCut, a_store_that_does_not_sync_is_caught) { catch_lies("store"); }

TEST(PowerCut, a_coordination_that_does_not_sync_is_caught) { catch_lies("coordination"); }

TEST(PowerCut, the_disk_keeps_what_was_flushed_and_forgets_some_of_the_rest) {
  constexpr std::size_t kSectors = 200;
  const std::string image = at("image");
  {
    const sys::Fd fd(::open(image.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    LONGS_EQUAL(0, ftruncate(fd.get(), 1 << 20));
  }
  ChildProcess disk({POWER_LOSS_DISK, image, "7", at("raw"), "0"});
  STRCMP_EQUAL("ready", disk.read_line().c_str());
  {
    const sys::Fd fd(::open(at("raw/disk").c_str(), O_RDWR | O_CLOEXEC));
    const std::string flushed(kSectors * 512, 'f');
    const std::string later(kSectors * 512, 'l');
    LONGS_EQUAL(flushed.size(), pwrite(fd.get(), flushed.data(), flushed.size(), 0));
    LONGS_EQUAL(0, fsync(fd.get()));
    LONGS_EQUAL(later.size(), pwrite(fd.get(), later.data(), later.size(), 0));
    LONGS_EQUAL(0, kill(disk.pid(), SIGUSR1));
    CHECK_TRUE(disk.read_line().starts_with("cut "));
    LONGS_EQUAL(-1, pwrite(fd.get(), "x", 1, 0));
    LONGS_EQUAL(EIO, errno);
    LONGS_EQUAL(-1, fsync(fd.get()));
  }
  CHECK_OK(power_loss::unmount(at("raw")));
  LONGS_EQUAL(0, disk.wait());
  const sys::Fd fd(::open(image.c_str(), O_RDONLY | O_CLOEXEC));
  std::string left(kSectors * 512, '\0');
  LONGS_EQUAL(left.size(), pread(fd.get(), left.data(), left.size(), 0));
  std::size_t survived = 0;
  for (std::size_t i = 0; i < kSectors; ++i) {
    const std::string sector = left.substr(i * 512, 512);
    CHECK_TRUE(sector == std::string(512, 'f') || sector == std::string(512, 'l'));
    if (sector[0] == 'l') ++survived;
  }
  CHECK_TRUE(survived > 0 && survived < kSectors);
}
