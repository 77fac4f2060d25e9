// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/inode_cache.h"

namespace dfs::client {

Inode* InodeCache::find(InodeNumber number) {
  const auto found = inodes_.find(number);
  return found == inodes_.end() ? nullptr : found->second.get();
}

Inode& InodeCache::get(InodeNumber number) {
  std::unique_ptr<Inode>& slot = inodes_[number];
  if (slot) {
    touch(*slot);
    return *slot;
  }
  slot = std::make_unique<Inode>();
  slot->number = number;
  ages_.push_back(slot.get());
  slot->age = std::prev(ages_.end());
  return *slot;
}

void InodeCache::erase(Inode& inode) {
  names_ -= inode.names.size();
  ages_.erase(inode.age);
  inodes_.erase(inode.number);
}

std::size_t InodeCache::content_bytes() const {
  std::size_t sum = 0;
  for (const auto& [number, inode] : inodes_) sum += inode->record.content.capacity();
  return sum;
}

void InodeCache::touch(Inode& inode) { ages_.splice(ages_.end(), ages_, inode.age); }

Dentry* InodeCache::find_name(Inode& folder, std::string_view name) {
  const auto found = folder.names.find(name);
  if (found != folder.names.end() && (folder.lease != Lease::none || found->second.turn == turn_))
    return &found->second;
  if (folder.lease == Lease::none || !folder.is_complete) return nullptr;
  return &take_name(folder, name, 0);
}

void InodeCache::take_lease(Inode& inode, Lease granted) {
  if (granted <= inode.lease) return;
  if (inode.lease == Lease::none) {
    // What was seen in an earlier turn may have changed before the lease began.
    if (inode.turn != turn_) {
      inode.is_known = false;
      inode.has_rest = false;
    }
    names_ -= std::erase_if(inode.names,
                            [this](const auto& entry) { return entry.second.turn != turn_; });
  }
  inode.lease = granted;
}

void InodeCache::take_attributes(Inode& inode, const Attributes& attributes, Lease granted) {
  if (inode.lease == Lease::none || !inode.is_known) {
    if (inode.is_known && inode.record.attributes.version != attributes.version)
      inode.has_rest = false;
    // Content that was seen without a lease may be older than these attributes.
    if (inode.lease == Lease::none) inode.has_rest = false;
    inode.record.attributes = attributes;
    inode.is_known = true;
  }
  inode.turn = turn_;
  take_lease(inode, granted);
}

void InodeCache::take_inode(Inode& inode, const InodeRecord& record, Lease granted) {
  const bool is_ours = inode.lease != Lease::none && inode.is_known;
  if (!is_ours) {
    inode.record = record;
    inode.is_known = true;
    inode.has_rest = true;
  } else if (!inode.has_rest) {
    inode.record.target = record.target;
    inode.record.content = record.content;
    inode.record.xattrs = record.xattrs;
    inode.record.shared_by = record.shared_by;
    inode.record.is_number_used = record.is_number_used;
    inode.has_rest = true;
  }
  inode.turn = turn_;
  // What an answer says of a lease that was here before it is no news.
  const bool is_new = inode.lease != Lease::write;
  take_lease(inode, granted);
  if (is_new && inode.lease == Lease::write) inode.is_private = !record.is_open_elsewhere;
}

Dentry& InodeCache::take_name(Inode& folder, std::string_view name, InodeNumber inode) {
  const auto found = folder.names.find(name);
  if (found != folder.names.end()) {
    if (folder.lease == Lease::none) found->second.inode = inode;
    found->second.turn = turn_;
    return found->second;
  }
  ++names_;
  Dentry& made = folder.names[std::string(name)];
  made.inode = inode;
  made.turn = turn_;
  return made;
}

void InodeCache::reduce(Inode& inode, Lease keeps) {
  if (inode.lease <= keeps) return;
  inode.lease = keeps;
  inode.is_private = false;
  if (keeps != Lease::none) return;
  inode.is_known = false;
  inode.has_rest = false;
  inode.turn = 0;
  inode.is_complete = false;
  inode.was_listed = false;
  inode.listed_to.clear();
  names_ -= inode.names.size();
  inode.names.clear();
}

}  // namespace dfs::client
