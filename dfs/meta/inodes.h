// SPDX-License-Identifier: Apache-2.0
// Inodes and what hangs on them, on top of the table: one command's view, with what it changes kept
// decoded until store().
//
// 1. A command that changes a folder a hundred times writes its record once.
// 2. Pointers live until the next store(), erased ones become null at the next find().
// Threads: the loop's.
#pragma once

#include <unordered_map>

#include "common/base/check.h"
#include "dfs/api/wire.h"
#include "dfs/meta/records.h"
#include "dfs/meta/table.h"

namespace dfs::meta {

class Inodes {
 public:
  explicit Inodes(Table& table) : table_(table) {}

  // Null when there is none.
  StoredInode* find(InodeNumber inode);
  StoredInode& create(const StoredInode& inode);
  // What find() gave was changed.
  void touch(const StoredInode& inode);
  // Without names, holds and folder entries: those are the caller's. Its content, its attributes
  // and its place in `volume`'s usage go; an object becomes garbage.
  void destroy(StoredInode& inode, VolumeRecord& volume);
  // A snapshot needs the object of this file as it is.
  bool is_shared(const StoredInode& inode) const;
  // There is an inode of this number, or was one that a snapshot has: no other may be made of it.
  bool is_used(InodeNumber inode);
  // Writes everything that was touched.
  void store();
  // Reads of a value that was decoded do not see later commands' changes.
  void forget() { cache_.clear(); }

  std::optional<Dentry> find_dentry(InodeNumber folder, std::string_view name) const;
  // The whole record as clients see it.
  InodeRecord full_record(const StoredInode& inode, VolumeNumber snapshot = 0) const;
  // Whether `inode` is `ancestor` or below it. Cost: O(depth).
  bool is_within(InodeNumber inode, InodeNumber ancestor);

 private:
  struct Cached {
    StoredInode inode;
    bool exists = false;
    bool is_touched = false;
  };
  Cached& load(InodeNumber inode);

  Table& table_;
  std::unordered_map<InodeNumber, Cached> cache_;
};

// Whether a version that was kept of the inode has its object.
bool versions_have(const Table& table, const StoredInode& inode);

// A record of the state. Requires: it is one, as the store's checksums say; a bug otherwise.
template <class T>
T decode_stored(std::string_view bytes) {
  base::Result<T> value = decode<T>(bytes);
  CHECK_THAT(value.has_value());
  return *std::move(value);
}

}  // namespace dfs::meta
