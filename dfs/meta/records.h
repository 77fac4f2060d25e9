// SPDX-License-Identifier: Apache-2.0
// What the metadata state consists of: records and their keys, in one ordered space of keys.
//
// Layout: a letter, then big-endian numbers, then text:
//   C                    Counters
//   v volume             VolumeRecord
//   i inode              StoredInode
//   c inode              inline content of a file, target of a symlink
//   x inode name         value of an extended attribute
//   d folder name        Dentry
//   z inode              an inode without a name that is held (empty)
//   h inode session      a hold: the session has it open (empty)
//   H session inode      the same, by session (empty)
//   s session            SessionRecord
//   r session            ApplyReply of its last batch
//   l inode              LockList
//   L session inode      the inode may have locks of the session (empty)
//   g group              GroupRecord
//   n node               StorageRecord
//   o object             GarbageRecord: content that no file needs
//   p volume             SnapshotRecord
//   k session inode      TakenObject: a number that the session was given for an object of the
//   inode R volume             RestoredRecord w key snapshot       what a key of i, c, x, d was at
//   a snapshot: 1 and the value, or 0 W snapshot key       the same, by snapshot (empty)
// 1. An inode is in parts, so that a change of its times does not write its content again.
// 2. Records are read with wire.h; fields are appended only together with a new format number of
// the store.
// 3. A snapshot has a VolumeRecord too, named VOLUME@SNAPSHOT, and no keys of its own: what it has
// is for each key the first version that was kept for it or a later one, else the live value.
// Threads: plain values.
#pragma once

#include "dfs/api/locks.h"
#include "dfs/api/meta_protocol.h"

namespace dfs::meta {

inline constexpr InodeNumber kFirstInode = 2;

struct Counters {
  InodeNumber next_inode = kFirstInode;
  SessionNumber next_session = 1;
  VolumeNumber next_volume = 1;
  std::uint32_t groups = 0;  // 1 … groups exist
  template <class Archive>
  void fields(Archive& archive) {
    archive(next_inode, next_session, next_volume, groups);
  }
};

struct VolumeRecord {
  VolumeNumber volume = 0;
  std::string name;
  VolumeEpoch epoch = 1;
  InodeNumber root = 0;
  std::uint32_t inline_max = kInlineUsual;
  Durability durability = Durability::posix;
  std::uint64_t bytes_max = 0;   // quota; 0: none
  std::uint64_t inodes_max = 0;  // quota; 0: none
  std::uint64_t bytes_used = 0;
  std::uint64_t inodes_used = 0;
  TimeNs created = 0;
  bool is_removed = false;  // its files are being removed; no session may be opened
  bool read_only = false;
  template <class Archive>
  void fields(Archive& archive) {
    archive(volume, name, epoch, root, inline_max, durability, bytes_max, inodes_max, bytes_used,
            inodes_used, created, is_removed, read_only);
  }
};

struct StoredInode {
  VolumeNumber volume = 0;
  Attributes attributes;
  InodeNumber parent = 0;         // of a folder; its own number for a root
  std::uint64_t entries = 0;      // of a folder
  bool has_content = false;       // a `c` record
  std::uint32_t xattrs = 0;       // number of `x` records
  std::uint32_t xattr_bytes = 0;  // names and values
  std::uint32_t holds = 0;        // number of `h` records
  bool is_linkable = false;       // made without a name, may still get one
  template <class Archive>
  void fields(Archive& archive) {
    archive(volume, attributes, parent, entries, has_content, xattrs, xattr_bytes, holds,
            is_linkable);
  }
};
inline bool is_folder(const StoredInode& inode) {
  return inode.attributes.kind == FileKind::folder;
}

struct Dentry {
  InodeNumber inode = 0;
  FileKind kind = FileKind::file;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, kind);
  }
};

struct SessionRecord {
  SessionNumber session = 0;
  VolumeNumber volume = 0;
  VolumeEpoch epoch = 0;
  std::string client;
  std::string host;
  std::uint64_t sequence = 0;  // of the last batch
  bool fence_due = false;      // chunk groups have not all been told of `epoch`
  TimeNs opened = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, volume, epoch, client, host, sequence, fence_due, opened);
  }
};

struct GroupRecord {
  GroupConfiguration configuration;
  std::vector<std::string> copies;  // the nodes that should have one
  template <class Archive>
  void fields(Archive& archive) {
    archive(configuration, copies);
  }
};

struct StorageRecord {
  NodeAddress node;
  std::uint64_t bytes_capacity = 0;
  TimeNs known_since = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(node, bytes_capacity, known_since);
  }
};

struct SnapshotRecord {
  VolumeNumber volume = 0;  // its own number; later snapshots have higher ones
  VolumeNumber origin = 0;
  std::uint64_t inodes_used = 0, bytes_used = 0;  // of the origin then
  template <class Archive>
  void fields(Archive& archive) {
    archive(volume, origin, inodes_used, bytes_used);
  }
};

// Not yet the inode's: MoveToChunksOp makes it so and drops this; the end of the session makes it
// garbage.
struct TakenObject {
  ObjectNumber object = 0;
  GroupNumber group = 0;
  std::uint64_t attempt = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(object, group, attempt);
  }
};

// The volume was taken back to a snapshot. The inodes that are older than that may have had objects
// of their own numbers that a later snapshot still has, or that are being removed.
struct RestoredRecord {
  InodeNumber inodes_end = 0;  // older ones are below this
  template <class Archive>
  void fields(Archive& archive) {
    archive(inodes_end);
  }
};

struct GarbageRecord {
  VolumeNumber volume = 0;
  GroupNumber group = 0;
  ObjectNumber object = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(volume, group, object);
  }
};

// Keys.
std::string counters_key();
std::string volume_key(VolumeNumber volume);
std::string inode_key(InodeNumber inode);
std::string content_key(InodeNumber inode);
std::string xattr_key(InodeNumber inode, std::string_view name);  // name "": before the first
std::string dentry_key(InodeNumber folder, std::string_view name);
std::string orphan_key(InodeNumber inode);
std::string hold_key(InodeNumber inode, SessionNumber session);
std::string session_hold_key(SessionNumber session, InodeNumber inode);
std::string session_key(SessionNumber session);
std::string reply_key(SessionNumber session);
std::string locks_key(InodeNumber inode);
std::string session_lock_key(SessionNumber session, InodeNumber inode);
std::string group_key(GroupNumber group);
std::string storage_key(std::string_view node);
std::string garbage_key(ObjectNumber object);
std::string snapshot_key(VolumeNumber snapshot);
std::string taken_key(SessionNumber session, InodeNumber inode);
std::string restored_key(VolumeNumber volume);
std::string version_key(std::string_view key, VolumeNumber snapshot);
std::string version_index_key(VolumeNumber snapshot, std::string_view key);
// Whether snapshots keep what was under such a key.
inline bool is_versioned(std::string_view key) {
  return key.front() == 'i' || key.front() == 'c' || key.front() == 'x' || key.front() == 'd';
}

// Parts of a key of these kinds. Requires: long enough, as those of the state are.
std::uint64_t number_in_key(std::string_view key, std::size_t offset = 1);
inline std::string_view name_in_key(std::string_view key) { return key.substr(9); }

}  // namespace dfs::meta
