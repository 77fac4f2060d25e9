// SPDX-License-Identifier: Apache-2.0
// Entry n lies in a slot of its own that begins in the middle of a block, the last number in
// another object.
#include "tests/contract/chunk_log.h"

#include <filesystem>

#include "common/base/crc32c.h"
#include "common/base/text.h"
#include "common/sys/loop_timers.h"
#include "common/sys/posix_disk.h"
#include "dfs/replication/group.h"
#include "dfs/replication/journal.h"
#include "dfs/replication/loop_disk_queue.h"
#include "dfs/storage/machine.h"

namespace contract {
namespace {

using base::Error;
using base::Result;
using namespace std::chrono_literals;
using dfs::replication::Configuration;

constexpr std::uint64_t kSlotBytes = 10'001;
constexpr std::size_t kNumberBytes = 20;
constexpr dfs::ObjectNumber kEntries = 1;
constexpr dfs::ObjectNumber kLast = 2;

// One member for ever; each life is a new epoch.
class OneMember final : public dfs::replication::ConfigurationStore {
 public:
  explicit OneMember(sys::EventLoop& loop) : loop_(loop) {
    known_.epoch =
        static_cast<std::uint64_t>(base::system_clock().wall().time_since_epoch().count());
    known_.primary = dfs::replication::NodeId("one");
    known_.in_sync = {known_.primary};
  }
  void watch(std::function<void(const Configuration&)> changed) override {
    loop_.post([this, changed = std::move(changed)] { changed(known_); });
  }
  void change(const Configuration& next,
              std::function<void(Result<Configuration>)> settled) override {
    if (next.epoch == known_.epoch + 1) known_ = next;
    loop_.post([this, settled = std::move(settled)] { settled(known_); });
  }

 private:
  sys::EventLoop& loop_;
  Configuration known_;
};

class NoPeers final : public dfs::replication::PeerLinks {
 public:
  void send(const dfs::replication::NodeId&, std::string) override {}
};

class ChunkLog final : public NumberedLog {
 public:
  Result<void> open(const std::string& folder) {
    std::filesystem::create_directory(folder);
    loop_ = TRY(sys::EventLoop::make());
    timers_ = std::make_unique<sys::LoopTimers>(*loop_);
    disk_ = TRY(sys::open_posix_disk(folder));
    index_ = TRY(dfs::storage::open_lmdb_index(folder + "/index", 16 << 20));
    journal_queue_ = dfs::replication::make_loop_disk_queue(*loop_);
    checkpoint_queue_ = dfs::replication::make_loop_disk_queue(*loop_);
    dfs::storage::Device::Options device;
    device.reserve_bytes = 0;
    device_ = TRY(dfs::storage::Device::open(
        *disk_, *index_,
        [this](std::function<void()> work, std::function<void()> then) {
          checkpoint_queue_->submit(std::move(work), std::move(then));
        },
        std::move(device)));
    dfs::replication::JournalOptions journal;
    // Small, so that each life uses several and none stays behind.
    journal.segment_bytes = 96 << 10;
    journal.segments_max = 24;
    journal.batch_bytes_max = 32 << 10;
    journal_ = TRY(dfs::replication::Journal::open(*disk_, *journal_queue_, *timers_,
                                                   base::system_rng(), std::move(journal)));
    machine_ = TRY(dfs::storage::ChunkMachine::open(*device_, 1));
    configurations_ = std::make_unique<OneMember>(*loop_);
    dfs::replication::GroupOptions options;
    options.group = 1;
    options.replica.self = dfs::replication::NodeId("one");
    options.replica.incarnation = base::system_rng().next();
    options.replica.min_in_sync = 1;
    options.replica.times = {20ms, 40ms};
    options.replica.heartbeat = 10ms;
    options.log_bytes_max = 512 << 10;
    options.checkpoint_every = 10ms;
    group_ = TRY(dfs::replication::start_group(options, *journal_, *machine_, *configurations_,
                                               peers_, *timers_));
    const sys::WatchHandle poll = loop_->every(5ms, [this] {
      if (group_->is_serving()) loop_->stop();
    });
    return loop_->run();
  }

  Result<void> append(std::uint64_t number) override {
    TRY(write(kEntries, slot_of(number), payload_of(number)));
    std::string last = std::to_string(number);
    last.resize(kNumberBytes, ' ');
    return write(kLast, 0, last);
  }

  Result<std::uint64_t> verify() override {
    const std::string text = TRY(machine_->store().read(kLast, 0, kNumberBytes));
    const std::string digits = text.substr(0, text.find_first_of(std::string(" \0", 2)));
    const auto last =
        static_cast<std::uint64_t>(digits.empty() ? 0 : TRY(base::parse_int(digits, 0, INT64_MAX)));
    // The next one may be in its slot without having been counted.
    for (std::uint64_t number = last < kKept ? 1 : last + 2 - kKept; number <= last; ++number) {
      const std::string expected = payload_of(number);
      const std::string found =
          TRY(machine_->store().read(kEntries, slot_of(number), expected.size()));
      if (found != expected)
        return log_damaged("entry " + std::to_string(number) + " is not as written");
    }
    return last;
  }

 private:
  static std::uint64_t slot_of(std::uint64_t number) { return number % kKept * kSlotBytes; }

  Result<Result<std::string>> propose(const std::string& payload) {
    Result<std::string> outcome = std::string();
    group_->propose(payload, [this, &outcome](Result<std::string> answer) {
      outcome = std::move(answer);
      loop_->stop();
    });
    TRY(loop_->run());
    return outcome;
  }

  Result<void> write(dfs::ObjectNumber object, std::uint64_t offset, const std::string& data) {
    dfs::WriteObject request;
    request.place = {1, 1, 1, object};
    request.offset = offset;
    for (std::size_t done = 0; done < data.size();) {
      const std::size_t size = std::min<std::size_t>(
          dfs::kBlockBytes - (offset + done) % dfs::kBlockBytes, data.size() - done);
      request.checksums.push_back(base::crc32c(std::string_view(data).substr(done, size)));
      done += size;
    }
    const std::string payload = dfs::storage::encode_operation(request, data);
    Result<std::string> outcome = TRY(propose(payload));
    // The journal of this test is small: it waits for a checkpoint at times.
    while (!outcome && outcome.error().reason == "journal_full") {
      const sys::WatchHandle pause = loop_->after(5ms, [this] { loop_->stop(); });
      TRY(loop_->run());
      outcome = TRY(propose(payload));
    }
    if (!outcome) return outcome.error();
    TRY(dfs::storage::decode_outcome(*outcome));
    return {};
  }

  std::unique_ptr<sys::EventLoop> loop_;
  std::unique_ptr<sys::LoopTimers> timers_;
  std::unique_ptr<base::Disk> disk_;
  std::unique_ptr<dfs::storage::BlockIndex> index_;
  std::unique_ptr<dfs::replication::DiskQueue> journal_queue_, checkpoint_queue_;
  std::unique_ptr<dfs::storage::Device> device_;
  std::unique_ptr<dfs::replication::Journal> journal_;
  std::unique_ptr<dfs::storage::ChunkMachine> machine_;
  std::unique_ptr<OneMember> configurations_;
  NoPeers peers_;
  std::unique_ptr<dfs::replication::Group> group_;
};

}  // namespace

Result<std::unique_ptr<NumberedLog>> open_chunk_log(const std::string& folder) {
  auto log = std::make_unique<ChunkLog>();
  TRY(log->open(folder));
  return std::unique_ptr<NumberedLog>(std::move(log));
}

}  // namespace contract
