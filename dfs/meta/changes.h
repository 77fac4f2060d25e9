// SPDX-License-Identifier: Apache-2.0
// The operations of a batch: what each of MetaOp means to the state, by the rules of POSIX and
// Linux.
//
// 1. An operation that fails changes nothing; the next one is tried all the same.
// 2. Permissions and the sticky bit are the client kernel's (default_permissions); set-group-id
// folders hand down their group here.
// 3. The volume's usage counts inodes, and the bytes that each says it takes (`allocated`).
// Threads: the loop's. Source: rename(2), link(2), unlink(2), setxattr(2), Linux fs/namei.c.
#pragma once

#include "dfs/meta/inodes.h"

namespace dfs::meta {

inline constexpr std::uint32_t kLinksMax = 65000;  // names of one file
inline constexpr std::uint32_t kXattrBytesMax = 128 << 10;

// 0, ENAMETOOLONG or EINVAL.
int check_entry_name(std::string_view name);

// Of one batch. Requires: volume, inodes and table outlive it; the caller stores inodes and volume.
class BatchChanges {
 public:
  BatchChanges(Table& table, Inodes& inodes, VolumeRecord& volume, SessionNumber session,
               InodeNumber inodes_end, InodeNumber restored_end = 0)
      : table_(table),
        inodes_(inodes),
        volume_(volume),
        session_(session),
        inodes_end_(inodes_end),
        restored_end_(restored_end) {}

  OpResult apply(const MetaOp& operation);
  // The session lets go of an inode; without a name it is gone with its last hold.
  void drop_hold(StoredInode& inode);

 private:
  // An errno, 0 when it was done.
  int run(const CreateOp& op, Attributes& result);
  int run(const LinkOp& op, Attributes& result);
  int run(const RemoveOp& op, Attributes& result);
  int run(const RenameOp& op, Attributes& result);
  int run(const SetAttributesOp& op, Attributes& result);
  int run(const WriteInlineOp& op, Attributes& result);
  int run(const MoveToChunksOp& op, Attributes& result);
  int run(const CutDoneOp& op, Attributes& result);
  int run(const SetXattrOp& op, Attributes& result);
  int run(const RemoveXattrOp& op, Attributes& result);
  int run(const HoldOp& op, Attributes& result);
  int run(const DropOp& op, Attributes& result);

  struct Renamed;
  int check_rename(const RenameOp& op, Renamed& all);
  void exchange(const RenameOp& op, const Renamed& all);
  void move(const RenameOp& op, Renamed& all, Attributes& result);

  // Null: of another volume, or gone.
  StoredInode* find(InodeNumber inode);
  int find_folder(InodeNumber number, StoredInode*& folder);
  int find_file(InodeNumber number, StoredInode*& file);
  void put_dentry(StoredInode& folder, std::string_view name, const StoredInode& inode);
  void erase_dentry(StoredInode& folder, std::string_view name);
  // Times of a folder whose names changed.
  void note_names_changed(StoredInode& folder, TimeNs time);
  void change(StoredInode& inode);  // counts the version
  // The inode has lost a name; `result` is what it is then.
  void lose_name(StoredInode& inode, TimeNs time, Attributes& result);
  void hold(StoredInode& inode);
  int set_size(StoredInode& inode, std::uint64_t size);
  // EDQUOT when it grows beyond the quota.
  int set_allocated(StoredInode& inode, std::uint64_t allocated);
  std::string content_of(const StoredInode& inode) const;
  void put_content(StoredInode& inode, std::string content);
  // The object may become this file's: nobody takes over that of another one.
  bool may_own(const MoveToChunksOp& op, const StoredInode& inode) const;

  Table& table_;
  Inodes& inodes_;
  VolumeRecord& volume_;
  SessionNumber session_;
  InodeNumber inodes_end_;    // numbers from here on were given to nobody
  InodeNumber restored_end_;  // objects of numbers below are used, see RestoredRecord
};

}  // namespace dfs::meta
