// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/dfs/replication/log_machine.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/base/text.h"

namespace dfs::replication::testing {

using base::Error;
using base::Result;

namespace {

constexpr std::size_t kPieceBytes = 100;
constexpr std::uint64_t kFormat = 1;

class Source final : public SnapshotSource {
 public:
  Source(std::string bytes, Position position) : bytes_(std::move(bytes)), position_(position) {}
  Position position() const override { return position_; }
  Result<std::string> next(std::string_view) override {
    std::string piece = bytes_.substr(0, kPieceBytes);
    bytes_.erase(0, kPieceBytes);
    return piece;
  }

 private:
  std::string bytes_;
  const Position position_;
};

class Sink final : public SnapshotSink {
 public:
  explicit Sink(LogMachine& machine) : machine_(machine) {}
  Result<std::string> take(std::string_view piece) override {
    bytes_ += piece;
    return std::string();
  }
  Result<void> install(Position position) override { return machine_.install(bytes_, position); }

 private:
  LogMachine& machine_;
  std::string bytes_;
};

}  // namespace

std::string operation(std::uint64_t id, std::size_t size) {
  return base::ByteWriter().u64(id).raw(std::string(size, static_cast<char>(id))).take();
}

std::uint64_t operation_id(std::string_view payload) {
  return base::ByteReader(payload).u64().value_or(0);
}

Result<std::unique_ptr<LogMachine>> LogMachine::open(base::Disk& disk, DiskQueue& queue,
                                                     base::Timers& timers, std::string name,
                                                     Hooks hooks) {
  std::unique_ptr<LogMachine> machine(
      new LogMachine(disk, queue, timers, std::move(name), std::move(hooks)));
  TRY(machine->load());
  return machine;
}

// ---- the state's file ----

std::string LogMachine::encode(const State& state) {
  base::ByteWriter out;
  out.u64(state.position.index).u64(state.position.epoch).u64(state.hash);
  for (const std::uint64_t id : state.seen) out.u64(id);
  return base::seal_record("state", kFormat, out.bytes());
}

Result<LogMachine::State> LogMachine::decode(std::string_view bytes) {
  base::ByteReader in(TRY(base::open_record("state", kFormat, bytes)));
  State state;
  state.position.index = TRY(in.u64());
  state.position.epoch = TRY(in.u64());
  state.hash = TRY(in.u64());
  while (!in.rest().empty()) state.see(TRY(in.u64()));
  return state;
}

Result<void> LogMachine::load() {
  for (const std::string& each : TRY(disk_.list(""))) {
    const std::vector<std::string_view> parts = base::split(each, '.');
    if (parts.size() == 3 && parts[0] == name_)
      placed_.emplace(TRY(base::parse_int(parts[1], 0, INT64_MAX)), each);
  }
  const auto file = disk_.open(name_, base::OpenMode::existing);
  if (!file && file.error().code == base::Code::not_found) return {};
  if (!file) return file.error();
  std::string bytes(TRY((*file)->size()), '\0');
  TRY((*file)->read(0, bytes));
  state_ = TRY(decode(bytes));
  durable_ = state_.position;
  return {};
}

Result<void> LogMachine::store(const std::string& bytes) {
  const auto file = TRY(disk_.open(name_ + ".new", base::OpenMode::create));
  TRY(file->truncate(0));
  TRY(file->write(0, bytes));
  TRY(file->sync());
  TRY(disk_.rename(name_ + ".new", name_));
  return disk_.sync_folder("");
}

void LogMachine::checkpoint(std::function<void(Result<Position>)> done) {
  const auto outcome = std::make_shared<Result<void>>();
  queue_.submit([this, outcome, bytes = encode(state_)] { *outcome = store(bytes); },
                [this, outcome, done, position = state_.position] {
                  if (!*outcome && outcome->error().code == base::Code::no_space) {
                    // Space may come back; until then the old state stands.
                    retry_ = timers_.after(std::chrono::milliseconds(300),
                                           [this, done] { checkpoint(done); });
                    return;
                  }
                  if (!*outcome) return done(outcome->error());
                  durable_ = std::max(durable_, position);
                  while (!placed_.empty() && placed_.begin()->first <= durable_.index) {
                    static_cast<void>(disk_.remove(placed_.begin()->second));
                    placed_.erase(placed_.begin());
                  }
                  done(durable_);
                });
}

// ---- payloads with a place of their own ----

std::optional<std::string> LogMachine::place(const Entry& entry, std::function<void()> durable) {
  const Result<std::uint64_t> space = disk_.free_bytes();
  if (entry.payload.size() < kPlacedMin || !space || *space < (64 << 10)) return std::nullopt;
  const std::string file_name =
      name_ + "." + std::to_string(entry.index) + "." + std::to_string(entry.epoch);
  placed_.emplace(entry.index, file_name);
  const auto outcome = std::make_shared<Result<void>>();
  queue_.submit(
      [this, outcome, file_name, payload = entry.payload] {
        const auto write = [&]() -> Result<void> {
          const auto file = TRY(disk_.open(file_name, base::OpenMode::create));
          TRY(file->write(0, payload));
          TRY(file->sync());
          return disk_.sync_folder("");
        };
        *outcome = write();
      },
      [this, outcome, durable = std::move(durable)] {
        if (!*outcome) return hooks_.fatal(outcome->error());
        durable();
      });
  return base::ByteWriter().u32(base::crc32c(entry.payload)).text(file_name).take();
}

Result<std::string> LogMachine::placed(const Entry& entry, std::string_view substitute) {
  base::ByteReader in(substitute);
  const std::uint32_t checksum = TRY(in.u32());
  const std::string file_name(TRY(in.text()));
  const auto file = TRY(disk_.open(file_name, base::OpenMode::existing));
  std::string bytes(TRY(file->size()), '\0');
  TRY(file->read(0, bytes));
  if (base::crc32c(bytes) != checksum)
    return Error{base::Code::corrupt, file_name + " is not whole", "state_damaged"};
  placed_.emplace(entry.index, file_name);
  return bytes;
}

// ---- the state ----

std::string LogMachine::apply(const Entry& entry) {
  CHECK_THAT(entry.index == state_.position.index + 1);
  state_.position = {entry.index, entry.epoch};
  const std::uint64_t id = operation_id(entry.payload);
  const bool is_new = state_.see(id) || !hooks_.drops_repeated;
  state_.hash = state_.hash * 0x9e3779b97f4a7c15 + base::crc32c(entry.payload) + entry.index +
                state_.seen_sum;
  hooks_.applied(entry, state_.hash, is_new);
  return std::to_string(entry.index);
}

Result<std::unique_ptr<SnapshotSource>> LogMachine::open_snapshot() {
  return std::unique_ptr<SnapshotSource>(std::make_unique<Source>(encode(state_), state_.position));
}

Result<std::unique_ptr<SnapshotSink>> LogMachine::receive_snapshot() {
  return std::unique_ptr<SnapshotSink>(std::make_unique<Sink>(*this));
}

Result<void> LogMachine::install(const std::string& bytes, Position position) {
  // The envelope's own checksum is left aside: the transfer's must suffice.
  base::ByteReader in(std::string_view(bytes).substr(std::min<std::size_t>(5, bytes.size())));
  State state;
  state.position = position;
  TRY(in.u64());
  TRY(in.u64());
  state.hash = TRY(in.u64());
  while (!in.rest().empty()) state.see(TRY(in.u64()));
  const Result<void> stored = store(encode(state));
  if (!stored) {
    // After a failed sync nothing is known of the disk.
    if (stored.error().code != base::Code::no_space) hooks_.fatal(stored.error());
    return stored;
  }
  state_ = std::move(state);
  durable_ = position;
  return {};
}

}  // namespace dfs::replication::testing
