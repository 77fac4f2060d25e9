// SPDX-License-Identifier: Apache-2.0
// The commands other than batches.
#include <algorithm>
#include <cerrno>

#include "dfs/api/locks.h"
#include "dfs/meta/state.h"

namespace dfs::meta {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kVolumeNameMax = 64;
constexpr std::size_t kVolumesMax = 10'000;
constexpr std::size_t kSessionsMax = 100'000;
constexpr std::size_t kSessionTextMax = 255;
constexpr std::uint32_t kTakeInodesMax = 1 << 20;

}  // namespace

bool is_volume_name(std::string_view name) {
  if (name.empty() || name.size() > kVolumeNameMax || name.front() == '.' || name.front() == '-')
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

namespace {

Error invalid(std::string detail, std::string pointer) {
  return {Code::invalid_argument, std::move(detail), "field_invalid", EINVAL, std::move(pointer)};
}

}  // namespace

// ---- sessions ----

Result<SessionRecord*> MetaState::live_session(SessionNumber session) {
  const auto at = sessions_.find(session);
  if (at == sessions_.end())
    return Error{Code::not_found, "the session has ended", "session_unknown", ESTALE};
  if (at->second.epoch != volumes_.at(at->second.volume).epoch)
    return Error{Code::failed_precondition, "another has taken the volume over", "stale_epoch",
                 ESTALE};
  return &at->second;
}

Result<SessionRecord> MetaState::run(const OpenSessionCommand& command) {
  const OpenSession& request = command.request;
  if (request.client.empty() || request.client.size() > kSessionTextMax ||
      request.host.size() > kSessionTextMax)
    return invalid("client is 1 to 255 bytes, host at most 255", "/client");
  VolumeRecord* volume = TRY(known_volume(request.volume));
  for (const auto& [number, session] : sessions_) {
    if (session.client == request.client && session.volume == volume->volume) {
      TRY(live_session(number));
      return session;
    }
  }
  if (request.epoch != 0 && request.epoch < volume->epoch)
    return Error{Code::failed_precondition,
                 "epoch " + std::to_string(request.epoch) + " is over, the volume is in " +
                     std::to_string(volume->epoch),
                 "stale_epoch", ESTALE};
  if (sessions_.size() >= kSessionsMax)
    return Error{Code::throttled, "there are 100000 sessions", "too_many_sessions", EAGAIN};
  const bool takes_over = request.takeover == Takeover::exclusive || request.epoch > volume->epoch;
  if (takes_over) {
    volume->epoch = request.takeover == Takeover::exclusive
                        ? std::max(volume->epoch + 1, request.epoch)
                        : request.epoch;
    std::vector<SessionNumber> others;
    for (const auto& [number, session] : sessions_) {
      if (session.volume == volume->volume) others.push_back(number);
    }
    for (const SessionNumber number : others) end_session(number);
    store_volume(*volume);
  }
  SessionRecord session;
  session.session = counters_.next_session++;
  store_counters();
  session.volume = volume->volume;
  session.epoch = volume->epoch;
  session.client = request.client;
  session.host = request.host;
  session.fence_due = takes_over;
  session.opened = command.time;
  store_session(session);
  sessions_.emplace(session.session, session);
  return session;
}

void MetaState::end_session(SessionNumber number) {
  const auto at = sessions_.find(number);
  if (at == sessions_.end()) return;
  keep_versions(at->second.volume);
  for (const InodeNumber inode : locked_by(number)) {
    LockList list = locks(inode);
    drop_session(list, number);
    store_locks(inode, list);
    table_.erase(session_lock_key(number, inode));
  }
  std::vector<InodeNumber> held;
  {
    const std::string prefix = session_hold_key(number, 0).substr(0, 9);
    Table::Walk walk(table_);
    for (bool more = walk.seek(prefix); more && walk.key().starts_with(prefix); more = walk.next())
      held.push_back(number_in_key(walk.key(), 9));
  }
  VolumeRecord& volume = volumes_.at(at->second.volume);
  BatchChanges changes(table_, inodes_, volume, number, counters_.next_inode);
  for (const InodeNumber inode : held) {
    StoredInode* found = inodes_.find(inode);
    CHECK_THAT(found != nullptr);
    changes.drop_hold(*found);
  }
  drop_taken(number, volume);
  store_volume(volume);
  table_.erase(session_key(number));
  table_.erase(reply_key(number));
  sessions_.erase(at);
}

Result<Nothing> MetaState::run(const EndSessionCommand& command) {
  end_session(command.session);
  return Nothing{};
}

Result<Nothing> MetaState::run(const FenceDoneCommand& command) {
  const auto at = sessions_.find(command.session);
  if (at != sessions_.end() && at->second.fence_due) {
    at->second.fence_due = false;
    store_session(at->second);
  }
  return Nothing{};
}

Result<InodeNumbersReply> MetaState::run(const TakeInodesCommand& command) {
  InodeNumbersReply reply;
  reply.first = counters_.next_inode;
  reply.count = std::clamp<std::uint32_t>(command.count, 1, kTakeInodesMax);
  counters_.next_inode += reply.count;
  store_counters();
  return reply;
}

Result<Nothing> MetaState::run(const HoldInodesCommand& command) {
  const SessionRecord* session = TRY(live_session(command.session));
  VolumeRecord& volume = volumes_.at(session->volume);
  keep_versions(volume.volume);
  BatchChanges changes(table_, inodes_, volume, command.session, counters_.next_inode);
  for (const InodeNumber inode : command.inodes) {
    MetaOp hold = HoldOp{inode};
    changes.apply(hold);
  }
  return Nothing{};
}

Result<Nothing> MetaState::run(const SetLockCommand& command) {
  TRY(check_lock(command.lock));
  const SessionRecord* session = TRY(live_session(command.session));
  const InodeNumber inode = command.lock.inode;
  const StoredInode* found = inodes_.find(inode);
  if (found == nullptr || found->volume != session->volume) {
    if (command.lock.kind == LockKind::unlock) return Nothing{};
    return Error{Code::not_found, "there is no such file any more", "inode_absent", ESTALE};
  }
  LockList list = locks(inode);
  if (find_conflict(list, command.session, command.lock) != nullptr)
    return Error{Code::throttled, "another holds a lock on a part of it", "lock_held", EAGAIN};
  set_range(list, command.session, command.lock);
  if (list.locks.size() > kLocksMax)
    return Error{Code::no_space, "the file has 4096 locks", "too_many_locks", ENOLCK};
  const bool has_any =
      std::any_of(list.locks.begin(), list.locks.end(),
                  [&](const LockEntry& entry) { return entry.session == command.session; });
  if (has_any) {
    table_.put(session_lock_key(command.session, inode), "");
  } else {
    table_.erase(session_lock_key(command.session, inode));
  }
  store_locks(inode, list);
  return Nothing{};
}

// ---- volumes ----

VolumeRecord* MetaState::find_volume(std::string_view name) {
  return const_cast<VolumeRecord*>(static_cast<const MetaState*>(this)->find_volume(name));
}

Result<VolumeRecord*> MetaState::known_volume(const std::string& name) {
  VolumeRecord* volume = find_volume(name);
  if (volume == nullptr)
    return Error{Code::not_found, "there is no volume \"" + name.substr(0, kVolumeNameMax) + "\"",
                 "volume_unknown", ENOENT};
  return volume;
}

Result<VolumeRecord> MetaState::run(const CreateVolumeCommand& command) {
  if (!is_volume_name(command.name))
    return invalid(
        "a name is 1 to 64 of a-z, A-Z, 0-9, -, _ and ., and begins with none of - and .", "/name");
  if (command.inline_max > kInlineMax) return invalid("at most 16384 bytes", "/inline_max_bytes");
  if (command.durability > Durability::strict) return invalid("posix or strict", "/durability");
  if (find_volume(command.name) != nullptr)
    return Error{Code::already_exists, "there is a volume \"" + command.name + "\"",
                 "volume_exists", EEXIST};
  if (volumes_.size() >= kVolumesMax)
    return Error{Code::throttled, "there are 10000 volumes", "too_many_volumes", EAGAIN};
  VolumeRecord volume;
  volume.volume = counters_.next_volume++;
  volume.root = counters_.next_inode++;
  store_counters();
  volume.name = command.name;
  volume.inline_max = command.inline_max;
  volume.durability = command.durability;
  volume.bytes_max = command.bytes_max;
  volume.inodes_max = command.inodes_max;
  volume.created = command.time;
  volume.inodes_used = 1;
  StoredInode root;
  root.volume = volume.volume;
  root.parent = volume.root;
  root.attributes.inode = volume.root;
  root.attributes.kind = FileKind::folder;
  root.attributes.mode = command.mode & 07777;
  root.attributes.uid = command.uid;
  root.attributes.gid = command.gid;
  root.attributes.links = 2;
  root.attributes.accessed = root.attributes.modified = root.attributes.changed = command.time;
  root.attributes.version = 1;
  inodes_.create(root);
  store_volume(volume);
  volumes_.emplace(volume.volume, volume);
  return volume;
}

Result<VolumeRecord> MetaState::run(const ChangeVolumeCommand& command) {
  VolumeRecord* volume = TRY(known_volume(command.name));
  if (command.bytes_max) volume->bytes_max = *command.bytes_max;
  if (command.inodes_max) volume->inodes_max = *command.inodes_max;
  if (command.count_epoch_up) ++volume->epoch;
  store_volume(*volume);
  return *volume;
}

Result<VolumeRecord> MetaState::run(const RemoveVolumeCommand& command) {
  VolumeRecord* volume = TRY(known_volume(command.name));
  for (const auto& [number, session] : sessions_) {
    if (session.volume == volume->volume)
      return Error{Code::failed_precondition,
                   "the volume is open on " + (session.host.empty() ? "a client" : session.host),
                   "volume_in_use", EBUSY};
  }
  for (const auto& [number, snapshot] : snapshots_) {
    if (snapshot.origin == volume->volume)
      return Error{Code::failed_precondition,
                   "the volume has the snapshot " + volumes_.at(number).name + ": remove it first",
                   "volume_has_snapshots", EBUSY};
  }
  volume->is_removed = true;
  ++volume->epoch;  // whoever still writes is stopped at the storage servers too
  store_volume(*volume);
  return *volume;
}

Result<PurgeReply> MetaState::run(const PurgeVolumeCommand& command) {
  const auto at = volumes_.find(command.volume);
  if (at == volumes_.end()) return PurgeReply{true};
  VolumeRecord& volume = at->second;
  if (!volume.is_removed)
    return Error{Code::failed_precondition, "the volume was not removed", "volume_in_use", EBUSY};
  if (const auto snapshot = snapshots_.find(command.volume); snapshot != snapshots_.end()) {
    if (purge_snapshot(snapshot->second, command.inodes_max)) return PurgeReply{false};
    snapshots_.erase(snapshot);
    table_.erase(snapshot_key(command.volume));
    table_.erase(volume_key(command.volume));
    volumes_.erase(at);
    return PurgeReply{true};
  }
  for (std::uint32_t i = 0; i < command.inodes_max; ++i) {
    if (purge_one(volume)) continue;
    if (restored_.erase(volume.volume) > 0) table_.erase(restored_key(volume.volume));
    table_.erase(volume_key(volume.volume));
    volumes_.erase(at);
    return PurgeReply{true};
  }
  store_volume(volume);
  return PurgeReply{false};
}

// Removes one file or empty folder, the root last. False when there is nothing left.
bool MetaState::purge_one(VolumeRecord& volume) {
  StoredInode* folder = inodes_.find(volume.root);
  if (folder == nullptr) return false;
  while (true) {
    const InodeNumber number = folder->attributes.inode;
    if (folder->entries == 0) {
      // Only the root is reached empty: others are removed from above.
      inodes_.destroy(*folder, volume);
      return true;
    }
    const std::string prefix = dentry_key(number, "");
    Table::Walk walk(table_);
    CHECK_THAT(walk.seek(prefix) && walk.key().starts_with(prefix));
    const std::string name(name_in_key(walk.key()));
    StoredInode* inode = inodes_.find(decode_stored<Dentry>(walk.value()).inode);
    CHECK_THAT(inode != nullptr);
    if (inode->attributes.kind == FileKind::folder && inode->entries > 0) {
      folder = inode;
      continue;
    }
    BatchChanges changes(table_, inodes_, volume, 0, counters_.next_inode);
    MetaOp remove =
        RemoveOp{number, name, inode->attributes.kind == FileKind::folder, volume.created};
    CHECK_THAT(changes.apply(remove).os_errno == 0);
    return true;
  }
}

// ---- storage ----

Result<Nothing> MetaState::run(const MakeGroupsCommand& command) {
  if (counters_.groups > 0) return Nothing{};
  for (const GroupRecord& group : command.groups) {
    groups_[group.configuration.group] = group;
    store_group(group);
  }
  counters_.groups = static_cast<std::uint32_t>(groups_.size());
  store_counters();
  return Nothing{};
}

Result<GroupConfiguration> MetaState::run(const ChangeGroupCommand& command) {
  const auto at = groups_.find(command.next.group);
  if (at == groups_.end())
    return Error{Code::not_found, "there is no chunk group of this number", "group_unknown"};
  GroupConfiguration& now = at->second.configuration;
  std::vector<std::string> in_sync = command.next.in_sync;
  std::sort(in_sync.begin(), in_sync.end());
  const bool is_valid = in_sync == command.next.in_sync && !in_sync.empty() &&
                        std::adjacent_find(in_sync.begin(), in_sync.end()) == in_sync.end() &&
                        std::binary_search(in_sync.begin(), in_sync.end(), command.next.primary);
  if (command.next.epoch == now.epoch + 1 && is_valid) {
    now = command.next;
    store_group(at->second);
  }
  return now;
}

Result<Nothing> MetaState::run(const PlaceCopiesCommand& command) {
  const auto at = groups_.find(command.group);
  if (at == groups_.end())
    return Error{Code::not_found, "there is no chunk group of this number", "group_unknown"};
  at->second.copies = command.copies;
  store_group(at->second);
  return Nothing{};
}

Result<Nothing> MetaState::run(const RegisterStorageCommand& command) {
  if (command.node.node.empty() || command.node.node.size() > kSessionTextMax ||
      command.node.host.size() > kSessionTextMax)
    return invalid("a node's id and host are 1 to 255 bytes", "/node");
  StorageRecord& record = storage_[command.node.node];
  if (record.known_since == 0) record.known_since = command.time;
  record.node = command.node;
  record.bytes_capacity = command.bytes_capacity;
  table_.put(storage_key(command.node.node), encode(record));
  return Nothing{};
}

Result<Nothing> MetaState::run(const ForgetStorageCommand& command) {
  for (const auto& [number, group] : groups_) {
    const auto& in_sync = group.configuration.in_sync;
    if (std::find(in_sync.begin(), in_sync.end(), command.node) != in_sync.end() ||
        std::find(group.copies.begin(), group.copies.end(), command.node) != group.copies.end())
      return Error{Code::failed_precondition,
                   "chunk group " + std::to_string(number) + " counts on this node", "node_in_use"};
  }
  storage_.erase(command.node);
  table_.erase(storage_key(command.node));
  return Nothing{};
}

Result<Nothing> MetaState::run(const GarbageRemovedCommand& command) {
  for (const ObjectNumber object : command.objects) table_.erase(garbage_key(object));
  return Nothing{};
}

// ---- records ----

void MetaState::store_counters() { table_.put(counters_key(), encode(counters_)); }
void MetaState::store_volume(const VolumeRecord& volume) {
  table_.put(volume_key(volume.volume), encode(volume));
}
void MetaState::store_session(const SessionRecord& session) {
  table_.put(session_key(session.session), encode(session));
}
void MetaState::store_group(const GroupRecord& group) {
  table_.put(group_key(group.configuration.group), encode(group));
}
void MetaState::store_locks(InodeNumber inode, const LockList& list) {
  if (list.locks.empty()) {
    table_.erase(locks_key(inode));
  } else {
    table_.put(locks_key(inode), encode(list));
  }
}

}  // namespace dfs::meta
