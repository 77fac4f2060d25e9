// SPDX-License-Identifier: Apache-2.0
// Claim: an entry of a replica group is on three disks and applied within 0.5 ms (median, one at a
// time), and entries of 256 KiB pass at 300 MB/s or as fast as the disk takes three copies.
//
//   dfs-group-bench FOLDER [SECONDS_PER_ROW]
//
// Three members, each with a thread, a loop, TCP on the loopback and a journal in FOLDER/1..3. On
// the back of an envelope: one entry is two writes of the loopback (20 µs) beside one sync of the
// journal, and every byte is written three times to the one disk.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "common/sys/event_loop.h"
#include "common/sys/loop_timers.h"
#include "common/sys/posix_disk.h"
#include "common/sys/tcp_net.h"
#include "dfs/replication/coordination_store.h"
#include "dfs/replication/group.h"
#include "dfs/replication/journal.h"
#include "dfs/replication/loop_disk_queue.h"
#include "dfs/replication/rpc_peers.h"

namespace {

using namespace dfs;
using namespace dfs::replication;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kMembers = 3;

template <class T>
T must(base::Result<T> result) {
  if (result) return *std::move(result);
  std::fprintf(stderr, "%s\n", base::to_string(result.error()).c_str());
  std::exit(1);
}

// Counts; its state is as durable as a number in memory.
class Counter final : public StateMachine {
 public:
  Position durable() const override { return durable_; }
  std::string apply(const Entry& entry) override {
    position_ = {entry.index, entry.epoch};
    return {};
  }
  void checkpoint(std::function<void(base::Result<Position>)> done) override {
    durable_ = position_;
    done(durable_);
  }
  base::Result<std::unique_ptr<SnapshotSource>> open_snapshot() override {
    return base::Error{base::Code::unsupported, "not here", "snapshot_refused"};
  }
  base::Result<std::unique_ptr<SnapshotSink>> receive_snapshot() override {
    return base::Error{base::Code::unsupported, "not here", "snapshot_refused"};
  }
  void on_role(bool) override {}

 private:
  Position position_, durable_;
};

NodeId id_of(int member) { return NodeId("m" + std::to_string(member)); }

struct Row {
  std::size_t bytes = 0;
  int depth = 0;
  std::vector<double> micros;
  double seconds = 0;
};

// Keeps `depth` proposals under way for a while.
class Load {
 public:
  Load(sys::EventLoop& loop, Group& group, Row& row, base::Duration time,
       std::function<void()> done)
      : loop_(loop),
        group_(group),
        row_(row),
        payload_(std::string(row.bytes, 'x')),
        begin_(Clock::now()),
        end_(begin_ + time),
        done_(std::move(done)) {
    for (int i = 0; i < row.depth; ++i) propose();
  }

 private:
  void propose() {
    ++under_way_;
    group_.propose(payload_, [this, at = Clock::now()](const base::Result<std::string>& answer) {
      --under_way_;
      const auto now = Clock::now();
      if (answer)
        row_.micros.push_back(std::chrono::duration<double, std::micro>(now - at).count());
      if (now < end_) return answer ? propose() : retry();
      if (under_way_ > 0) return;
      row_.seconds = std::chrono::duration<double>(now - begin_).count();
      loop_.post(done_);
    });
  }
  void retry() {
    ++under_way_;
    retries_.push_back(loop_.after(1ms, [this] {
      --under_way_;
      propose();
    }));
  }

  sys::EventLoop& loop_;
  Group& group_;
  Row& row_;
  const Payload payload_;
  const Clock::time_point begin_, end_;
  const std::function<void()> done_;
  int under_way_ = 0;
  std::vector<sys::WatchHandle> retries_;
};

class Member {
 public:
  Member(int number, const std::filesystem::path& folder, std::uint16_t port)
      : loop_(must(sys::EventLoop::make())),
        timers_(*loop_),
        net_(sys::make_tcp_net(*loop_)),
        queue_(make_loop_disk_queue(*loop_)),
        worker_(make_loop_disk_queue(*loop_)) {
    std::filesystem::create_directories(folder / std::to_string(number));
    disk_ = must(sys::open_posix_disk(folder / std::to_string(number)));
    journal_ = must(Journal::open(*disk_, *queue_, timers_, base::system_rng(), {}));
    peers_ = std::make_unique<RpcPeers>(*net_, timers_, id_of(number));
    CoordinationStoreOptions store;
    store.path = "/groups/bench";
    store.first.epoch = 1;
    for (int member = 1; member <= kMembers; ++member) {
      store.first.in_sync.push_back(id_of(member));
      peers_->set_address(id_of(member), {"127.0.0.1", static_cast<std::uint16_t>(port + member)});
    }
    store.first.primary = id_of(1);
    store.open = [path = (folder / "coordination").string()] {
      return coordination::open_local({.folder = path});
    };
    store.post = [this](std::function<void()> work) { loop_->post(std::move(work)); };
    configurations_ = make_coordination_store(std::move(store), *worker_, timers_);
    RpcServer::Handlers handlers;
    handlers.request = [](std::uint8_t, std::string_view, std::string_view, Responder) {};
    handlers.notice = [this](const std::shared_ptr<Caller>&, std::uint8_t, std::string_view body,
                             std::string_view data) { peers_->on_notice(body, data); };
    server_ = must(RpcServer::listen(
        *net_, {"127.0.0.1", static_cast<std::uint16_t>(port + number)}, std::move(handlers)));
    GroupOptions options;
    options.replica.self = id_of(number);
    options.replica.incarnation = base::system_rng().next();
    group_ = must(
        start_group(options, *journal_, machine_, *configurations_, peers_->links(0), timers_));
    peers_->set_receiver(0, [this](const NodeId& from, std::string_view message) {
      group_->on_message(from, message);
    });
  }

  // Once this member serves: all rows one after the other, then `done`.
  void measure(std::vector<Row>& rows, base::Duration time, const std::function<void()>& done) {
    if (!group_->is_serving()) {
      wait_ = loop_->after(50ms, [this, &rows, time, done] { measure(rows, time, done); });
      return;
    }
    next(rows, 0, time, done);
  }
  sys::EventLoop& loop() { return *loop_; }

 private:
  void next(std::vector<Row>& rows, std::size_t at, base::Duration time,
            const std::function<void()>& done) {
    load_.reset();
    if (at == rows.size()) return done();
    load_ = std::make_unique<Load>(*loop_, *group_, rows[at], time, [this, &rows, at, time, done] {
      next(rows, at + 1, time, done);
    });
  }

  std::unique_ptr<sys::EventLoop> loop_;
  sys::LoopTimers timers_;
  std::unique_ptr<base::Net> net_;
  std::unique_ptr<base::Disk> disk_;
  std::unique_ptr<DiskQueue> queue_, worker_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<RpcPeers> peers_;
  std::unique_ptr<ConfigurationStore> configurations_;
  std::unique_ptr<RpcServer> server_;
  Counter machine_;
  std::unique_ptr<Group> group_;
  std::unique_ptr<Load> load_;
  sys::WatchHandle wait_;
};

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void print(Row& row) {
  std::sort(row.micros.begin(), row.micros.end());
  const auto at = [&](double part) {
    if (row.micros.empty()) return 0.0;
    return row.micros[static_cast<std::size_t>(part * static_cast<double>(row.micros.size() - 1))];
  };
  const double count = static_cast<double>(row.micros.size());
  std::printf("%8zu bytes, depth %3d: %8.0f entries/s %8.1f MB/s   p50 %7.0f us  p99 %7.0f us\n",
              row.bytes, row.depth, count / row.seconds,
              count * static_cast<double>(row.bytes) / row.seconds / 1e6, at(0.5), at(0.99));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: dfs-group-bench FOLDER [SECONDS_PER_ROW]\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const auto time = std::chrono::seconds(argc > 2 ? std::atoi(argv[2]) : 3);
  std::vector<std::unique_ptr<Member>> members;
  std::vector<Row> rows;
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{64} << 10, std::size_t{256} << 10})
    for (const int depth : {1, 64}) rows.push_back({bytes, depth, {}, 0});
  for (int number = 1; number <= kMembers; ++number)
    members.push_back(std::make_unique<Member>(number, folder, 17860));
  const auto end_all = [&] {
    for (const auto& member : members) member->loop().stop();
  };
  members[0]->loop().post([&] { members[0]->measure(rows, time, end_all); });
  std::vector<std::thread> threads;
  for (const auto& member : members)
    threads.emplace_back([&member] { must(member->loop().run()); });
  for (std::thread& thread : threads) thread.join();
  for (Row& row : rows) print(row);
  std::printf("processor time of all members and the load: %.1f s\n", processor_seconds());
  return 0;
}
