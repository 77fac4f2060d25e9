// SPDX-License-Identifier: Apache-2.0
// Processes that die by kill -9, or because a sync failed, while they write. What was acknowledged
// is there afterwards, and nothing is half done. (Power cuts: tests/support/power_loss.)
#include <signal.h>

#include <random>
#include <thread>

#include "tests/contract/numbered_log.h"
#include "tests/support/check_result.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_folder.h"

namespace {

constexpr int kCycles = 50;

std::uint64_t last_of(const std::vector<std::string>& lines, std::uint64_t before) {
  return lines.empty() ? before : std::stoull(lines.back());
}

}  // namespace

TEST_GROUP(Crash) {
  TempFolder folder;
  std::mt19937 random{20260131};

  std::string path() const { return (folder / "data").string(); }

  std::uint64_t verified(const std::string& kind) {
    const auto log = UNWRAP(contract::open_log(kind, path()));
    return UNWRAP(log->verify());
  }

  void survive_kills(const std::string& kind) {
    std::uint64_t acknowledged = 0;
    for (int cycle = 0; cycle < kCycles; ++cycle) {
      ChildProcess child({STORAGE_CHILD, "append", kind, path()});
      // The moment of the fault: in every other cycle after an acknowledgement, so that work gets
      // done on a slow machine too, else from before the open.
      const std::string first = cycle % 2 == 0 ? child.read_line() : "";
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
      child.kill();
      std::vector<std::string> lines = child.read_lines();
      if (!first.empty()) lines.insert(lines.begin(), first);
      acknowledged = last_of(lines, acknowledged);
      LONGS_EQUAL(128 + SIGKILL, child.wait());
      const std::uint64_t last = verified(kind);
      CHECK_TRUE(last >= acknowledged);
      // One more may have been committed before it could be said.
      CHECK_TRUE(last <= acknowledged + 1);
      acknowledged = last;
    }
    CHECK_TRUE(acknowledged >= kCycles / 2);
  }

  // From the twentieth on, syncs fail as a dying disk's do.
  void end_at_a_failed_sync(const std::string& kind) {
    ChildProcess child({"/usr/bin/strace", "-qq", "-f", "-e", "trace=fdatasync", "-e",
                        "inject=fdatasync:error=EIO:when=20+", "-o", "/dev/null", STORAGE_CHILD,
                        "append", kind, path()});
    const std::uint64_t acknowledged = last_of(child.read_lines(), 0);
    LONGS_EQUAL(128 + SIGABRT, child.wait());
    CHECK_TRUE(acknowledged > 0);
    CHECK_TRUE(verified(kind) >= acknowledged);
  }
};

TEST(Crash, a_killed_store_loses_nothing_that_was_acknowledged) { survive_kills("store"); }

TEST(Crash, a_killed_coordination_loses_nothing_that_was_acknowledged) {
  survive_kills("coordination");
}

TEST(Crash, a_killed_journal_loses_nothing_that_was_acknowledged) { survive_kills("journal"); }

TEST(Crash, a_failed_sync_ends_the_journal_instead_of_acknowledging) {
  end_at_a_failed_sync("journal");
}

TEST(Crash, a_killed_storage_device_loses_nothing_that_was_acknowledged) {
  survive_kills("chunks");
}

TEST(Crash, a_failed_sync_ends_the_storage_device_instead_of_acknowledging) {
  end_at_a_failed_sync("chunks");
}

TEST(Crash, a_failed_sync_ends_the_store_instead_of_acknowledging) {
  end_at_a_failed_sync("store");
}

TEST(Crash, a_failed_sync_ends_the_coordination_instead_of_acknowledging) {
  end_at_a_failed_sync("coordination");
}

TEST(Crash, a_killed_writer_does_not_hold_up_the_others) {
  ChildProcess stays({STORAGE_CHILD, "append", "coordination", path(), "stays"});
  for (int cycle = 0; cycle < 10; ++cycle) {
    ChildProcess dies({STORAGE_CHILD, "append", "coordination", path(), "dies"});
    CHECK_TRUE(!dies.read_line().empty());
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 5'000));
    dies.kill();
    dies.wait();
    CHECK_TRUE(!stays.read_line().empty());
  }
  stays.kill();
  const std::uint64_t acknowledged = last_of(stays.read_lines(), 0);
  stays.wait();
  const auto dead = UNWRAP(contract::open_log("coordination", path(), "dies"));
  CHECK_OK(dead->verify());
  const auto stayed = UNWRAP(contract::open_log("coordination", path(), "stays"));
  CHECK_TRUE(UNWRAP(stayed->verify()) >= acknowledged);
}
