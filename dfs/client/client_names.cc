// SPDX-License-Identifier: Apache-2.0
// Operations on names.
#include <fcntl.h>
#include <linux/fs.h>

#include <algorithm>

#include "dfs/client/acl.h"
#include "dfs/client/client_run.h"

namespace dfs::client {

using base::Result;

namespace {

constexpr std::uint32_t kLinksMax = 65'000;
constexpr std::uint32_t kSetGid = 02000;

std::optional<Need> want_listing(const Inode& folder) {
  if (folder.is_complete || folder.was_listed) return std::nullopt;
  return Need{Need::What::listing, folder.number, folder.lease};
}

bool has_names(const Inode& folder) {
  return std::any_of(folder.names.begin(), folder.names.end(),
                     [](const auto& entry) { return entry.second.inode != 0; });
}

}  // namespace

void Client::lookup(InodeNumber number, std::string name, Done<Found> done) {
  run<Found>(std::move(done), [this, number, name = std::move(name)]() -> Attempt<Found> {
    if (name.size() > kNameMax) return Result<Found>(posix_error(ENAMETOOLONG));
    Inode& folder = cache_.get(number);
    const Lease wanted = folder.lease == Lease::write ? Lease::write : Lease::read;
    InodeNumber child = 0;
    NEED(want_name(folder, name, wanted, child));
    Found found;
    Dentry* dentry = cache_.find_name(folder, name);
    if (child != 0) {
      Inode* inode = nullptr;
      NEED(want_inode(child, Lease::read, inode));
      found = found_of(*inode, dentry);
    }
    found.keep_name = may_keep(folder);
    if (found.keep_name) dentry->in_kernel = true;
    return Result<Found>(found);
  });
}

void Client::set_dentry(Inode& folder, const std::string& name, InodeNumber inode) {
  Dentry& dentry = cache_.take_name(folder, name, inode);
  dentry.inode = inode;
}

void Client::touch_folder(Inode& folder, TimeNs time, int links) {
  Attributes& attributes = folder.record.attributes;
  attributes.modified = attributes.changed = time;
  attributes.links += static_cast<std::uint32_t>(links);
  ++attributes.version;
}

Inode& Client::make_inode(InodeNumber number, Inode& folder, const NewInode& made,
                          const Subject& subject, std::vector<Xattr> xattrs, TimeNs time) {
  Inode& inode = cache_.get(number);
  inode.record = {};
  Attributes& attributes = inode.record.attributes;
  attributes.inode = number;
  attributes.kind = made.kind;
  attributes.mode = made.mode;
  attributes.uid = subject.uid;
  attributes.gid = subject.gid;
  const bool is_named = !made.name.empty();
  attributes.links = !is_named ? 0 : made.kind == FileKind::folder ? 2 : 1;
  attributes.size = made.target.size();
  attributes.device = made.device;
  attributes.accessed = attributes.modified = attributes.changed = time;
  inode.record.target = made.target;
  inode.record.xattrs = std::move(xattrs);
  inode.is_known = inode.has_rest = true;
  // Nobody else knows it before metadata does, and metadata takes it over like this.
  inode.lease = Lease::write;
  inode.is_private = true;
  inode.is_complete = made.kind == FileKind::folder;
  inode.is_held = !is_named;  // CreateOp without a name holds it
  if (!is_named) return inode;
  set_dentry(folder, made.name, number);
  touch_folder(folder, time, made.kind == FileKind::folder ? 1 : 0);
  return inode;
}

Attempt<Found> Client::create_step(InodeNumber number, const NewInode& wanted, const Subject& asked,
                                   bool open) {
  if (is_read_only()) return Result<Found>(posix_error(EROFS));
  if (wanted.name.size() > kNameMax) return Result<Found>(posix_error(ENAMETOOLONG));
  if (wanted.target.size() > kSymlinkMax) return Result<Found>(posix_error(ENAMETOOLONG));
  // Without a name (O_TMPFILE) the folder is not changed.
  const bool is_named = !wanted.name.empty();
  Inode* folder = nullptr;
  NEED(want_inode(number, is_named ? Lease::write : Lease::read, folder, Rest::include));
  if (!folder->is_folder()) return Result<Found>(posix_error(ENOTDIR));
  if (folder->record.attributes.links == 0) return Result<Found>(posix_error(ENOENT));
  if (is_named) {
    NEED(want_listing(*folder));
    InodeNumber existing = 0;
    NEED(want_name(*folder, wanted.name, Lease::write, existing));
    if (existing != 0) return Result<Found>(posix_error(EEXIST));
  }
  NEED(want_log_room());
  const std::optional<InodeNumber> fresh = take_number();
  if (!fresh) return Need{Need::What::numbers};

  NewInode made = wanted;
  Subject subject = asked;
  std::vector<Xattr> xattrs;
  if (!inherit_acl(folder->record.xattrs, made.kind, made.mode, xattrs) &&
      made.kind != FileKind::symlink)
    made.mode &= ~asked.umask;
  if ((folder->record.attributes.mode & kSetGid) != 0) {
    subject.gid = folder->record.attributes.gid;
    if (made.kind == FileKind::folder) made.mode |= kSetGid;
  }
  const TimeNs time = now();
  CreateOp op;
  op.folder = number;
  op.name = made.name;
  op.inode = *fresh;
  op.kind = made.kind;
  op.mode = made.mode;
  op.uid = subject.uid;
  op.gid = subject.gid;
  op.device = made.device;
  op.target = made.target;
  op.xattrs = xattrs;
  op.time = time;
  Inode& inode = make_inode(*fresh, *folder, made, subject, std::move(xattrs), time);
  if (open) ++inode.opens;
  if (!is_named) {
    inode.made_position = log_.append(std::move(op), {&inode});
    ++inode.lookups;
    return Result<Found>(found_of(inode, nullptr));
  }
  inode.made_position = log_.append(std::move(op), {&inode, folder});
  Dentry* dentry = cache_.find_name(*folder, made.name);
  Found found = found_of(inode, dentry);
  found.keep_name = may_keep(*folder);
  if (found.keep_name) dentry->in_kernel = true;
  return Result<Found>(found);
}

void Client::create(InodeNumber folder, NewInode made, Subject subject, Done<Found> done) {
  run_change<Found>(std::move(done), [=, this, made = std::move(made)] {
    return create_step(folder, made, subject, false);
  });
}

void Client::create_open(InodeNumber folder, NewInode made, Subject subject, Done<Found> done) {
  run_change<Found>(std::move(done), [=, this, made = std::move(made)] {
    return create_step(folder, made, subject, true);
  });
}

// The inode has one name less. Content that nobody can reach any more is not written.
void Client::lose_link(Inode& inode, TimeNs time) {
  Attributes& attributes = inode.record.attributes;
  attributes.changed = time;
  ++attributes.version;
  attributes.links = inode.is_folder() ? 0 : attributes.links - std::min(1U, attributes.links);
  if (FileData::is_dead(inode)) data_.discard(inode);
}

void Client::remove(InodeNumber number, std::string name, bool is_folder, Done<Nothing> done) {
  run_change<Nothing>(std::move(done), [=, this, name = std::move(name)]() -> Attempt<Nothing> {
    if (is_read_only()) return Result<Nothing>(posix_error(EROFS));
    Inode* folder = nullptr;
    NEED(want_inode(number, Lease::write, folder));
    InodeNumber child = 0;
    NEED(want_name(*folder, name, Lease::write, child));
    if (child == 0) return Result<Nothing>(posix_error(ENOENT));
    Inode* inode = nullptr;
    NEED(want_inode(child, Lease::write, inode));
    if (is_folder != inode->is_folder())
      return Result<Nothing>(posix_error(is_folder ? ENOTDIR : EISDIR));
    if (is_folder) {
      NEED(want_listing(*inode));
      if (has_names(*inode) || !inode->is_complete) return Result<Nothing>(posix_error(ENOTEMPTY));
    }
    NEED(want_log_room());
    const TimeNs time = now();
    if (inode->opens > 0 && inode->record.attributes.links <= 1 && !is_folder &&
        !std::exchange(inode->is_held, true))
      log_.append(HoldOp{child}, {inode});
    log_.append(RemoveOp{number, name, is_folder, time}, {inode, folder});
    set_dentry(*folder, name, 0);
    touch_folder(*folder, time, is_folder ? -1 : 0);
    lose_link(*inode, time);
    return Result<Nothing>(Nothing{});
  });
}

Attempt<Nothing> Client::rename_step(InodeNumber from, const std::string& name, InodeNumber to,
                                     const std::string& new_name, std::uint32_t flags) {
  if (is_read_only()) return Result<Nothing>(posix_error(EROFS));
  if (new_name.size() > kNameMax) return Result<Nothing>(posix_error(ENAMETOOLONG));
  const bool exchanges = (flags & RENAME_EXCHANGE) != 0;
  if ((flags & ~static_cast<std::uint32_t>(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0)
    return Result<Nothing>(posix_error(EINVAL));
  Inode* old_folder = nullptr;
  Inode* new_folder = nullptr;
  NEED(want_inode(from, Lease::write, old_folder));
  NEED(want_inode(to, Lease::write, new_folder));
  if (new_folder->record.attributes.links == 0) return Result<Nothing>(posix_error(ENOENT));
  InodeNumber moved = 0;
  InodeNumber replaced = 0;
  NEED(want_name(*old_folder, name, Lease::write, moved));
  NEED(want_name(*new_folder, new_name, Lease::write, replaced));
  if (moved == 0) return Result<Nothing>(posix_error(ENOENT));
  if (exchanges && replaced == 0) return Result<Nothing>(posix_error(ENOENT));
  if ((flags & RENAME_NOREPLACE) != 0 && replaced != 0) return Result<Nothing>(posix_error(EEXIST));
  if (moved == replaced) return Result<Nothing>(Nothing{});
  Inode* inode = nullptr;
  Inode* target = nullptr;
  NEED(want_inode(moved, Lease::write, inode));
  if (replaced != 0) {
    NEED(want_inode(replaced, Lease::write, target));
    if (!exchanges) {
      if (target->is_folder() && !inode->is_folder()) return Result<Nothing>(posix_error(EISDIR));
      if (!target->is_folder() && inode->is_folder()) return Result<Nothing>(posix_error(ENOTDIR));
      if (target->is_folder()) {
        NEED(want_listing(*target));
        if (has_names(*target) || !target->is_complete)
          return Result<Nothing>(posix_error(ENOTEMPTY));
      }
    }
  }
  NEED(want_log_room());
  const TimeNs time = now();
  const bool loses_last = target != nullptr && !exchanges && !target->is_folder() &&
                          target->record.attributes.links <= 1;
  if (loses_last && target->opens > 0 && !std::exchange(target->is_held, true))
    log_.append(HoldOp{replaced}, {target});
  const RenameOp op{from, name, to, new_name, flags, time};
  if (target != nullptr) {
    log_.append(op, {inode, old_folder, new_folder, target});
  } else {
    log_.append(op, {inode, old_folder, new_folder});
  }
  set_dentry(*new_folder, new_name, moved);
  set_dentry(*old_folder, name, exchanges ? replaced : 0);
  const bool moves_folder = inode->is_folder() && from != to;
  const bool target_is_folder = target != nullptr && target->is_folder();
  int old_links = moves_folder ? -1 : 0;
  int new_links = moves_folder ? 1 : 0;
  if (target_is_folder) {
    if (exchanges && from != to) {
      ++old_links;
      --new_links;
    } else if (!exchanges) {
      --new_links;
    }
  }
  touch_folder(*old_folder, time, from == to ? old_links + new_links : old_links);
  if (from != to) touch_folder(*new_folder, time, new_links);
  inode->record.attributes.changed = time;
  ++inode->record.attributes.version;
  if (target != nullptr && exchanges) {
    target->record.attributes.changed = time;
    ++target->record.attributes.version;
  } else if (target != nullptr) {
    lose_link(*target, time);
  }
  return Result<Nothing>(Nothing{});
}

void Client::rename(InodeNumber from, std::string name, InodeNumber to, std::string new_name,
                    std::uint32_t flags, Done<Nothing> done) {
  run_change<Nothing>(std::move(done),
                      [=, this, name = std::move(name), new_name = std::move(new_name)] {
                        return rename_step(from, name, to, new_name, flags);
                      });
}

void Client::link(InodeNumber number, InodeNumber into, std::string name, Done<Found> done) {
  run_change<Found>(std::move(done), [=, this, name = std::move(name)]() -> Attempt<Found> {
    if (is_read_only()) return Result<Found>(posix_error(EROFS));
    if (name.size() > kNameMax) return Result<Found>(posix_error(ENAMETOOLONG));
    Inode* folder = nullptr;
    Inode* inode = nullptr;
    NEED(want_inode(into, Lease::write, folder));
    NEED(want_inode(number, Lease::write, inode));
    if (inode->is_folder()) return Result<Found>(posix_error(EPERM));
    if (folder->record.attributes.links == 0) return Result<Found>(posix_error(ENOENT));
    // One that never had a name gets its first; the kernel refuses those that lost their last.
    if (inode->record.attributes.links == 0 && !inode->is_held)
      return Result<Found>(posix_error(ENOENT));
    if (inode->record.attributes.links >= kLinksMax) return Result<Found>(posix_error(EMLINK));
    NEED(want_listing(*folder));
    InodeNumber existing = 0;
    NEED(want_name(*folder, name, Lease::write, existing));
    if (existing != 0) return Result<Found>(posix_error(EEXIST));
    NEED(want_log_room());
    const TimeNs time = now();
    log_.append(LinkOp{number, into, name, time}, {inode, folder});
    set_dentry(*folder, name, number);
    touch_folder(*folder, time, 0);
    ++inode->record.attributes.links;
    ++inode->record.attributes.version;
    inode->record.attributes.changed = time;
    Dentry* dentry = cache_.find_name(*folder, name);
    Found found = found_of(*inode, dentry);
    found.keep_name = may_keep(*folder);
    if (found.keep_name) dentry->in_kernel = true;
    return Result<Found>(found);
  });
}

void Client::read_link(InodeNumber number, Done<std::string> done) {
  run<std::string>(std::move(done), [this, number]() -> Attempt<std::string> {
    Inode* inode = nullptr;
    NEED(want_inode(number, Lease::read, inode, Rest::include));
    if (inode->record.attributes.kind != FileKind::symlink)
      return Result<std::string>(posix_error(EINVAL));
    return Result<std::string>(inode->record.target);
  });
}

void Client::list(InodeNumber number, Done<std::vector<Listed>> done) {
  using List = std::vector<Listed>;
  run<List>(std::move(done), [this, number]() -> Attempt<List> {
    Inode* folder = nullptr;
    NEED(want_inode(number, Lease::read, folder));
    if (!folder->is_folder()) return Result<List>(posix_error(ENOTDIR));
    if (!folder->is_complete) {
      Need need{Need::What::other, number, folder->lease};
      // Page by page, on from where pages under this lease ended.
      need.begin = [this, number, lease = std::max(folder->lease, Lease::read),
                    after = folder->listed_to](Done<Nothing> got) {
        fetch_listing(number, after, lease, std::move(got));
      };
      return need;
    }
    List list;
    list.reserve(folder->names.size());
    for (const auto& [name, dentry] : folder->names) {
      if (dentry.inode == 0) continue;
      const Inode* inode = cache_.find(dentry.inode);
      const bool is_known = inode != nullptr && inode->is_known;
      // FileKind{}: whoever lists asks for it by itself.
      list.push_back({name, dentry.inode, is_known ? inode->record.attributes.kind : FileKind{}});
    }
    std::sort(list.begin(), list.end(),
              [](const Listed& a, const Listed& b) { return a.name < b.name; });
    return Result<List>(std::move(list));
  });
}

std::optional<Found> Client::look(InodeNumber number, const Listed& listed) {
  Inode* folder = cache_.find(number);
  Inode* inode = cache_.find(listed.inode);
  if (!session_.is_live() || folder == nullptr || inode == nullptr ||
      folder->lease == Lease::none || inode->lease == Lease::none || !inode->is_known)
    return std::nullopt;
  Dentry* dentry = cache_.find_name(*folder, listed.name);
  if (dentry == nullptr || dentry->inode != listed.inode) return std::nullopt;
  Found found = found_of(*inode, dentry);
  found.keep_name = may_keep(*folder);
  if (found.keep_name) dentry->in_kernel = true;
  return found;
}

}  // namespace dfs::client
