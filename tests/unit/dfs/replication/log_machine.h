// SPDX-License-Identifier: Apache-2.0
// The state machine of the cluster simulation: counters and a hash over everything applied, on a
// simulated disk. It tells the checker of each entry, and drops operations that it has seen.
//
// A state is durable by a new file in the old one's place. Payloads of kPlacedMin bytes and more
// are placed in files of their own.
// Threads: the world's.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "common/base/disk.h"
#include "common/base/timers.h"
#include "dfs/replication/disk_queue.h"
#include "dfs/replication/state_machine.h"

namespace dfs::replication::testing {

inline constexpr std::size_t kPlacedMin = 1000;

// The payload of operation `id`, of about `size` bytes.
std::string operation(std::uint64_t id, std::size_t size);
std::uint64_t operation_id(std::string_view payload);

class LogMachine final : public StateMachine {
 public:
  struct Hooks {
    // After each entry; `took_effect`: not a repetition.
    std::function<void(const Entry& entry, std::uint64_t hash, bool took_effect)> applied;
    std::function<void(const base::Error&)> fatal;
    bool drops_repeated = true;
  };
  // Reads the state back. Errors: those of the disk; corrupt state_damaged.
  static base::Result<std::unique_ptr<LogMachine>> open(base::Disk& disk, DiskQueue& queue,
                                                        base::Timers& timers, std::string name,
                                                        Hooks hooks);

  Position durable() const override { return durable_; }
  std::optional<std::string> place(const Entry& entry, std::function<void()> durable) override;
  base::Result<std::string> placed(const Entry& entry, std::string_view substitute) override;
  std::string apply(const Entry& entry) override;
  void checkpoint(std::function<void(base::Result<Position>)> done) override;
  base::Result<std::unique_ptr<SnapshotSource>> open_snapshot() override;
  base::Result<std::unique_ptr<SnapshotSink>> receive_snapshot() override;
  void on_role(bool is_serving) override { serving_ = is_serving; }

  const Position& position() const { return state_.position; }
  std::uint64_t hash() const { return state_.hash; }
  base::Result<void> install(const std::string& bytes, Position position);

 private:
  struct State {
    Position position;
    std::uint64_t hash = 0;
    std::set<std::uint64_t> seen;
    std::uint64_t seen_sum = 0;  // so that the hash covers what was seen
    bool see(std::uint64_t id) {
      const bool is_new = seen.insert(id).second;
      if (is_new) seen_sum += id * id;
      return is_new;
    }
  };
  LogMachine(base::Disk& disk, DiskQueue& queue, base::Timers& timers, std::string name,
             Hooks hooks)
      : disk_(disk),
        queue_(queue),
        timers_(timers),
        name_(std::move(name)),
        hooks_(std::move(hooks)) {}
  static std::string encode(const State& state);
  static base::Result<State> decode(std::string_view bytes);
  base::Result<void> store(const std::string& bytes);
  base::Result<void> load();

  base::Disk& disk_;
  DiskQueue& queue_;
  base::Timers& timers_;
  const std::string name_;
  Hooks hooks_;
  State state_;
  Position durable_;
  bool serving_ = false;
  base::TimerHandle retry_;
  std::set<std::pair<Index, std::string>> placed_;  // files that are there
};

}  // namespace dfs::replication::testing
