// SPDX-License-Identifier: Apache-2.0
// What a chunk group replicates: its objects, and the highest epoch of each volume.
//
// 1. A change whose volume epoch is lower than the highest one the group was told, or accepted, has
// no effect: failed_precondition stale_epoch, decided by the order of the log.
// 2. A snapshot is a comparison: the receiver gets the blocks that it does not hold. It is taken
// while changes go on, since entries may be applied twice.
// 3. A snapshot that is broken off leaves the position as it was, with some content of a later one:
// applying the log from there leads to the same as without, and so does another snapshot.
// 4. An error of the device ends the process (Device::fail).
// 5. A large write into a hole is put into its file when it goes to the journal, which then keeps
// its checksums only. Not while an earlier entry that is not applied yet concerns the same place.
// Threads: the loop's.
#pragma once

#include <map>
#include <memory>

#include "dfs/replication/state_machine.h"
#include "dfs/storage/device.h"
#include "dfs/storage/operation.h"

namespace dfs::storage {

using VolumeEpochs = std::map<VolumeNumber, VolumeEpoch>;

// A group's state at rest beside its pages.
struct GroupState {
  replication::Position position;
  VolumeEpochs epochs;
};
std::string encode_group_state(const GroupState& state);
// Errors: corrupt record_corrupt, bytes_truncated, bytes_left_over; unsupported record_format.
base::Result<GroupState> decode_group_state(std::string_view bytes);

class ChunkMachine final : public replication::StateMachine {
 public:
  // Requires: the device outlives it. Errors: corrupt, os errors.
  static base::Result<std::unique_ptr<ChunkMachine>> open(Device& device, GroupNumber group);
  ~ChunkMachine() override;

  replication::Position durable() const override { return durable_; }
  std::optional<std::string> place(const replication::Entry& entry,
                                   std::function<void()> durable) override;
  base::Result<std::string> placed(const replication::Entry& entry,
                                   std::string_view substitute) override;
  std::string apply(const replication::Entry& entry) override;
  void checkpoint(std::function<void(base::Result<replication::Position>)> done) override;
  base::Result<std::unique_ptr<replication::SnapshotSource>> open_snapshot() override;
  base::Result<std::unique_ptr<replication::SnapshotSink>> receive_snapshot() override;
  void on_role(bool is_serving) override { is_serving_ = is_serving; }

  // Errors: failed_precondition stale_epoch.
  base::Result<void> check_epoch(VolumeNumber volume, VolumeEpoch epoch) const;
  ObjectStore& store() { return *store_; }
  Device& device() { return device_; }
  replication::Position position() const { return state_.position; }
  const VolumeEpochs& epochs() const { return state_.epochs; }
  bool is_serving() const { return is_serving_; }

  // For a snapshot that is being received: makes durable what came, then takes its state over.
  // Requires of the latter: the former is done.
  void checkpoint_pages();
  base::Result<void> install(GroupState state);
  bool is_checkpointing() const { return checkpoints_ > 0; }

 private:
  // Of entries that went to the journal and are not applied.
  struct Coming {
    ObjectNumber object = 0;  // 0: concerns none
    std::uint64_t offset = 0, size = 0;
    bool is_write = false;
    bool is_placed = false;
  };
  using Comings = std::map<replication::Index, Coming>;

  ChunkMachine(Device& device, GroupNumber group);
  base::Result<ChangeReply> carry_out(const Operation& operation, std::uint64_t at, bool is_placed);
  bool is_placeable(const replication::Entry& entry, const Operation& operation);
  void drop(Comings& entries, Comings::iterator from, Comings::iterator to);
  base::Result<void> accept_epoch(VolumeNumber volume, VolumeEpoch epoch);
  void run_checkpoint(std::function<void(base::Result<replication::Position>)> done);

  Device& device_;
  GroupState state_;
  replication::Position durable_;
  bool is_serving_ = false;
  int checkpoints_ = 0;  // asked for and not done
  Comings coming_;
  Comings recovered_;  // those that placed() gave back
  std::unique_ptr<ObjectStore> store_;
};

}  // namespace dfs::storage
