// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/machine.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "dfs/storage/snapshot.h"

namespace dfs::storage {
namespace {

using base::Code;
using base::Error;
using base::Result;
using replication::Position;

constexpr std::uint8_t kGroupFormat = 1;
constexpr std::string_view kGroupRecord = "group";

}  // namespace

std::string encode_group_state(const GroupState& state) {
  base::ByteWriter out;
  out.u64(state.position.index).u64(state.position.epoch);
  for (const auto& [volume, epoch] : state.epochs) out.u32(volume).u64(epoch);
  return base::seal_record(kGroupRecord, kGroupFormat, out.bytes());
}

Result<GroupState> decode_group_state(std::string_view bytes) {
  base::ByteReader in(TRY(base::open_record(kGroupRecord, kGroupFormat, bytes)));
  GroupState state;
  state.position.index = TRY(in.u64());
  state.position.epoch = TRY(in.u64());
  while (!in.rest().empty()) {
    const std::uint32_t volume = TRY(in.u32());
    state.epochs[volume] = TRY(in.u64());
  }
  return state;
}

ChunkMachine::ChunkMachine(Device& device, GroupNumber group) : device_(device) {
  ObjectStore::Options options;
  options.group = group;
  options.state = [this] { return encode_group_state(state_); };
  store_ = std::make_unique<ObjectStore>(device.index(), device.files(), std::move(options));
}

ChunkMachine::~ChunkMachine() { device_.forget(*store_); }

Result<std::unique_ptr<ChunkMachine>> ChunkMachine::open(Device& device, GroupNumber group) {
  std::unique_ptr<ChunkMachine> machine(new ChunkMachine(device, group));
  const auto stored = TRY(device.index().find(group_state_key(group)));
  if (stored) machine->state_ = TRY(decode_group_state(*stored));
  machine->durable_ = machine->state_.position;
  return machine;
}

Result<void> ChunkMachine::check_epoch(VolumeNumber volume, VolumeEpoch epoch) const {
  const auto known = state_.epochs.find(volume);
  if (known == state_.epochs.end() || epoch >= known->second) return {};
  return Error{Code::failed_precondition,
               "volume " + std::to_string(volume) + " was taken over: its epoch is " +
                   std::to_string(known->second) + ", not " + std::to_string(epoch),
               "stale_epoch", ESTALE};
}

Result<void> ChunkMachine::accept_epoch(VolumeNumber volume, VolumeEpoch epoch) {
  TRY(check_epoch(volume, epoch));
  VolumeEpoch& known = state_.epochs[volume];
  known = std::max(known, epoch);
  return {};
}

bool ChunkMachine::is_placeable(const replication::Entry& entry, const Operation& operation) {
  const auto* write = std::get_if<WriteObject>(&operation.change);
  if (write == nullptr || operation.data.size() < device_.placed_min()) return false;
  // All that comes before it must be known here.
  if (entry.index != state_.position.index + 1 + coming_.size()) return false;
  const auto is_in_the_way = [&](const auto& other) {
    const Coming& before = other.second;
    return before.object == write->place.object &&
           (!before.is_write || (before.offset < write->offset + operation.data.size() &&
                                 write->offset < before.offset + before.size));
  };
  if (std::any_of(coming_.begin(), coming_.end(), is_in_the_way)) return false;
  const Result<bool> can =
      store_->can_place(write->place.object, write->offset, operation.data.size());
  if (!can) device_.fail(can.error());
  return can && *can;
}

// A start may still look for what was placed for them, until the journal has what came instead.
void ChunkMachine::drop(Comings& entries, Comings::iterator from, Comings::iterator to) {
  for (auto at = from; at != to; ++at)
    if (at->second.is_placed)
      store_->keep_placed(at->second.object, at->second.offset, at->second.size);
  entries.erase(from, to);
}

std::optional<std::string> ChunkMachine::place(const replication::Entry& entry,
                                               std::function<void()> durable) {
  // Another entry has taken the place of those that were cut.
  drop(coming_, coming_.lower_bound(entry.index), coming_.end());
  drop(recovered_, recovered_.lower_bound(entry.index), recovered_.end());
  Coming coming;
  const Result<Operation> operation = decode_operation(entry.payload);
  std::optional<std::string> substitute;
  if (operation) {
    const auto concern = [&](const auto& change) {
      if constexpr (requires { change.place; }) coming.object = change.place.object;
    };
    std::visit(concern, operation->change);
    if (const auto* write = std::get_if<WriteObject>(&operation->change)) {
      coming.is_write = true;
      coming.offset = write->offset;
      coming.size = operation->data.size();
      if (is_placeable(entry, *operation)) {
        const Result<DataFileHandle> file =
            store_->place(coming.object, coming.offset, operation->data);
        if (!file) {
          device_.fail(file.error());
        } else {
          coming.is_placed = true;
          substitute = encode_operation(*write);
          device_.sync_placed(*file, std::move(durable));
        }
      }
    }
  }
  coming_.emplace(entry.index, coming);
  return substitute;
}

Result<std::string> ChunkMachine::placed(const replication::Entry& entry,
                                         std::string_view substitute) {
  const Operation operation = TRY(decode_operation(substitute));
  const auto* write = std::get_if<WriteObject>(&operation.change);
  if (write == nullptr) return Error{Code::corrupt, "only writes are placed", "operation_invalid"};
  const std::string content = TRY(store_->read_placed(write->place.object, write->offset,
                                                      write->checksums.size() * kBlockBytes));
  for (std::size_t part = 0; part < write->checksums.size(); ++part) {
    if (base::crc32c(std::string_view(content).substr(part * kBlockBytes, kBlockBytes)) !=
        write->checksums[part])
      return Error{
          Code::corrupt,
          "content of entry " + std::to_string(entry.index) + " that was placed does not match",
          "entry_not_placed"};
  }
  store_->pledge(write->place.object, write->offset, content.size());
  recovered_[entry.index] = {write->place.object, write->offset, content.size(), true, true};
  return encode_operation(*write, content);
}

Result<ChangeReply> ChunkMachine::carry_out(const Operation& operation, std::uint64_t at,
                                            bool is_placed) {
  const auto on_place = [&](const ObjectPlace& place) {
    return accept_epoch(place.volume, place.epoch);
  };
  // A device that fails ends the process, so what it says never becomes an answer.
  const auto on_device = [&](const Result<void>& done) {
    if (!done) device_.fail(done.error());
  };
  struct Visitor {
    decltype(on_place)& epoch;
    decltype(on_device)& device;
    ChunkMachine& machine;
    ObjectStore& store;
    std::string_view data;
    std::uint64_t at;
    bool is_placed;
    Result<void> operator()(const WriteObject& write) {
      // Also of one that has no effect: the journal refers to it.
      if (is_placed) store.keep_placed(write.place.object, write.offset, data.size());
      TRY(epoch(write.place));
      if (is_placed) {
        device(
            store.write_placed(write.place.object, write.offset, data.size(), write.checksums, at));
      } else {
        device(store.write(write.place.object, write.offset, data, write.checksums, at));
      }
      machine.device_.count_written(data.size());
      return {};
    }
    Result<void> operator()(const CutObject& cut) {
      TRY(epoch(cut.place));
      device(store.cut(cut.place.object, cut.size, at));
      return {};
    }
    Result<void> operator()(const PunchObject& punch) {
      TRY(epoch(punch.place));
      device(store.punch(punch.place.object, punch.offset, punch.size, at));
      return {};
    }
    Result<void> operator()(const RemoveObject& remove) {
      TRY(epoch(remove.place));
      device(store.remove(remove.place.object, at));
      return {};
    }
    Result<void> operator()(const Fence& fence) {
      return machine.accept_epoch(fence.volume, fence.epoch);
    }
  };
  TRY(std::visit(Visitor{on_place, on_device, *this, *store_, operation.data, at, is_placed},
                 operation.change));
  return ChangeReply{at};
}

std::string ChunkMachine::apply(const replication::Entry& entry) {
  const auto coming = coming_.extract(entry.index);
  const bool is_placed =
      (!coming.empty() && coming.mapped().is_placed) || recovered_.erase(entry.index) > 0;
  std::string answer;
  if (!entry.payload.empty()) {
    const Result<Operation> operation = decode_operation(entry.payload);
    answer = encode_outcome(operation ? carry_out(*operation, entry.index, is_placed)
                                      : Result<ChangeReply>(operation.error()));
  }
  state_.position = {entry.index, entry.epoch};
  if (device_.is_due(*store_) && checkpoints_ == 0) checkpoint_pages();
  return answer;
}

void ChunkMachine::checkpoint(std::function<void(Result<Position>)> done) {
  if (state_.position == durable_)
    return device_.executor()([] {}, [done = std::move(done), at = durable_] { done(at); });
  run_checkpoint(std::move(done));
}

void ChunkMachine::checkpoint_pages() {
  run_checkpoint([](const Result<Position>&) {});
}

void ChunkMachine::run_checkpoint(std::function<void(Result<Position>)> done) {
  ++checkpoints_;
  device_.checkpoint(*store_, [this, done = std::move(done)](const std::string& state) {
    --checkpoints_;
    const Result<GroupState> now = decode_group_state(state);
    if (now) durable_ = now->position;
    done(durable_);
  });
}

Result<void> ChunkMachine::install(GroupState state) {
  // Its end would put the old position back.
  if (is_checkpointing())
    return Error{Code::unavailable, "a checkpoint is under way", "checkpoint_under_way"};
  TRY(device_.index().commit({{group_state_key(store_->group()), encode_group_state(state)}}));
  state_ = std::move(state);
  durable_ = state_.position;
  drop(coming_, coming_.begin(), coming_.upper_bound(state_.position.index));
  drop(recovered_, recovered_.begin(), recovered_.end());
  return {};
}

Result<std::unique_ptr<replication::SnapshotSource>> ChunkMachine::open_snapshot() {
  return make_snapshot_source(*this);
}

Result<std::unique_ptr<replication::SnapshotSink>> ChunkMachine::receive_snapshot() {
  return make_snapshot_sink(*this);
}

}  // namespace dfs::storage
