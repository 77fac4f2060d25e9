// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/inodes.h"

namespace dfs::meta {

Inodes::Cached& Inodes::load(InodeNumber inode) {
  const auto [at, is_new] = cache_.try_emplace(inode);
  if (is_new) {
    if (const auto bytes = table_.find(inode_key(inode))) {
      at->second.inode = decode_stored<StoredInode>(*bytes);
      at->second.exists = true;
    }
  }
  return at->second;
}

StoredInode* Inodes::find(InodeNumber inode) {
  Cached& cached = load(inode);
  return cached.exists ? &cached.inode : nullptr;
}

StoredInode& Inodes::create(const StoredInode& inode) {
  Cached& cached = cache_[inode.attributes.inode];
  CHECK_THAT(!cached.exists);
  cached = {inode, true, true};
  return cached.inode;
}

void Inodes::touch(const StoredInode& inode) {
  cache_.at(inode.attributes.inode).is_touched = true;
}

void Inodes::destroy(StoredInode& inode, VolumeRecord& volume) {
  const Attributes& attributes = inode.attributes;
  const InodeNumber number = attributes.inode;
  if (inode.has_content) table_.erase(content_key(number));
  if (inode.xattrs > 0) {
    std::vector<std::string> keys;
    const std::string prefix = xattr_key(number, "");
    Table::Walk walk(table_);
    for (bool more = walk.seek(prefix); more && walk.key().starts_with(prefix); more = walk.next())
      keys.emplace_back(walk.key());
    for (const std::string& key : keys) table_.erase(key);
  }
  if (attributes.object != 0 && !is_shared(inode)) {
    table_.put(garbage_key(attributes.object),
               encode(GarbageRecord{inode.volume, attributes.group, attributes.object}));
  }
  volume.bytes_used -= attributes.allocated;
  --volume.inodes_used;
  Cached& cached = cache_.at(number);
  cached.exists = false;
  cached.is_touched = true;
}

void Inodes::store() {
  for (auto& [number, cached] : cache_) {
    if (!cached.is_touched) continue;
    if (cached.exists) {
      table_.put(inode_key(number), encode(cached.inode));
    } else {
      table_.erase(inode_key(number));
    }
  }
  cache_.clear();
}

std::optional<Dentry> Inodes::find_dentry(InodeNumber folder, std::string_view name) const {
  const auto bytes = table_.find(dentry_key(folder, name));
  if (!bytes) return std::nullopt;
  return decode_stored<Dentry>(*bytes);
}

bool Inodes::is_shared(const StoredInode& inode) const {
  if (inode.attributes.object == 0 || !table_.has_versions()) return false;
  const std::string key = inode_key(inode.attributes.inode);
  if (table_.keeping() != 0 && !table_.find_version(key, table_.keeping())) {
    // The newest snapshot has what is stored: what this command changes is not yet.
    const auto stored = table_.find(key);
    if (stored && decode_stored<StoredInode>(*stored).attributes.object == inode.attributes.object)
      return true;
  }
  return versions_have(table_, inode);
}

bool Inodes::is_used(InodeNumber inode) {
  if (find(inode) != nullptr) return true;
  return table_.has_versions() && table_.find_version(inode_key(inode), 1).has_value();
}

InodeRecord Inodes::full_record(const StoredInode& inode, VolumeNumber snapshot) const {
  InodeRecord record;
  record.attributes = inode.attributes;
  const InodeNumber number = inode.attributes.inode;
  if (inode.has_content) {
    const auto content = table_.find_at(content_key(number), snapshot);
    CHECK_THAT(content.has_value());
    (inode.attributes.kind == FileKind::symlink ? record.target : record.content) = *content;
  }
  if (inode.xattrs > 0) {
    const std::string prefix = xattr_key(number, "");
    table_.walk_at(prefix, prefix, snapshot, [&](std::string_view key, std::string_view value) {
      record.xattrs.push_back({std::string(name_in_key(key)), std::string(value)});
      return true;
    });
  }
  return record;
}

bool Inodes::is_within(InodeNumber inode, InodeNumber ancestor) {
  while (inode != ancestor) {
    const StoredInode* folder = find(inode);
    if (folder == nullptr || folder->parent == inode) return false;
    inode = folder->parent;
  }
  return true;
}

}  // namespace dfs::meta
