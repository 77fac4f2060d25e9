// SPDX-License-Identifier: Apache-2.0
// The metadata of a cluster as a replicated state machine: volumes, files, sessions, locks, chunk
// groups, storage servers, objects to remove.
//
// 1. apply() is deterministic: commands (command.h) carry times and choices.
// 2. What was applied is durable with the next checkpoint; until then the group's log has it.
// 3. Reads are of what was applied last. Whether this member may answer them is the group's to say.
// 4. A snapshot is made by two records. What a key was is kept when it first changes afterwards
// (table.h); the content of a file is copied by its client before it is changed
// (docs/decisions/0015).
// Threads: the loop's; a checkpoint is written by the queue that is given.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "dfs/meta/changes.h"
#include "dfs/meta/command.h"
#include "dfs/replication/disk_queue.h"
#include "dfs/replication/state_machine.h"

namespace dfs::meta {

bool is_volume_name(std::string_view name);

class MetaState final : public replication::StateMachine {
 public:
  // Requires: both outlive it, and the store outlives the queue. Checkpoints are written there.
  MetaState(BaseStore& store, replication::DiskQueue& disk);
  ~MetaState() override;

  // replication::StateMachine
  replication::Position durable() const override { return store_.position(); }
  std::string apply(const replication::Entry& entry) override;
  void checkpoint(std::function<void(base::Result<replication::Position>)> done) override;
  base::Result<std::unique_ptr<replication::SnapshotSource>> open_snapshot() override;
  base::Result<std::unique_ptr<replication::SnapshotSink>> receive_snapshot() override;
  void on_role(bool is_serving) override;

  // Told of each change of the role, and of a state that was replaced by a snapshot.
  void watch_role(std::function<void(bool is_serving)> changed) {
    role_changed_ = std::move(changed);
  }

  const Counters& counters() const { return counters_; }
  const std::map<VolumeNumber, VolumeRecord>& volumes() const { return volumes_; }
  const std::map<SessionNumber, SessionRecord>& sessions() const { return sessions_; }
  const std::map<GroupNumber, GroupRecord>& groups() const { return groups_; }
  const std::map<std::string, StorageRecord>& storage() const { return storage_; }
  const VolumeRecord* find_volume(std::string_view name) const;
  const std::map<VolumeNumber, SnapshotRecord>& snapshots() const { return snapshots_; }
  bool is_snapshot(VolumeNumber volume) const { return snapshots_.contains(volume); }

  // Errors of the reads: not_found inode_absent; failed_precondition not_a_folder.
  base::Result<std::optional<InodeRecord>> lookup(VolumeNumber volume, InodeNumber folder,
                                                  const std::string& name) const;
  base::Result<InodeRecord> get_inode(VolumeNumber volume, InodeNumber inode) const;
  // Without leases. At most `entries_max` and about 1 MiB.
  base::Result<ReadFolderReply> read_folder(VolumeNumber volume, InodeNumber folder,
                                            const std::string& after,
                                            std::uint32_t entries_max) const;
  std::optional<Dentry> find_dentry(InodeNumber folder, std::string_view name) const;
  bool inode_exists(InodeNumber inode) const;
  // Another session than this one holds it.
  bool is_held_elsewhere(InodeNumber inode, SessionNumber session) const;
  LockList locks(InodeNumber inode) const;
  // Inodes on which the session has locks.
  std::vector<InodeNumber> locked_by(SessionNumber session) const;
  // Some of what is to be removed from storage, behind `after`.
  std::vector<GarbageRecord> garbage(ObjectNumber after, std::size_t count_max) const;

  const Table& table() const { return table_; }
  // A consistent copy of the durable part. Blocks. Threads: any.
  base::Result<void> backup(const std::filesystem::path& folder) { return store_.copy_to(folder); }

 private:
  friend class StateSink;
  void load();
  std::string dispatch(CommandKind kind, std::string_view body);
  template <class Command>
  std::string run_command(std::string_view body);

  base::Result<std::string> apply_batch(std::string_view body);
  base::Result<SessionRecord> run(const OpenSessionCommand& command);
  base::Result<Nothing> run(const EndSessionCommand& command);
  base::Result<Nothing> run(const FenceDoneCommand& command);
  base::Result<InodeNumbersReply> run(const TakeInodesCommand& command);
  base::Result<Nothing> run(const SetLockCommand& command);
  base::Result<Nothing> run(const HoldInodesCommand& command);
  base::Result<VolumeRecord> run(const CreateVolumeCommand& command);
  base::Result<VolumeRecord> run(const ChangeVolumeCommand& command);
  base::Result<VolumeRecord> run(const RemoveVolumeCommand& command);
  base::Result<PurgeReply> run(const PurgeVolumeCommand& command);
  base::Result<Nothing> run(const MakeGroupsCommand& command);
  base::Result<GroupConfiguration> run(const ChangeGroupCommand& command);
  base::Result<Nothing> run(const PlaceCopiesCommand& command);
  base::Result<Nothing> run(const RegisterStorageCommand& command);
  base::Result<Nothing> run(const ForgetStorageCommand& command);
  base::Result<Nothing> run(const GarbageRemovedCommand& command);

  // state_snapshots.cc
  base::Result<VolumeRecord> run(const CreateSnapshotCommand& command);
  base::Result<VolumeRecord> run(const RestoreSnapshotCommand& command);
  // The newest snapshot that is not being removed; 0: none.
  VolumeNumber newest_snapshot(VolumeNumber volume) const;
  // What the command changes of this volume is kept for its snapshots.
  void keep_versions(VolumeNumber volume) {
    table_.keep_for(newest_snapshot(volume),
                    snapshots_.empty() ? Table::Kept::none : Table::Kept::some);
  }
  // Drops some of what was kept for it; false when nothing is left.
  bool purge_snapshot(const SnapshotRecord& snapshot, std::uint32_t keys_max);
  void put_back(std::string_view key, VolumeNumber snapshot, VolumeRecord& volume);

  // state_objects.cc
  base::Result<TakeObjectReply> run(const TakeObjectCommand& command);
  // The oldest snapshot that is not being removed and has the object of the file; 0: none.
  VolumeNumber oldest_with_object(const StoredInode& inode) const;
  // Inodes of lower numbers were there when the volume was last taken back.
  InodeNumber restored_end(VolumeNumber volume) const;
  void drop_object(const StoredInode& inode);
  // What the session was given and has not made a file's is garbage.
  void drop_taken(SessionNumber session, const VolumeRecord& volume);
  void add_garbage(const GarbageRecord& garbage);

  // Of a session whose epoch is its volume's. Errors: not_found session_unknown;
  // failed_precondition stale_epoch.
  base::Result<SessionRecord*> live_session(SessionNumber session);
  VolumeRecord* find_volume(std::string_view name);
  base::Result<VolumeRecord*> known_volume(const std::string& name);
  void end_session(SessionNumber session);
  bool purge_one(VolumeRecord& volume);
  void store_counters();
  void store_volume(const VolumeRecord& volume);
  void store_session(const SessionRecord& session);
  void store_group(const GroupRecord& group);
  void store_locks(InodeNumber inode, const LockList& list);

  BaseStore& store_;
  Table table_;
  mutable Inodes inodes_;
  replication::DiskQueue& disk_;
  Counters counters_;
  std::map<VolumeNumber, VolumeRecord> volumes_;
  std::map<SessionNumber, SessionRecord> sessions_;
  std::map<GroupNumber, GroupRecord> groups_;
  std::map<std::string, StorageRecord> storage_;
  std::map<VolumeNumber, SnapshotRecord> snapshots_;
  std::map<VolumeNumber, RestoredRecord> restored_;
  replication::Position applied_;
  std::function<void(bool)> role_changed_;
  // Shared with nobody: a checkpoint under way looks whether it is gone.
  std::shared_ptr<bool> alive_;
};

}  // namespace dfs::meta
