// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/changes.h"

#include <algorithm>
#include <cerrno>

#include "dfs/api/limits.h"

namespace dfs::meta {
namespace {

constexpr std::uint32_t kModeBits = 07777;
constexpr std::uint32_t kSetGroupId = 02000;
constexpr std::uint64_t kSector = 512;

bool is_known(FileKind kind) { return kind >= FileKind::file && kind <= FileKind::block_device; }

std::uint64_t round_up(std::uint64_t size, std::uint64_t unit) {
  return (size + unit - 1) / unit * unit;
}

int check_xattr(std::string_view name, std::string_view value) {
  if (name.empty() || name.size() > kXattrNameMax || name.find('\0') != std::string_view::npos)
    return ERANGE;
  return value.size() > kXattrValueMax ? E2BIG : 0;
}

}  // namespace

int check_entry_name(std::string_view name) {
  if (name.size() > kNameMax) return ENAMETOOLONG;
  const bool usable = !name.empty() && name != "." && name != ".." &&
                      name.find('/') == std::string_view::npos &&
                      name.find('\0') == std::string_view::npos;
  return usable ? 0 : EINVAL;
}

OpResult BatchChanges::apply(const MetaOp& operation) {
  OpResult result;
  const int wrong = std::visit([&](const auto& op) { return run(op, result.inode); }, operation);
  if (wrong != 0) result = {static_cast<std::uint32_t>(wrong), {}};
  return result;
}

// ---- parts ----

StoredInode* BatchChanges::find(InodeNumber inode) {
  StoredInode* found = inodes_.find(inode);
  return found != nullptr && found->volume == volume_.volume ? found : nullptr;
}

int BatchChanges::find_folder(InodeNumber number, StoredInode*& folder) {
  folder = find(number);
  if (folder == nullptr) return ESTALE;
  return is_folder(*folder) ? 0 : ENOTDIR;
}

int BatchChanges::find_file(InodeNumber number, StoredInode*& file) {
  file = find(number);
  if (file == nullptr) return ESTALE;
  if (is_folder(*file)) return EISDIR;
  return file->attributes.kind == FileKind::file ? 0 : EINVAL;
}

void BatchChanges::change(StoredInode& inode) {
  ++inode.attributes.version;
  inodes_.touch(inode);
}

void BatchChanges::note_names_changed(StoredInode& folder, TimeNs time) {
  folder.attributes.modified = time;
  folder.attributes.changed = time;
  folder.attributes.size = folder.entries;
  change(folder);
}

void BatchChanges::put_dentry(StoredInode& folder, std::string_view name,
                              const StoredInode& inode) {
  table_.put(dentry_key(folder.attributes.inode, name),
             encode(Dentry{inode.attributes.inode, inode.attributes.kind}));
  ++folder.entries;
}

void BatchChanges::erase_dentry(StoredInode& folder, std::string_view name) {
  table_.erase(dentry_key(folder.attributes.inode, name));
  --folder.entries;
}

void BatchChanges::lose_name(StoredInode& inode, TimeNs time, Attributes& result) {
  Attributes& attributes = inode.attributes;
  attributes.links = is_folder(inode) ? 0 : attributes.links - 1;
  attributes.changed = time;
  change(inode);
  result = attributes;
  if (attributes.links > 0) return;
  if (inode.holds > 0) {
    table_.put(orphan_key(attributes.inode), "");
  } else {
    inodes_.destroy(inode, volume_);
  }
}

void BatchChanges::hold(StoredInode& inode) {
  const std::string key = hold_key(inode.attributes.inode, session_);
  if (table_.find(key)) return;
  table_.put(key, "");
  table_.put(session_hold_key(session_, inode.attributes.inode), "");
  ++inode.holds;
  inodes_.touch(inode);
}

void BatchChanges::drop_hold(StoredInode& inode) {
  const InodeNumber number = inode.attributes.inode;
  const std::string key = hold_key(number, session_);
  if (!table_.find(key)) return;
  table_.erase(key);
  table_.erase(session_hold_key(session_, number));
  --inode.holds;
  inodes_.touch(inode);
  if (inode.attributes.links > 0 || inode.holds > 0) return;
  table_.erase(orphan_key(number));
  inodes_.destroy(inode, volume_);
}

int BatchChanges::set_allocated(StoredInode& inode, std::uint64_t allocated) {
  const std::uint64_t before = inode.attributes.allocated;
  const std::uint64_t others = volume_.bytes_used - before;
  if (allocated > before && volume_.bytes_max > 0 &&
      (allocated > volume_.bytes_max || others > volume_.bytes_max - allocated))
    return EDQUOT;
  volume_.bytes_used = others + allocated;
  inode.attributes.allocated = allocated;
  return 0;
}

std::string BatchChanges::content_of(const StoredInode& inode) const {
  if (!inode.has_content) return {};
  const auto content = table_.find(content_key(inode.attributes.inode));
  CHECK_THAT(content.has_value());
  return std::string(*content);
}

void BatchChanges::put_content(StoredInode& inode, std::string content) {
  if (content.empty()) {
    if (inode.has_content) table_.erase(content_key(inode.attributes.inode));
    inode.has_content = false;
    return;
  }
  table_.put(content_key(inode.attributes.inode), std::move(content));
  inode.has_content = true;
}

// ---- names ----

int BatchChanges::run(const CreateOp& op, Attributes& result) {
  const bool is_named = !op.name.empty();
  StoredInode* folder = nullptr;
  if (const int wrong = find_folder(op.folder, folder)) return wrong;
  if (is_named) {
    if (const int wrong = check_entry_name(op.name)) return wrong;
    if (folder->attributes.links == 0) return ENOENT;
    if (inodes_.find_dentry(op.folder, op.name)) return EEXIST;
  } else if (op.kind != FileKind::file) {
    return EINVAL;
  }
  if (!is_known(op.kind) || op.inode < kFirstInode || op.inode >= inodes_end_ ||
      inodes_.is_used(op.inode))
    return EINVAL;
  const bool is_symlink = op.kind == FileKind::symlink;
  if (is_symlink && op.target.empty()) return ENOENT;
  if (op.target.size() > kSymlinkMax) return ENAMETOOLONG;
  std::uint32_t xattr_bytes = 0;
  for (std::size_t i = 0; i < op.xattrs.size(); ++i) {
    const Xattr& xattr = op.xattrs[i];
    if (const int wrong = check_xattr(xattr.name, xattr.value)) return wrong;
    for (std::size_t j = 0; j < i; ++j) {
      if (op.xattrs[j].name == xattr.name) return EINVAL;
    }
    xattr_bytes += static_cast<std::uint32_t>(xattr.name.size() + xattr.value.size());
    if (i >= kXattrsMax || xattr_bytes > kXattrBytesMax) return ENOSPC;
  }
  if (volume_.inodes_max > 0 && volume_.inodes_used >= volume_.inodes_max) return EDQUOT;

  StoredInode made;
  made.volume = volume_.volume;
  Attributes& attributes = made.attributes;
  attributes.inode = op.inode;
  attributes.kind = op.kind;
  attributes.mode = op.mode & kModeBits;
  attributes.uid = op.uid;
  attributes.gid = op.gid;
  if ((folder->attributes.mode & kSetGroupId) != 0) {
    attributes.gid = folder->attributes.gid;
    if (op.kind == FileKind::folder) attributes.mode |= kSetGroupId;
  }
  attributes.links = !is_named ? 0 : op.kind == FileKind::folder ? 2 : 1;
  attributes.accessed = attributes.modified = attributes.changed = op.time;
  if (op.kind == FileKind::char_device || op.kind == FileKind::block_device)
    attributes.device = op.device;
  attributes.version = 1;
  if (op.kind == FileKind::folder) made.parent = op.folder;
  for (const Xattr& xattr : op.xattrs) {
    table_.put(xattr_key(op.inode, xattr.name), xattr.value);
    ++made.xattrs;
  }
  made.xattr_bytes = xattr_bytes;
  made.is_linkable = !is_named;
  ++volume_.inodes_used;
  StoredInode& stored = inodes_.create(made);
  folder = inodes_.find(op.folder);
  if (is_symlink) {
    stored.attributes.size = op.target.size();
    put_content(stored, op.target);
  }
  if (is_named) {
    put_dentry(*folder, op.name, stored);
    if (op.kind == FileKind::folder) ++folder->attributes.links;
    note_names_changed(*folder, op.time);
  } else {
    table_.put(orphan_key(op.inode), "");
    hold(stored);
  }
  result = stored.attributes;
  return 0;
}

int BatchChanges::run(const LinkOp& op, Attributes& result) {
  StoredInode* folder = nullptr;
  if (const int wrong = find_folder(op.folder, folder)) return wrong;
  StoredInode* inode = find(op.inode);
  if (inode == nullptr) return ESTALE;
  if (const int wrong = check_entry_name(op.name)) return wrong;
  if (folder->attributes.links == 0) return ENOENT;
  if (inodes_.find_dentry(op.folder, op.name)) return EEXIST;
  if (is_folder(*inode)) return EPERM;
  if (inode->attributes.links == 0 && !inode->is_linkable) return ENOENT;
  if (inode->attributes.links >= kLinksMax) return EMLINK;
  if (inode->attributes.links == 0) table_.erase(orphan_key(op.inode));
  ++inode->attributes.links;
  inode->is_linkable = false;
  inode->attributes.changed = op.time;
  change(*inode);
  put_dentry(*folder, op.name, *inode);
  note_names_changed(*folder, op.time);
  result = inode->attributes;
  return 0;
}

int BatchChanges::run(const RemoveOp& op, Attributes& result) {
  StoredInode* folder = nullptr;
  if (const int wrong = find_folder(op.folder, folder)) return wrong;
  if (const int wrong = check_entry_name(op.name)) return wrong;
  const auto dentry = inodes_.find_dentry(op.folder, op.name);
  if (!dentry) return ENOENT;
  StoredInode* inode = find(dentry->inode);
  CHECK_THAT(inode != nullptr);
  if (op.is_folder && !is_folder(*inode)) return ENOTDIR;
  if (!op.is_folder && is_folder(*inode)) return EISDIR;
  if (op.is_folder && inode->entries > 0) return ENOTEMPTY;
  erase_dentry(*folder, op.name);
  if (op.is_folder) --folder->attributes.links;
  note_names_changed(*folder, op.time);
  lose_name(*inode, op.time, result);
  return 0;
}

// ---- attributes and content ----

int BatchChanges::set_size(StoredInode& inode, std::uint64_t size) {
  Attributes& attributes = inode.attributes;
  if (size > kObjectMax) return EFBIG;
  if (attributes.object == 0) {
    if (size > volume_.inline_max) return EINVAL;
    std::string content = content_of(inode);
    if (content.size() > size) {
      content.resize(size);
      // Shrinks: never refused.
      static_cast<void>(set_allocated(inode, round_up(content.size(), kSector)));
      put_content(inode, std::move(content));
    }
  } else if (size < attributes.size) {
    attributes.cut_to = std::min(attributes.cut_to, size);
    static_cast<void>(
        set_allocated(inode, std::min(attributes.allocated, round_up(size, kBlockBytes))));
  }
  attributes.size = size;
  return 0;
}

int BatchChanges::run(const SetAttributesOp& op, Attributes& result) {
  StoredInode* inode = find(op.inode);
  if (inode == nullptr) return ESTALE;
  if (op.size) {
    StoredInode* file = nullptr;
    if (const int wrong = find_file(op.inode, file)) return wrong;
  }
  const StoredInode before = *inode;
  Attributes& attributes = inode->attributes;
  if (op.size) {
    if (const int wrong = set_size(*inode, *op.size)) return wrong;
  }
  if (op.allocated && attributes.object != 0) {
    if (const int wrong = set_allocated(*inode, *op.allocated)) {
      // Only the size can have been set, and of a file in chunks: nothing else was stored.
      static_cast<void>(set_allocated(*inode, before.attributes.allocated));
      *inode = before;
      return wrong;
    }
  }
  if (op.mode) attributes.mode = *op.mode & kModeBits;
  if (op.uid) attributes.uid = *op.uid;
  if (op.gid) attributes.gid = *op.gid;
  if (op.accessed) attributes.accessed = *op.accessed;
  if (op.modified) attributes.modified = *op.modified;
  if (op.changed) attributes.changed = *op.changed;
  change(*inode);
  result = attributes;
  return 0;
}

int BatchChanges::run(const WriteInlineOp& op, Attributes& result) {
  StoredInode* inode = nullptr;
  if (const int wrong = find_file(op.inode, inode)) return wrong;
  Attributes& attributes = inode->attributes;
  const std::uint64_t limit = volume_.inline_max;
  if (attributes.object != 0 || op.offset > limit || op.data.size() > limit - op.offset)
    return EINVAL;
  std::string content = content_of(*inode);
  const std::uint64_t end = op.offset + op.data.size();
  if (!op.data.empty() && content.size() < end) content.resize(end);
  if (const int wrong = set_allocated(*inode, round_up(content.size(), kSector))) return wrong;
  content.replace(op.offset > content.size() ? content.size() : op.offset, op.data.size(), op.data);
  put_content(*inode, std::move(content));
  if (!op.data.empty()) attributes.size = std::max(attributes.size, end);
  attributes.modified = attributes.changed = op.time;
  change(*inode);
  result = attributes;
  return 0;
}

bool BatchChanges::may_own(const MoveToChunksOp& op, const StoredInode& inode) const {
  if (op.object == op.inode) {
    // Its own number, once: a copy, and what comes after a restore, has another.
    return inode.attributes.object == 0 && op.inode >= restored_end_ &&
           !table_.find(garbage_key(op.object));
  }
  const auto bytes = table_.find(taken_key(session_, op.inode));
  if (!bytes) return false;
  const TakenObject taken = decode_stored<TakenObject>(*bytes);
  return taken.object == op.object && taken.group == op.group;
}

int BatchChanges::run(const MoveToChunksOp& op, Attributes& result) {
  StoredInode* inode = nullptr;
  if (const int wrong = find_file(op.inode, inode)) return wrong;
  Attributes& attributes = inode->attributes;
  result = attributes;
  if (op.object != 0 && attributes.object == op.object && attributes.group == op.group) return 0;
  if (!may_own(op, *inode)) return EINVAL;
  if (attributes.object == 0) {
    const std::uint64_t taken = round_up(content_of(*inode).size(), kBlockBytes);
    volume_.bytes_used += taken - attributes.allocated;  // the move itself is never refused
    attributes.allocated = taken;
    put_content(*inode, {});
  } else if (!inodes_.is_shared(*inode)) {
    // The snapshot that the copy was made for is gone by now.
    table_.put(garbage_key(attributes.object),
               encode(GarbageRecord{inode->volume, attributes.group, attributes.object}));
  }
  if (op.object != op.inode) table_.erase(taken_key(session_, op.inode));
  attributes.object = op.object;
  attributes.group = op.group;
  change(*inode);
  result = attributes;
  return 0;
}

int BatchChanges::run(const CutDoneOp& op, Attributes& result) {
  StoredInode* inode = nullptr;
  if (const int wrong = find_file(op.inode, inode)) return wrong;
  if (inode->attributes.cut_to != kNoCut && op.size <= inode->attributes.cut_to) {
    inode->attributes.cut_to = kNoCut;
    change(*inode);
  }
  result = inode->attributes;
  return 0;
}

int BatchChanges::run(const SetXattrOp& op, Attributes& result) {
  StoredInode* inode = find(op.inode);
  if (inode == nullptr) return ESTALE;
  constexpr std::uint32_t kCreate = 1, kReplace = 2;  // XATTR_CREATE, XATTR_REPLACE
  if ((op.flags & ~(kCreate | kReplace)) != 0) return EINVAL;
  if (const int wrong = check_xattr(op.name, op.value)) return wrong;
  const std::string key = xattr_key(op.inode, op.name);
  const auto old = table_.find(key);
  if (old && (op.flags & kCreate) != 0) return EEXIST;
  if (!old && (op.flags & kReplace) != 0) return ENODATA;
  const std::uint32_t before = old ? static_cast<std::uint32_t>(op.name.size() + old->size()) : 0;
  const std::uint32_t bytes =
      inode->xattr_bytes - before + static_cast<std::uint32_t>(op.name.size() + op.value.size());
  if (bytes > kXattrBytesMax || (!old && inode->xattrs >= kXattrsMax)) return ENOSPC;
  if (!old) ++inode->xattrs;
  inode->xattr_bytes = bytes;
  table_.put(key, op.value);
  inode->attributes.changed = op.time;
  change(*inode);
  result = inode->attributes;
  return 0;
}

int BatchChanges::run(const RemoveXattrOp& op, Attributes& result) {
  StoredInode* inode = find(op.inode);
  if (inode == nullptr) return ESTALE;
  if (const int wrong = check_xattr(op.name, {})) return wrong;
  const std::string key = xattr_key(op.inode, op.name);
  const auto old = table_.find(key);
  if (!old) return ENODATA;
  inode->xattr_bytes -= static_cast<std::uint32_t>(op.name.size() + old->size());
  --inode->xattrs;
  table_.erase(key);
  inode->attributes.changed = op.time;
  change(*inode);
  result = inode->attributes;
  return 0;
}

int BatchChanges::run(const HoldOp& op, Attributes& result) {
  StoredInode* inode = find(op.inode);
  if (inode == nullptr) return ESTALE;
  hold(*inode);
  result = inode->attributes;
  return 0;
}

int BatchChanges::run(const DropOp& op, Attributes& result) {
  StoredInode* inode = find(op.inode);
  if (inode == nullptr) return ESTALE;
  result = inode->attributes;
  drop_hold(*inode);
  return 0;
}

}  // namespace dfs::meta
