// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 314
#include "dfs/fuse/operations.h"

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "dfs/fuse/convert.h"

namespace dfs::fuse {

using base::Error;
using base::Result;
using client::Found;

namespace {

constexpr double kKept = 86400.0;  // seconds; the client takes it back before that

// An open folder: its names as they were at the beginning of the listing.
struct Listing {
  std::vector<client::Listed> names;
  bool is_loaded = false;
};

Listing& listing_of(const fuse_file_info* file) { return *reinterpret_cast<Listing*>(file->fh); }

}  // namespace

// The one class that libfuse's callbacks reach into; each function answers its request once.
class Operations {
 public:
  static Mount& mount(fuse_req_t request) {
    return *static_cast<Mount*>(fuse_req_userdata(request));
  }
  static client::Client& client(fuse_req_t request) { return *mount(request).client_; }
  static InodeNumber inode(fuse_req_t request, fuse_ino_t node) {
    return mount(request).inode_of(node);
  }
  static auto hold(fuse_req_t request, fuse_ino_t node) {
    Mount& own = mount(request);
    return own.hold(own.inode_of(node));
  }
  static auto& lockers(fuse_req_t request) { return mount(request).lockers_; }
  static std::uint64_t next_file(fuse_req_t request) { return mount(request).next_file_++; }
  static std::uint64_t next_ticket(fuse_req_t request) { return mount(request).next_ticket_++; }
  static const IdShift& ids(fuse_req_t request) { return mount(request).options_.ids; }
  static client::Subject subject(fuse_req_t request) {
    const fuse_ctx* context = fuse_req_ctx(request);
    const IdShift& shift = ids(request);
    return {shift.from_kernel(context->uid), shift.from_kernel(context->gid), context->umask};
  }
  static fuse_entry_param entry(fuse_req_t request, const Found& found) {
    fuse_entry_param entry{};
    entry.ino = found.attributes.inode == 0 ? 0 : mount(request).node_of(found.attributes.inode);
    entry.attr = to_stat(found.attributes, ids(request));
    entry.entry_timeout = found.keep_name ? kKept : 0.0;
    entry.attr_timeout = found.keep_attributes ? kKept : 0.0;
    return entry;
  }
  static FolderPlaces& places(fuse_req_t request) { return mount(request).places_; }
  // Where the kernel has the folder that it is about to be told of, if that is in another one.
  static std::optional<FolderPlaces::Place> tell_place(fuse_req_t request, const Found& found,
                                                       fuse_ino_t folder, const std::string& name) {
    if (found.attributes.inode == 0 || found.attributes.kind != FileKind::folder)
      return std::nullopt;
    return places(request).tell(mount(request).node_of(found.attributes.inode), {folder, name});
  }
  static void drop_place(fuse_req_t request, const FolderPlaces::Place& place,
                         std::function<void()> done) {
    mount(request).drop_place(place, std::move(done));
  }
  static void set_expire(Mount& own, bool can) { own.can_expire_ = can; }
};

namespace {

using Op = Operations;

// The kernel's answers. A caller that is gone does not read them; nothing is to be done then.
void fail(fuse_req_t request, const Error& error) {
  static_cast<void>(fuse_reply_err(request, to_errno(error)));
}
auto reply_nothing(fuse_req_t request, std::shared_ptr<void> hold = {}) {
  return [request, hold = std::move(hold)](const Result<Nothing>& result) {
    static_cast<void>(fuse_reply_err(request, result ? 0 : to_errno(result.error())));
  };
}
auto reply_entry(fuse_req_t request, std::shared_ptr<void> hold = {}) {
  return [request, hold = std::move(hold)](const Result<Found>& found) {
    if (!found) return fail(request, found.error());
    const fuse_entry_param entry = Op::entry(request, *found);
    static_cast<void>(fuse_reply_entry(request, &entry));
  };
}
auto reply_attributes(fuse_req_t request) {
  return [request](const Result<Found>& found) {
    if (!found) return fail(request, found.error());
    const struct stat status = to_stat(found->attributes, Op::ids(request));
    static_cast<void>(fuse_reply_attr(request, &status, found->keep_attributes ? kKept : 0.0));
  };
}

void op_init(void* data, fuse_conn_info* connection) noexcept {
  const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS |
                          FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_DONT_MASK | FUSE_CAP_READDIRPLUS |
                          FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_POSIX_ACL |
                          FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_EXPLICIT_INVAL_DATA |
                          FUSE_CAP_EXPIRE_ONLY | FUSE_CAP_EXPORT_SUPPORT;
  connection->want = connection->capable & wanted;
  connection->max_write = kTransferMax;
  connection->max_read = kTransferMax;
  connection->max_readahead = kTransferMax;
  connection->max_background = 64;
  connection->congestion_threshold = 48;
  connection->time_gran = 1;
  Op::set_expire(*static_cast<Mount*>(data), (connection->capable & FUSE_CAP_EXPIRE_ONLY) != 0);
}

void op_lookup(fuse_req_t request, fuse_ino_t folder, const char* name) noexcept {
  Op::client(request).lookup(
      Op::inode(request, folder), name,
      [request, folder, name = std::string(name),
       hold = Op::hold(request, folder)](const Result<Found>& found) {
        if (!found) return fail(request, found.error());
        if (found->attributes.inode == 0 && !found->keep_name)
          return fail(request, client::posix_error(ENOENT));
        if (const auto before = Op::tell_place(request, *found, folder, name)) {
          // Asked anew after that: by then this may not be true any more.
          Op::client(request).forget(found->attributes.inode, 1);
          return Op::drop_place(request, *before, [request, folder, name, hold] {
            op_lookup(request, folder, name.c_str());
          });
        }
        const fuse_entry_param entry = Op::entry(request, *found);
        static_cast<void>(fuse_reply_entry(request, &entry));
      });
}

void op_forget(fuse_req_t request, fuse_ino_t node, std::uint64_t lookups) noexcept {
  Op::places(request).forget(node);
  Op::client(request).forget(Op::inode(request, node), lookups);
  fuse_reply_none(request);
}
void op_forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    Op::places(request).forget(forgets[i].ino);
    Op::client(request).forget(Op::inode(request, forgets[i].ino), forgets[i].nlookup);
  }
  fuse_reply_none(request);
}

void op_getattr(fuse_req_t request, fuse_ino_t node, fuse_file_info*) noexcept {
  Op::client(request).get(Op::inode(request, node), reply_attributes(request));
}

void op_setattr(fuse_req_t request, fuse_ino_t node, struct stat* status, int which,
                fuse_file_info*) noexcept {
  Op::client(request).change(Op::inode(request, node), to_change(*status, which, Op::ids(request)),
                             reply_attributes(request));
}

void op_readlink(fuse_req_t request, fuse_ino_t node) noexcept {
  Op::client(request).read_link(Op::inode(request, node),
                                [request](const Result<std::string>& target) {
                                  if (!target) return fail(request, target.error());
                                  static_cast<void>(fuse_reply_readlink(request, target->c_str()));
                                });
}

void make(fuse_req_t request, fuse_ino_t folder, client::NewInode made) {
  Op::client(request).create(Op::inode(request, folder), std::move(made), Op::subject(request),
                             reply_entry(request, Op::hold(request, folder)));
}
void op_mknod(fuse_req_t request, fuse_ino_t folder, const char* name, mode_t mode,
              dev_t device) noexcept {
  make(request, folder, {name, kind_of(mode), mode & 07777, device, {}});
}
void op_mkdir(fuse_req_t request, fuse_ino_t folder, const char* name, mode_t mode) noexcept {
  Op::client(request).create(
      Op::inode(request, folder), {name, FileKind::folder, mode & 07777, 0, {}},
      Op::subject(request),
      [request, folder, name = std::string(name),
       reply = reply_entry(request, Op::hold(request, folder))](const Result<Found>& found) {
        // It is new, so it was nowhere before.
        if (found) static_cast<void>(Op::tell_place(request, *found, folder, name));
        reply(found);
      });
}
void op_symlink(fuse_req_t request, const char* target, fuse_ino_t folder,
                const char* name) noexcept {
  make(request, folder, {name, FileKind::symlink, 0777, 0, target});
}

void op_unlink(fuse_req_t request, fuse_ino_t folder, const char* name) noexcept {
  Op::client(request).remove(Op::inode(request, folder), name, false,
                             reply_nothing(request, Op::hold(request, folder)));
}
void op_rmdir(fuse_req_t request, fuse_ino_t folder, const char* name) noexcept {
  Op::client(request).remove(
      Op::inode(request, folder), name, true,
      [request, folder, name = std::string(name),
       reply = reply_nothing(request, Op::hold(request, folder))](const Result<Nothing>& removed) {
        if (removed) Op::places(request).remove({folder, name});
        reply(removed);
      });
}
void op_rename(fuse_req_t request, fuse_ino_t from, const char* name, fuse_ino_t to,
               const char* new_name, unsigned flags) noexcept {
  const auto holds = std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(
      Op::hold(request, from), Op::hold(request, to));
  Op::client(request).rename(
      Op::inode(request, from), name, Op::inode(request, to), new_name, flags,
      [=, old_place = FolderPlaces::Place(from, name),
       new_place = FolderPlaces::Place(to, new_name),
       reply = reply_nothing(request, holds)](const Result<Nothing>& renamed) {
        const bool exchanges = (flags & RENAME_EXCHANGE) != 0;
        if (renamed) Op::places(request).rename(old_place, new_place, exchanges);
        reply(renamed);
      });
}
void op_link(fuse_req_t request, fuse_ino_t node, fuse_ino_t folder, const char* name) noexcept {
  Op::client(request).link(Op::inode(request, node), Op::inode(request, folder), name,
                           reply_entry(request, Op::hold(request, folder)));
}

void reply_open(fuse_req_t request, InodeNumber inode, fuse_file_info info, bool keep_pages) {
  info.keep_cache = keep_pages ? 1 : 0;
  info.fh = Op::next_file(request);
  if (fuse_reply_open(request, &info) == -ENOENT) Op::client(request).release(inode);
}

void op_open(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) noexcept {
  const bool writes = (file->flags & O_ACCMODE) != O_RDONLY;
  Op::client(request).open(Op::inode(request, node),
                           writes ? client::Client::Access::write : client::Client::Access::read,
                           (file->flags & O_TRUNC) != 0,
                           [request, node, info = *file](const Result<client::Opened>& opened) {
                             if (!opened) return fail(request, opened.error());
                             const InodeNumber inode = Op::inode(request, node);
                             const bool keep = opened->keep_pages;
                             if ((info.flags & O_TRUNC) == 0)
                               return reply_open(request, inode, info, keep);
                             const bool is_root = fuse_req_ctx(request)->uid == 0;
                             Op::client(request).change(
                                 inode, truncation(opened->attributes, is_root),
                                 [request, inode, info, keep](const Result<Found>& changed) {
                                   if (changed) return reply_open(request, inode, info, keep);
                                   Op::client(request).release(inode);
                                   fail(request, changed.error());
                                 });
                           });
}

void op_create(fuse_req_t request, fuse_ino_t folder, const char* name, mode_t mode,
               fuse_file_info* file) noexcept {
  // The name of what is made without one, see Mount::translate().
  const bool is_named = name[0] != '/';
  Op::client(request).create_open(
      Op::inode(request, folder), {is_named ? name : "", FileKind::file, mode & 07777, 0, {}},
      Op::subject(request),
      [request, info = *file,
       hold = Op::hold(request, folder)](const Result<Found>& found) mutable {
        if (!found) return fail(request, found.error());
        info.keep_cache = 1;
        info.fh = Op::next_file(request);
        const fuse_entry_param entry = Op::entry(request, *found);
        if (fuse_reply_create(request, &entry, &info) == -ENOENT)
          Op::client(request).release(found->attributes.inode);
      });
}

void unlock_ranges(fuse_req_t request, InodeNumber inode, std::uint64_t owner) {
  LockRange lock;
  lock.inode = inode;
  lock.owner = owner;
  Op::client(request).set_lock(lock, false, 0, [](const Result<Nothing>&) {});
}

void op_release(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) noexcept {
  const InodeNumber inode = Op::inode(request, node);
  if (const auto locked = Op::lockers(request).find(inode); locked != Op::lockers(request).end()) {
    for (const std::uint64_t owner : locked->second[file->fh]) unlock_ranges(request, inode, owner);
    locked->second.erase(file->fh);
    if (locked->second.empty()) Op::lockers(request).erase(locked);
  }
  if (file->flock_release) {
    LockRange lock;
    lock.inode = inode;
    lock.flavour = LockFlavour::whole;
    lock.owner = file->lock_owner;
    Op::client(request).set_lock(lock, false, 0, [](const Result<Nothing>&) {});
  }
  Op::client(request).release(inode);
  static_cast<void>(fuse_reply_err(request, 0));
}

void op_read(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
             fuse_file_info*) noexcept {
  Op::client(request).read(
      Op::inode(request, node), static_cast<std::uint64_t>(offset), size,
      [request](const Result<std::string_view>& content) {
        if (!content) return fail(request, content.error());
        static_cast<void>(fuse_reply_buf(request, content->data(), content->size()));
      });
}

void op_write(fuse_req_t request, fuse_ino_t node, const char* data, std::size_t size, off_t offset,
              fuse_file_info* file) noexcept {
  const bool appends = (file->flags & O_APPEND) != 0;
  const bool is_sync = (file->flags & (O_SYNC | O_DSYNC)) != 0;
  const InodeNumber inode = Op::inode(request, node);
  Op::client(request).write(inode, static_cast<std::uint64_t>(offset), {data, size}, appends,
                            [request, size, inode, is_sync](const Result<Nothing>& written) {
                              if (!written) return fail(request, written.error());
                              if (!is_sync)
                                return static_cast<void>(fuse_reply_write(request, size));
                              Op::client(request).fsync(
                                  inode, client::Sync::all,
                                  [request, size](const Result<Nothing>& synced) {
                                    if (!synced) return fail(request, synced.error());
                                    static_cast<void>(fuse_reply_write(request, size));
                                  });
                            });
}

void op_flush(fuse_req_t request, fuse_ino_t node, fuse_file_info* file) noexcept {
  const InodeNumber inode = Op::inode(request, node);
  const int late = Op::client(request).take_error(inode);
  const auto locked = Op::lockers(request).find(inode);
  if (locked == Op::lockers(request).end()) {
    static_cast<void>(fuse_reply_err(request, late));
    return;
  }
  for (auto& [open, owners] : locked->second) owners.erase(file->lock_owner);
  LockRange lock;
  lock.inode = inode;
  lock.owner = file->lock_owner;
  Op::client(request).set_lock(lock, false, 0, [request, late](const Result<Nothing>&) {
    static_cast<void>(fuse_reply_err(request, late));
  });
}

void op_fsync(fuse_req_t request, fuse_ino_t node, int data_only, fuse_file_info*) noexcept {
  Op::client(request).fsync(Op::inode(request, node),
                            data_only != 0 ? client::Sync::data : client::Sync::all,
                            reply_nothing(request));
}

void op_opendir(fuse_req_t request, fuse_ino_t, fuse_file_info* file) noexcept {
  // Freed by op_releasedir.
  file->fh = reinterpret_cast<std::uint64_t>(new Listing);
  static_cast<void>(fuse_reply_open(request, file));
}
void op_releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info* file) noexcept {
  delete &listing_of(file);
  static_cast<void>(fuse_reply_err(request, 0));
}

enum class Plus : std::uint8_t { no, yes };

void fill(fuse_req_t request, fuse_ino_t folder, std::size_t size, off_t offset,
          const Listing& listing, Plus plus) {
  std::string buffer(size, '\0');
  std::size_t used = 0;
  for (auto at = static_cast<std::size_t>(offset); at < listing.names.size() + 2; ++at) {
    client::Listed dot{at == 0 ? "." : "..", Op::inode(request, folder), FileKind::folder};
    const client::Listed& listed = at < 2 ? dot : listing.names[at - 2];
    char* target = buffer.data() + used;
    const std::size_t room = size - used;
    const auto next = static_cast<off_t>(at + 1);
    std::size_t needs = 0;
    if (plus == Plus::yes) {
      fuse_entry_param entry{};
      entry.attr = to_stat(listed.kind, listed.inode);
      const bool fits =
          fuse_add_direntry_plus(request, nullptr, 0, listed.name.c_str(), nullptr, 0) <= room;
      if (!fits) break;
      std::optional<Found> found;
      if (at >= 2) found = Op::client(request).look(Op::inode(request, folder), listed);
      if (found) {
        entry = Op::entry(request, *found);
        // Outside of a rename the kernel moves a folder by itself.
        if (found->attributes.kind == FileKind::folder)
          static_cast<void>(Op::places(request).tell(entry.ino, {folder, listed.name}));
      }
      needs = fuse_add_direntry_plus(request, target, room, listed.name.c_str(), &entry, next);
    } else {
      const struct stat status = to_stat(listed.kind, listed.inode);
      needs = fuse_add_direntry(request, target, room, listed.name.c_str(), &status, next);
    }
    if (needs > room) break;
    used += needs;
  }
  static_cast<void>(fuse_reply_buf(request, buffer.data(), used));
}

void read_folder(fuse_req_t request, fuse_ino_t folder, std::size_t size, off_t offset,
                 fuse_file_info* file, Plus plus) {
  Listing& listing = listing_of(file);
  if (listing.is_loaded && offset > 0) return fill(request, folder, size, offset, listing, plus);
  Op::client(request).list(
      Op::inode(request, folder),
      [=, &listing, hold = Op::hold(request, folder)](Result<std::vector<client::Listed>> names) {
        if (!names) return fail(request, names.error());
        listing.names = *std::move(names);
        listing.is_loaded = true;
        fill(request, folder, size, offset, listing, plus);
      });
}
void op_readdir(fuse_req_t request, fuse_ino_t folder, std::size_t size, off_t offset,
                fuse_file_info* file) noexcept {
  read_folder(request, folder, size, offset, file, Plus::no);
}
void op_readdirplus(fuse_req_t request, fuse_ino_t folder, std::size_t size, off_t offset,
                    fuse_file_info* file) noexcept {
  read_folder(request, folder, size, offset, file, Plus::yes);
}

void op_statfs(fuse_req_t request, fuse_ino_t) noexcept {
  Op::client(request).usage([request](const Result<VolumeUsageReply>& usage) {
    if (!usage) return fail(request, usage.error());
    const struct statvfs status = to_statvfs(*usage);
    static_cast<void>(fuse_reply_statfs(request, &status));
  });
}

void op_setxattr(fuse_req_t request, fuse_ino_t node, const char* name, const char* value,
                 std::size_t size, int flags) noexcept {
  Op::client(request).set_xattr(Op::inode(request, node), name,
                                shift_xattr(name, {value, size}, Op::ids(request), ShiftTo::volume),
                                flags, reply_nothing(request));
}
void reply_sized(fuse_req_t request, std::string_view bytes, std::size_t size) {
  if (size == 0) {
    static_cast<void>(fuse_reply_xattr(request, bytes.size()));
  } else if (bytes.size() > size) {
    static_cast<void>(fuse_reply_err(request, ERANGE));
  } else {
    static_cast<void>(fuse_reply_buf(request, bytes.data(), bytes.size()));
  }
}
void op_getxattr(fuse_req_t request, fuse_ino_t node, const char* name, std::size_t size) noexcept {
  Op::client(request).get_xattr(
      Op::inode(request, node), name,
      [request, size, name = std::string(name)](const Result<std::string>& value) {
        if (!value) return fail(request, value.error());
        reply_sized(request, shift_xattr(name, *value, Op::ids(request), ShiftTo::kernel), size);
      });
}
void op_listxattr(fuse_req_t request, fuse_ino_t node, std::size_t size) noexcept {
  Op::client(request).list_xattrs(Op::inode(request, node),
                                  [request, size](const Result<std::vector<std::string>>& names) {
                                    if (!names) return fail(request, names.error());
                                    std::string all;
                                    // The kernel leaves it to the file system what root alone sees.
                                    const bool is_root = fuse_req_ctx(request)->uid == 0;
                                    for (const std::string& name : *names)
                                      if (is_root || !name.starts_with("trusted."))
                                        all += name + '\0';
                                    reply_sized(request, all, size);
                                  });
}
void op_removexattr(fuse_req_t request, fuse_ino_t node, const char* name) noexcept {
  Op::client(request).remove_xattr(Op::inode(request, node), name, reply_nothing(request));
}

void op_fallocate(fuse_req_t request, fuse_ino_t node, int mode, off_t offset, off_t size,
                  fuse_file_info*) noexcept {
  Op::client(request).allocate(
      Op::inode(request, node), mode,
      {static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(size)},
      reply_nothing(request));
}
void op_lseek(fuse_req_t request, fuse_ino_t node, off_t offset, int whence,
              fuse_file_info*) noexcept {
  if (whence != SEEK_DATA && whence != SEEK_HOLE) {
    static_cast<void>(fuse_reply_err(request, EINVAL));
    return;
  }
  Op::client(request).seek(
      Op::inode(request, node), static_cast<std::uint64_t>(offset),
      whence == SEEK_DATA ? SeekFor::data : SeekFor::hole,
      [request](const Result<std::uint64_t>& found) {
        if (!found) return fail(request, found.error());
        static_cast<void>(fuse_reply_lseek(request, static_cast<off_t>(*found)));
      });
}

// A lock that waits can be interrupted; what it was asked for is kept until it is answered.
struct LockWait {
  std::uint64_t ticket = 0;
  client::Client* client = nullptr;
};
void on_interrupt(fuse_req_t, void* data) noexcept {
  const auto* wait = static_cast<LockWait*>(data);
  wait->client->cancel_lock(wait->ticket);
}
void lock(fuse_req_t request, const LockRange& range, bool waits) {
  const auto wait =
      std::make_shared<LockWait>(LockWait{Op::next_ticket(request), &Op::client(request)});
  if (waits) fuse_req_interrupt_func(request, on_interrupt, wait.get());
  Op::client(request).set_lock(
      range, waits, wait->ticket, [request, wait](const Result<Nothing>& result) {
        static_cast<void>(fuse_reply_err(request, result ? 0 : to_errno(result.error())));
      });
}
void op_getlk(fuse_req_t request, fuse_ino_t node, fuse_file_info* file,
              struct flock* range) noexcept {
  const LockRange wanted = to_range(Op::inode(request, node), *range, file->lock_owner);
  Op::client(request).test_lock(wanted, [request](const Result<std::optional<LockRange>>& held) {
    if (!held) return fail(request, held.error());
    const struct flock answer = to_flock(*held);
    static_cast<void>(fuse_reply_lock(request, &answer));
  });
}
void op_setlk(fuse_req_t request, fuse_ino_t node, fuse_file_info* file, struct flock* range,
              int waits) noexcept {
  const LockRange wanted = to_range(Op::inode(request, node), *range, file->lock_owner);
  if (wanted.kind != LockKind::unlock)
    Op::lockers(request)[wanted.inode][file->fh].insert(wanted.owner);
  lock(request, wanted, waits != 0);
}
void op_flock(fuse_req_t request, fuse_ino_t node, fuse_file_info* file, int how) noexcept {
  LockRange wanted;
  wanted.inode = Op::inode(request, node);
  wanted.flavour = LockFlavour::whole;
  wanted.owner = file->lock_owner;
  const int what = how & ~LOCK_NB;
  wanted.kind = what == LOCK_EX   ? LockKind::exclusive
                : what == LOCK_SH ? LockKind::shared
                                  : LockKind::unlock;
  lock(request, wanted, (how & LOCK_NB) == 0 && what != LOCK_UN);
}

}  // namespace

const fuse_lowlevel_ops& operations() {
  static const fuse_lowlevel_ops kOperations = [] {
    fuse_lowlevel_ops table{};
    table.init = op_init;
    table.lookup = op_lookup;
    table.forget = op_forget;
    table.forget_multi = op_forget_multi;
    table.getattr = op_getattr;
    table.setattr = op_setattr;
    table.readlink = op_readlink;
    table.mknod = op_mknod;
    table.mkdir = op_mkdir;
    table.symlink = op_symlink;
    table.unlink = op_unlink;
    table.rmdir = op_rmdir;
    table.rename = op_rename;
    table.link = op_link;
    table.open = op_open;
    table.create = op_create;
    table.release = op_release;
    table.read = op_read;
    table.write = op_write;
    table.flush = op_flush;
    table.fsync = op_fsync;
    table.fsyncdir = op_fsync;
    table.opendir = op_opendir;
    table.releasedir = op_releasedir;
    table.readdir = op_readdir;
    table.readdirplus = op_readdirplus;
    table.statfs = op_statfs;
    table.setxattr = op_setxattr;
    table.getxattr = op_getxattr;
    table.listxattr = op_listxattr;
    table.removexattr = op_removexattr;
    table.fallocate = op_fallocate;
    table.lseek = op_lseek;
    table.getlk = op_getlk;
    table.setlk = op_setlk;
    table.flock = op_flock;
    return table;
  }();
  return kOperations;
}

}  // namespace dfs::fuse
