// SPDX-License-Identifier: Apache-2.0
// Snapshots of volumes: two records each, and what changed keys were.
#include <algorithm>
#include <cerrno>
#include <set>

#include "dfs/meta/state.h"

namespace dfs::meta {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kSnapshotsMax = 1000;          // of all volumes
constexpr std::size_t kRestoredKeysMax = 1'000'000;  // that changed since the snapshot

Error no_snapshot(const std::string& name) {
  return {Code::not_found, "there is no snapshot \"" + name + "\"", "snapshot_unknown", ENOENT};
}

// Up to `keys_max` of the keys that were kept for the snapshot.
std::vector<std::string> kept_keys(const Table& table, VolumeNumber snapshot,
                                   std::size_t keys_max) {
  std::vector<std::string> keys;
  const std::string prefix = version_index_key(snapshot, "");
  Table::Walk walk(table);
  for (bool more = walk.seek(prefix);
       more && walk.key().starts_with(prefix) && keys.size() < keys_max; more = walk.next())
    keys.emplace_back(walk.key().substr(prefix.size()));
  return keys;
}

}  // namespace

VolumeNumber MetaState::newest_snapshot(VolumeNumber volume) const {
  VolumeNumber newest = 0;
  for (const auto& [number, snapshot] : snapshots_)
    if (snapshot.origin == volume && !volumes_.at(number).is_removed) newest = number;
  return newest;
}

Result<VolumeRecord> MetaState::run(const CreateSnapshotCommand& command) {
  const VolumeRecord* origin = TRY(known_volume(command.volume));
  if (is_snapshot(origin->volume))
    return Error{Code::failed_precondition, "a snapshot has no snapshots", "snapshot_nested",
                 EINVAL};
  if (!is_volume_name(command.name))
    return Error{Code::invalid_argument,
                 "a name is 1 to 64 of a-z, A-Z, 0-9, -, _ and ., and begins with none of - and .",
                 "field_invalid", EINVAL, "/name"};
  const std::string name = origin->name + "@" + command.name;
  if (find_volume(name) != nullptr)
    return Error{Code::already_exists, "there is a snapshot \"" + name + "\"", "snapshot_exists",
                 EEXIST};
  if (snapshots_.size() >= kSnapshotsMax)
    return Error{Code::throttled, "there are 1000 snapshots", "too_many_snapshots", EAGAIN};
  VolumeRecord made = *origin;
  made.volume = counters_.next_volume++;
  store_counters();
  made.name = name;
  made.epoch = 1;
  made.read_only = true;
  made.created = command.time;
  made.inodes_used = made.bytes_used = 0;  // it has no keys of its own
  const SnapshotRecord record{made.volume, origin->volume, origin->inodes_used, origin->bytes_used};
  table_.put(snapshot_key(made.volume), encode(record));
  snapshots_.emplace(made.volume, record);
  store_volume(made);
  volumes_.emplace(made.volume, made);
  return made;
}

// Of what was kept for it, the snapshot before it needs what did not change between the two.
bool MetaState::purge_snapshot(const SnapshotRecord& snapshot, std::uint32_t keys_max) {
  VolumeNumber before = 0;
  for (const auto& [number, other] : snapshots_)
    if (other.origin == snapshot.origin && number < snapshot.volume) before = number;
  const std::vector<std::string> keys = kept_keys(table_, snapshot.volume, keys_max);
  for (const std::string& key : keys) {
    const auto kept = table_.find_version(key, snapshot.volume);
    CHECK_THAT(kept && kept->snapshot == snapshot.volume);
    std::string bytes(1, kept->value ? '\1' : '\0');
    if (kept->value) bytes += *kept->value;
    const bool is_needed =
        before != 0 && table_.find_version(key, before)->snapshot == snapshot.volume;
    table_.erase_version(key, snapshot.volume);
    if (is_needed) {
      table_.put_version(key, before, bytes);
    } else if (key.front() == 'i' && bytes.size() > 1) {
      drop_object(decode_stored<StoredInode>(std::string_view(bytes).substr(1)));
    }
  }
  return !keys.empty();
}

Result<VolumeRecord> MetaState::run(const RestoreSnapshotCommand& command) {
  VolumeRecord* volume = TRY(known_volume(command.volume));
  const VolumeRecord* made = find_volume(volume->name + "@" + command.name);
  if (made == nullptr) return no_snapshot(command.name);
  for (const auto& [number, session] : sessions_) {
    if (session.volume == volume->volume)
      return Error{Code::failed_precondition,
                   "the volume is open on " + (session.host.empty() ? "a client" : session.host),
                   "volume_in_use", EBUSY};
  }
  const SnapshotRecord snapshot = snapshots_.at(made->volume);
  std::set<std::string> keys;
  for (const auto& [number, other] : snapshots_) {
    if (other.origin != volume->volume || number < snapshot.volume) continue;
    for (std::string& key : kept_keys(table_, number, kRestoredKeysMax + 1))
      keys.insert(std::move(key));
  }
  if (keys.size() > kRestoredKeysMax)
    return Error{Code::too_large,
                 "more than a million records have changed since: mount the snapshot and copy "
                 "what is needed",
                 "snapshot_too_far", EFBIG};
  keep_versions(volume->volume);
  volume->inodes_used = snapshot.inodes_used;
  volume->bytes_used = snapshot.bytes_used;
  for (const std::string& key : keys) put_back(key, snapshot.volume, *volume);
  // A file whose content is inline again may not have its first object once more: a later snapshot
  // may have that, or it is being removed.
  const RestoredRecord restored{counters_.next_inode};
  restored_[volume->volume] = restored;
  table_.put(restored_key(volume->volume), encode(restored));
  ++volume->epoch;
  store_volume(*volume);
  return *volume;
}

// A file that had no name at the snapshot, and was only held, does not come back.
void MetaState::put_back(std::string_view key, VolumeNumber snapshot, VolumeRecord& volume) {
  std::optional<StoredInode> inode;
  if (key.front() != 'd') {
    if (const auto then = table_.find_at(inode_key(number_in_key(key)), snapshot))
      inode = decode_stored<StoredInode>(*then);
  }
  const bool is_gone = key.front() != 'd' && (!inode || inode->attributes.links == 0);
  std::optional<std::string> value;
  if (const auto then = table_.find_at(key, snapshot); then && !is_gone) value = *then;
  std::optional<StoredInode> replaced;
  if (key.front() == 'i') {
    if (const auto now = table_.find(key)) replaced = decode_stored<StoredInode>(*now);
    if (inode && is_gone) {
      --volume.inodes_used;
      volume.bytes_used -= inode->attributes.allocated;
    }
    if (value) {
      inode->holds = 0;
      value = encode(*inode);
    }
  }
  if (value) {
    table_.put(key, *value);
  } else {
    table_.erase(key);
  }
  if (replaced) drop_object(*replaced);
}

}  // namespace dfs::meta
