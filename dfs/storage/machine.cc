// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/machine.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "dfs/storage/snapshot.h"

namespace dfs::storage {
namespace {

using base::Code;
using base::Error;
using base::Result;
using replication::Position;

constexpr std::uint8_t kFormat = 1;
constexpr std::string_view kRecordName = "group";

}  // namespace

std::string encode_group_state(const GroupState& state) {
  base::ByteWriter out;
  out.u64(state.position.index).u64(state.position.epoch);
  for (const auto& [volume, epoch] : state.epochs) out.u32(volume).u64(epoch);
  return base::seal_record(kRecordName, kFormat, out.bytes());
}

Result<GroupState> decode_group_state(std::string_view bytes) {
  base::ByteReader in(TRY(base::open_record(kRecordName, kFormat, bytes)));
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

Result<ChangeReply> ChunkMachine::carry_out(const Operation& operation, std::uint64_t at) {
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
    Result<void> operator()(const WriteObject& write) {
      TRY(epoch(write.place));
      device(store.write(write.place.object, write.offset, data, write.checksums, at));
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
  TRY(std::visit(Visitor{on_place, on_device, *this, *store_, operation.data, at},
                 operation.change));
  return ChangeReply{at};
}

std::string ChunkMachine::apply(const replication::Entry& entry) {
  std::string answer;
  if (!entry.payload.empty()) {
    const Result<Operation> operation = decode_operation(entry.payload);
    answer = encode_outcome(operation ? carry_out(*operation, entry.index)
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
  return {};
}

Result<std::unique_ptr<replication::SnapshotSource>> ChunkMachine::open_snapshot() {
  return make_snapshot_source(*this);
}

Result<std::unique_ptr<replication::SnapshotSink>> ChunkMachine::receive_snapshot() {
  return make_snapshot_sink(*this);
}

}  // namespace dfs::storage
