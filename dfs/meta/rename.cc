// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "dfs/meta/changes.h"

namespace dfs::meta {
namespace {

constexpr std::uint32_t kNoReplace = 1, kExchange = 2;  // RENAME_NOREPLACE, RENAME_EXCHANGE

}  // namespace

struct BatchChanges::Renamed {
  StoredInode* from_folder = nullptr;
  StoredInode* to_folder = nullptr;
  StoredInode* source = nullptr;
  StoredInode* target = nullptr;  // null: the name is free
};

// In Linux's order, so that of several things that are wrong the same one is told.
int BatchChanges::check_rename(const RenameOp& op, Renamed& all) {
  const bool exchanges = (op.flags & kExchange) != 0;
  if ((op.flags & ~(kNoReplace | kExchange)) != 0 || op.flags == (kNoReplace | kExchange))
    return EINVAL;
  if (const int wrong = find_folder(op.from_folder, all.from_folder)) return wrong;
  if (const int wrong = find_folder(op.to_folder, all.to_folder)) return wrong;
  if (const int wrong = check_entry_name(op.from)) return wrong;
  if (const int wrong = check_entry_name(op.to)) return wrong;
  const auto from = inodes_.find_dentry(op.from_folder, op.from);
  if (!from || all.to_folder->attributes.links == 0) return ENOENT;
  const auto to = inodes_.find_dentry(op.to_folder, op.to);
  if (to && (op.flags & kNoReplace) != 0) return EEXIST;
  if (!to && exchanges) return ENOENT;
  all.source = find(from->inode);
  all.target = to ? find(to->inode) : nullptr;
  CHECK_THAT(all.source != nullptr && (!to || all.target != nullptr));
  if (op.from_folder != op.to_folder) {
    if (is_folder(*all.source) && inodes_.is_within(op.to_folder, from->inode)) return EINVAL;
    if (to && is_folder(*all.target) && inodes_.is_within(op.from_folder, to->inode))
      return exchanges ? EINVAL : ENOTEMPTY;
  }
  if (all.source == all.target || all.target == nullptr || exchanges) return 0;
  if (is_folder(*all.source) && !is_folder(*all.target)) return ENOTDIR;
  if (!is_folder(*all.source) && is_folder(*all.target)) return EISDIR;
  return all.target->entries > 0 ? ENOTEMPTY : 0;
}

void BatchChanges::exchange(const RenameOp& op, const Renamed& all) {
  erase_dentry(*all.from_folder, op.from);
  erase_dentry(*all.to_folder, op.to);
  put_dentry(*all.from_folder, op.from, *all.target);
  put_dentry(*all.to_folder, op.to, *all.source);
  if (is_folder(*all.source)) {
    all.source->parent = op.to_folder;
    --all.from_folder->attributes.links;
    ++all.to_folder->attributes.links;
  }
  if (is_folder(*all.target)) {
    all.target->parent = op.from_folder;
    --all.to_folder->attributes.links;
    ++all.from_folder->attributes.links;
  }
  for (StoredInode* inode : {all.source, all.target}) {
    inode->attributes.changed = op.time;
    change(*inode);
  }
}

void BatchChanges::move(const RenameOp& op, Renamed& all, Attributes& result) {
  erase_dentry(*all.from_folder, op.from);
  if (all.target != nullptr) erase_dentry(*all.to_folder, op.to);
  put_dentry(*all.to_folder, op.to, *all.source);
  if (is_folder(*all.source)) {
    all.source->parent = op.to_folder;
    --all.from_folder->attributes.links;
    ++all.to_folder->attributes.links;
  }
  all.source->attributes.changed = op.time;
  change(*all.source);
  result = all.source->attributes;
  if (all.target == nullptr) return;
  if (is_folder(*all.target)) --all.to_folder->attributes.links;
  lose_name(*all.target, op.time, result);
}

int BatchChanges::run(const RenameOp& op, Attributes& result) {
  Renamed all;
  if (const int wrong = check_rename(op, all)) return wrong;
  result = all.source->attributes;
  if (all.source == all.target) return 0;  // two names of one file: nothing is done
  if ((op.flags & kExchange) != 0) {
    exchange(op, all);
    result = all.source->attributes;
  } else {
    move(op, all, result);
  }
  note_names_changed(*all.from_folder, op.time);
  if (all.to_folder != all.from_folder) note_names_changed(*all.to_folder, op.time);
  return 0;
}

}  // namespace dfs::meta
