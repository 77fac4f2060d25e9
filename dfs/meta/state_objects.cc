// SPDX-License-Identifier: Apache-2.0
// Whose objects are whose. The first object of a file has the number of its inode; one that takes
// its place has a number that was given out for that inode, to the session that fills it.
#include <cerrno>

#include "dfs/meta/state.h"

namespace dfs::meta {

using base::Code;
using base::Error;
using base::Result;

bool versions_have(const Table& table, const StoredInode& inode) {
  const std::string key = inode_key(inode.attributes.inode);
  for (auto kept = table.find_version(key, 1); kept;
       kept = table.find_version(key, kept->snapshot + 1)) {
    if (kept->value &&
        decode_stored<StoredInode>(*kept->value).attributes.object == inode.attributes.object)
      return true;
  }
  return false;
}

// Cost: O(versions of the inode + snapshots).
VolumeNumber MetaState::oldest_with_object(const StoredInode& inode) const {
  const ObjectNumber object = inode.attributes.object;
  if (object == 0 || snapshots_.empty()) return 0;
  const auto oldest_in = [&](VolumeNumber first, VolumeNumber last) {
    for (auto at = snapshots_.lower_bound(first); at != snapshots_.end() && at->first <= last; ++at)
      if (at->second.origin == inode.volume && !volumes_.at(at->first).is_removed) return at->first;
    return VolumeNumber{0};
  };
  const std::string key = inode_key(inode.attributes.inode);
  VolumeNumber first = 1;  // of those that have the next version
  for (auto kept = table_.find_version(key, first); kept; kept = table_.find_version(key, first)) {
    const bool has_it =
        kept->value && decode_stored<StoredInode>(*kept->value).attributes.object == object;
    if (const VolumeNumber oldest = has_it ? oldest_in(first, kept->snapshot) : 0) return oldest;
    first = kept->snapshot + 1;
  }
  return oldest_in(first, UINT32_MAX);  // they have what is there now
}

InodeNumber MetaState::restored_end(VolumeNumber volume) const {
  const auto at = restored_.find(volume);
  return at == restored_.end() ? 0 : at->second.inodes_end;
}

Result<TakeObjectReply> MetaState::run(const TakeObjectCommand& command) {
  const TakeObject& request = command.request;
  const SessionRecord* session = TRY(live_session(request.session));
  const StoredInode* inode = inodes_.find(request.inode);
  if (inode == nullptr || inode->volume != session->volume ||
      inode->attributes.kind != FileKind::file)
    return Error{Code::not_found, "there is no such file any more", "inode_absent", ESTALE};
  if (!groups_.contains(request.group))
    return Error{Code::not_found, "there is no chunk group of this number", "group_unknown"};
  const std::string key = taken_key(request.session, request.inode);
  if (const auto bytes = table_.find(key)) {
    const TakenObject before = decode_stored<TakenObject>(*bytes);
    if (request.attempt == before.attempt) return TakeObjectReply{before.object};
    if (request.attempt < before.attempt)
      return Error{Code::failed_precondition,
                   "attempt " + std::to_string(before.attempt) + " was made already",
                   "batch_out_of_order", EIO};
    // What was written there by then is in nobody's way.
    add_garbage({session->volume, before.group, before.object});
  }
  const TakenObject taken{kOtherObject | counters_.next_inode++, request.group, request.attempt};
  store_counters();
  table_.put(key, encode(taken));
  return TakeObjectReply{taken.object};
}

void MetaState::drop_taken(SessionNumber session, const VolumeRecord& volume) {
  const std::string prefix = taken_key(session, 0).substr(0, 9);
  std::vector<std::string> keys;
  std::vector<TakenObject> taken;
  {
    Table::Walk walk(table_);
    for (bool more = walk.seek(prefix); more && walk.key().starts_with(prefix);
         more = walk.next()) {
      keys.emplace_back(walk.key());
      taken.push_back(decode_stored<TakenObject>(walk.value()));
    }
  }
  for (const std::string& key : keys) table_.erase(key);
  for (const TakenObject& each : taken) add_garbage({volume.volume, each.group, each.object});
}

// Garbage, unless the file or a snapshot of it still has it.
void MetaState::drop_object(const StoredInode& inode) {
  const Attributes& attributes = inode.attributes;
  if (attributes.object == 0) return;
  const auto now = table_.find(inode_key(attributes.inode));
  if (now && decode_stored<StoredInode>(*now).attributes.object == attributes.object) return;
  if (versions_have(table_, inode)) return;
  add_garbage({inode.volume, attributes.group, attributes.object});
}

void MetaState::add_garbage(const GarbageRecord& garbage) {
  table_.put(garbage_key(garbage.object), encode(garbage));
}

}  // namespace dfs::meta
