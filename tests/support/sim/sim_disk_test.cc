// SPDX-License-Identifier: Apache-2.0
// The faults of the simulated disk, and that they catch the mistakes they are made for.
#include "tests/support/sim/sim_disk.h"

#include <set>

#include "common/base/bytes.h"
#include "tests/contract/disk_suite.h"
#include "tests/support/check_result.h"

using base::Code;
using base::DiskFile;
using base::OpenMode;
using base::Result;
using sim::SimDisk;
using sim::World;

namespace {

constexpr std::uint64_t kSeeds = 200;

// What a log that is meant to be durable may get wrong.
enum class Mistake { none, no_sync, no_folder_sync, retry_failed_sync, no_checksum };

// An append-only log of texts, as the DFS and the event log will have.
class Log {
 public:
  Log(SimDisk& disk, Mistake mistake) : disk_(disk), mistake_(mistake) {}

  Result<void> open() {
    file_ = TRY(disk_.open("log", OpenMode::create));
    if (mistake_ != Mistake::no_folder_sync) TRY(disk_.sync_folder(""));
    return {};
  }

  Result<void> append(const std::string& text) {
    const std::string record = base::seal_record("", 1, text);
    const std::string frame = base::ByteWriter().text(record).take();
    TRY(file_->write(end_, frame));
    if (mistake_ != Mistake::no_sync) {
      Result<void> synced = file_->sync();
      if (!synced && mistake_ == Mistake::retry_failed_sync) synced = file_->sync();
      if (!synced) return synced;
    }
    end_ += frame.size();
    return {};
  }

  // All records up to the first that is not whole.
  Result<std::vector<std::string>> read_all() {
    const std::string content = contract::content_of(*file_);
    base::ByteReader reader(content);
    std::vector<std::string> texts;
    while (true) {
      const Result<std::string_view> record = reader.text();
      if (!record) return texts;
      const Result<std::string_view> text = base::open_record("", 1, *record);
      if (text) {
        texts.emplace_back(*text);
      } else if (mistake_ == Mistake::no_checksum && record->size() > 5) {
        texts.emplace_back(record->substr(5));
      } else {
        return texts;
      }
    }
  }

 private:
  SimDisk& disk_;
  const Mistake mistake_;
  std::unique_ptr<DiskFile> file_;
  std::uint64_t end_ = 0;
};

std::string text_of(int number) {
  return std::string(static_cast<std::size_t>(1 + number * 331 % 1500),
                     static_cast<char>('a' + number % 26));
}

// Appends until the power fails and looks what is left. Whether the log kept its promise.
bool keeps_promise(std::uint64_t seed, Mistake mistake, double sync_error = 0) {
  World world(seed);
  SimDisk disk(world);
  disk.faults.sync_error = sync_error;
  disk.cut_power_at_change(1 + world.random()() % 40);
  int acknowledged = 0;
  {
    Log log(disk, mistake);
    if (log.open()) {
      while (log.append(text_of(acknowledged))) ++acknowledged;
    }
  }
  // A log that stopped at an error of the disk loses power some time later.
  if (disk.has_power()) disk.cut_power();
  disk.power_on();
  disk.faults = {};
  Log log(disk, Mistake::none);
  CHECK_OK(log.open());
  Log reader(disk, mistake);
  CHECK_OK(reader.open());
  const std::vector<std::string> found = UNWRAP(reader.read_all());
  if (found.size() < static_cast<std::size_t>(acknowledged)) return false;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] != text_of(static_cast<int>(i))) return false;
  }
  return true;
}

int broken_promises(Mistake mistake, double sync_error = 0) {
  int broken = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    if (!keeps_promise(seed, mistake, sync_error)) ++broken;
  }
  return broken;
}

}  // namespace

TEST_GROUP(SimDisk){static std::unique_ptr<DiskFile> durable(SimDisk & disk,
                                                             const std::string& path,
                                                             const std::string& content){
    std::unique_ptr<DiskFile> file = UNWRAP(disk.open(path, OpenMode::create));
CHECK_OK(file->write(0, content));
CHECK_OK(file->sync());
CHECK_OK(disk.sync_folder(""));
return file;
}

static std::string left(SimDisk& disk, const std::string& path) {
  const Result<std::unique_ptr<DiskFile>> file = disk.open(path, OpenMode::existing);
  return file ? contract::content_of(**file) : "(gone)";
}
}
;

TEST(SimDisk, what_was_synced_survives_and_what_was_not_may) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world(seed);
    SimDisk disk(world);
    const auto file = durable(disk, "f", std::string(100, 'a'));
    CHECK_OK(file->write(0, std::string(100, 'b')));
    CHECK_OK(file->write(600, "c"));
    disk.cut_power();
    CHECK_ERROR(Code::internal, "os_error", disk.open("f", OpenMode::existing));
    disk.power_on();
    CHECK_ERROR(Code::internal, "os_error", file->size());
    const std::string content = left(disk, "f");
    CHECK_TRUE(content.size() == 100 || content.size() == 601);
    const std::string head = content.substr(0, 100);
    CHECK_TRUE(head == std::string(100, 'a') || head == std::string(100, 'b'));
    seen.insert(content);
  }
  CHECK_TRUE(seen.size() > 2);
}

TEST(SimDisk, a_name_survives_only_when_its_folder_was_synced) {
  int gone = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world(seed);
    SimDisk disk(world);
    durable(disk, "kept", "x");
    CHECK_OK(UNWRAP(disk.open("new", OpenMode::create))->sync());
    disk.cut_power();
    disk.power_on();
    STRCMP_EQUAL("x", left(disk, "kept").c_str());
    if (left(disk, "new") == "(gone)") ++gone;
  }
  CHECK_TRUE(gone > 10 && gone < 40);
}

TEST(SimDisk, a_large_write_tears_between_sectors_only) {
  int torn = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world(seed);
    SimDisk disk(world);
    const auto file = durable(disk, "f", std::string(4096, 'a'));
    disk.cut_power_at_change(1);
    CHECK_FALSE(file->write(0, std::string(4096, 'b')).has_value());
    CHECK_FALSE(disk.has_power());
    disk.power_on();
    const std::string content = left(disk, "f");
    for (std::size_t at = 0; at < 4096; at += 512)
      CHECK_TRUE(content.substr(at, 512) == std::string(512, content[at]));
    if (content.find('a') != std::string::npos && content.find('b') != std::string::npos) ++torn;
  }
  CHECK_TRUE(torn > 10);
}

TEST(SimDisk, a_rename_is_old_or_new_after_a_cut) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world(seed);
    SimDisk disk(world);
    durable(disk, "f", "old");
    durable(disk, "f.new", "new");
    CHECK_OK(disk.rename("f.new", "f"));
    disk.cut_power();
    disk.power_on();
    seen.insert(left(disk, "f"));
  }
  CHECK_TRUE(seen == std::set<std::string>({"old", "new"}));
}

TEST(SimDisk, a_full_disk_refuses_growth_and_recovers) {
  World world(1);
  SimDisk disk(world, 1000);
  const auto file = durable(disk, "f", std::string(900, 'x'));
  CHECK_ERROR(Code::no_space, "os_no_space", file->write(900, std::string(101, 'y')));
  CHECK_ERROR(Code::no_space, "os_no_space", file->allocate(0, 1001));
  CHECK_OK(file->write(0, std::string(1000, 'y')));
  LONGS_EQUAL(0, UNWRAP(disk.free_bytes()));
  CHECK_OK(file->truncate(10));
  LONGS_EQUAL(990, UNWRAP(disk.free_bytes()));
}

TEST(SimDisk, errors_come_as_often_as_asked_for) {
  World world(1);
  SimDisk disk(world);
  const auto file = durable(disk, "f", "x");
  std::string out(1, '?');
  disk.faults = {.read_error = 1, .write_error = 0, .sync_error = 0};
  CHECK_FALSE(file->read(0, out).has_value());
  disk.faults = {.read_error = 0, .write_error = 0.5, .sync_error = 0};
  int failed = 0;
  for (int i = 0; i < 200; ++i) {
    if (!file->write(0, "y")) ++failed;
  }
  CHECK_TRUE(failed > 60 && failed < 140);
}

TEST(SimDisk, a_flipped_bit_is_read) {
  World world(1);
  SimDisk disk(world);
  const auto file = durable(disk, "f", "abc");
  disk.flip_bit("f", 8);
  STRCMP_EQUAL("acc", contract::content_of(*file).c_str());
}

TEST(SimDisk, a_log_that_syncs_file_and_folder_keeps_its_promise) {
  LONGS_EQUAL(0, broken_promises(Mistake::none));
  LONGS_EQUAL(0, broken_promises(Mistake::none, 0.1));
}

TEST(SimDisk, a_log_that_does_not_sync_is_caught) {
  CHECK_TRUE(broken_promises(Mistake::no_sync) > 10);
}

TEST(SimDisk, a_log_that_forgets_its_folder_is_caught) {
  CHECK_TRUE(broken_promises(Mistake::no_folder_sync) > 10);
}

TEST(SimDisk, a_log_that_repeats_a_failed_sync_is_caught) {
  CHECK_TRUE(broken_promises(Mistake::retry_failed_sync, 0.1) > 10);
}

TEST(SimDisk, a_log_that_trusts_torn_records_is_caught) {
  CHECK_TRUE(broken_promises(Mistake::no_checksum) > 10);
}
