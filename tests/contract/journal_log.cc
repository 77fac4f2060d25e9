// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/journal_log.h"

#include <filesystem>

#include "common/sys/event_loop.h"
#include "common/sys/loop_timers.h"
#include "common/sys/posix_disk.h"
#include "dfs/replication/journal.h"
#include "dfs/replication/loop_disk_queue.h"

namespace contract {
namespace {

using base::Result;
using namespace dfs::replication;

constexpr std::uint32_t kGroups = 3;

std::string entry_of(Index index) {
  return std::string(index * 7919 % 9000, static_cast<char>('a' + index % 26));
}

// Small segments, so that they are used again all the time.
JournalOptions options() {
  JournalOptions small;
  small.segment_bytes = 256 << 10;
  small.segments_max = 8;
  return small;
}

// Number n is entry n of every group, appended together; what is kept no more is released.
class JournalLog final : public NumberedLog {
 public:
  static Result<std::unique_ptr<NumberedLog>> open(const std::string& folder) {
    auto log = std::make_unique<JournalLog>();
    log->loop_ = TRY(sys::EventLoop::make());
    log->timers_ = std::make_unique<sys::LoopTimers>(*log->loop_);
    log->queue_ = make_loop_disk_queue(*log->loop_);
    std::error_code ignored;  // the disk says what is wrong
    std::filesystem::create_directories(folder, ignored);
    log->disk_ = TRY(sys::open_posix_disk(folder));
    log->journal_ =
        TRY(Journal::open(*log->disk_, *log->queue_, *log->timers_, base::system_rng(), options()));
    for (std::uint32_t group = 0; group < kGroups; ++group)
      log->recovered_.push_back(log->journal_->take_recovered(group));
    return std::unique_ptr<NumberedLog>(std::move(log));
  }

  Result<void> append(std::uint64_t number) override {
    std::uint32_t waiting = kGroups;
    for (std::uint32_t group = 0; group < kGroups; ++group) {
      LogWrite write;
      write.promised = 1;
      write.entries.push_back({Entry{1, number, number, entry_of(number)}, false});
      journal_->append(group, std::move(write), [this, &waiting] {
        if (--waiting == 0) loop_->stop();
      });
    }
    TRY(loop_->run());
    for (std::uint32_t group = 0; group < kGroups && number > kKept; ++group)
      journal_->release(group, {number - kKept, 1});
    return {};
  }

  Result<std::uint64_t> verify() override {
    // Groups may end one entry apart: those of one number need not share a batch.
    Index least = UINT64_MAX, most = 0;
    for (const RecoveredGroup& group : recovered_) {
      Index index = group.base.index;
      for (const JournalEntry& each : group.log) {
        if (each.entry.index != ++index || each.entry.payload != Payload(entry_of(index)))
          return log_damaged("entry " + std::to_string(index) + " is not as written");
      }
      least = std::min(least, index);
      most = std::max(most, index);
    }
    if (most > least + 1) return log_damaged("a group lacks entries");
    return least;
  }

 private:
  std::unique_ptr<sys::EventLoop> loop_;
  std::unique_ptr<sys::LoopTimers> timers_;
  std::unique_ptr<DiskQueue> queue_;
  std::unique_ptr<base::Disk> disk_;
  std::unique_ptr<Journal> journal_;
  std::vector<RecoveredGroup> recovered_;
};

}  // namespace

Result<std::unique_ptr<NumberedLog>> open_journal_log(const std::string& folder) {
  return JournalLog::open(folder);
}

}  // namespace contract
