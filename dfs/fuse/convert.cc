// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 314
#include "dfs/fuse/convert.h"

#include <fuse_lowlevel.h>

#include <algorithm>
#include <limits>

#include "dfs/client/acl.h"
#include "dfs/fuse/operations.h"

namespace dfs::fuse {

namespace {

constexpr TimeNs kSecond = 1'000'000'000;
constexpr std::uint64_t kStatBlock = 512;
constexpr std::uint16_t kAclUser = 0x02;   // ACL_USER and ACL_GROUP of linux/posix_acl.h, which
constexpr std::uint16_t kAclGroup = 0x08;  // alone have a number

struct timespec to_timespec(TimeNs time) {
  TimeNs seconds = time / kSecond;
  TimeNs rest = time % kSecond;
  if (rest < 0) {
    rest += kSecond;
    --seconds;
  }
  return {static_cast<time_t>(seconds), static_cast<long>(rest)};
}
TimeNs to_time(const struct timespec& time) {
  constexpr TimeNs kMost = std::numeric_limits<TimeNs>::max() / kSecond - 1;
  return std::clamp<TimeNs>(time.tv_sec, -kMost, kMost) * kSecond + time.tv_nsec;
}

mode_t type_of(FileKind kind) {
  switch (kind) {
    case FileKind::file: return S_IFREG;
    case FileKind::folder: return S_IFDIR;
    case FileKind::symlink: return S_IFLNK;
    case FileKind::fifo: return S_IFIFO;
    case FileKind::socket: return S_IFSOCK;
    case FileKind::char_device: return S_IFCHR;
    case FileKind::block_device: return S_IFBLK;
  }
  return 0;  // not known, DT_UNKNOWN
}

int fallback_errno(base::Code code) {
  switch (code) {
    case base::Code::invalid_argument: return EINVAL;
    case base::Code::unauthenticated: return EACCES;
    case base::Code::permission_denied: return EACCES;
    case base::Code::not_found: return ENOENT;
    case base::Code::already_exists: return EEXIST;
    case base::Code::failed_precondition: return EBUSY;
    case base::Code::conflict: return ESTALE;
    case base::Code::throttled: return EAGAIN;
    case base::Code::no_space: return ENOSPC;
    case base::Code::unavailable: return EHOSTUNREACH;
    case base::Code::timed_out: return ETIMEDOUT;
    case base::Code::unsupported: return EOPNOTSUPP;
    case base::Code::too_large: return EFBIG;
    case base::Code::corrupt: return EIO;
    case base::Code::internal: return EIO;
  }
  return EIO;
}

}  // namespace

std::uint32_t IdShift::to_kernel(std::uint32_t id) const {
  if (first == 0) return id;
  return id < kCount ? first + id : kNobody;
}
std::uint32_t IdShift::from_kernel(std::uint32_t id) const {
  if (first == 0 || id == 0) return id;
  return id >= first && id - first < kCount ? id - first : kNobody;
}

std::string shift_xattr(std::string_view name, std::string_view value, const IdShift& shift,
                        ShiftTo to) {
  if (shift.first == 0 || (name != client::kAccessAcl && name != client::kDefaultAcl))
    return std::string(value);
  std::optional<client::Acl> acl = client::parse_acl(value);
  if (!acl) return std::string(value);
  for (client::AclEntry& entry : *acl) {
    if (entry.tag != kAclUser && entry.tag != kAclGroup) continue;
    entry.id = to == ShiftTo::kernel ? shift.to_kernel(entry.id) : shift.from_kernel(entry.id);
  }
  return client::format_acl(*acl);
}

int to_errno(const base::Error& error) {
  return error.os_errno != 0 ? error.os_errno : fallback_errno(error.code);
}

FileKind kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return FileKind::folder;
    case S_IFLNK: return FileKind::symlink;
    case S_IFIFO: return FileKind::fifo;
    case S_IFSOCK: return FileKind::socket;
    case S_IFCHR: return FileKind::char_device;
    case S_IFBLK: return FileKind::block_device;
    default: return FileKind::file;
  }
}

struct stat to_stat(FileKind kind, InodeNumber inode) {
  struct stat status {};
  status.st_ino = inode;
  status.st_mode = type_of(kind);
  return status;
}

struct stat to_stat(const Attributes& attributes, const IdShift& shift) {
  struct stat status = to_stat(attributes.kind, attributes.inode);
  status.st_mode |= attributes.mode;
  status.st_nlink = attributes.links;
  status.st_uid = shift.to_kernel(attributes.uid);
  status.st_gid = shift.to_kernel(attributes.gid);
  status.st_rdev = attributes.device;
  status.st_size = static_cast<off_t>(attributes.size);
  status.st_blksize = static_cast<blksize_t>(kBlockBytes);
  status.st_blocks = static_cast<blkcnt_t>((attributes.allocated + kStatBlock - 1) / kStatBlock);
  status.st_atim = to_timespec(attributes.accessed);
  status.st_mtim = to_timespec(attributes.modified);
  status.st_ctim = to_timespec(attributes.changed);
  return status;
}

struct statvfs to_statvfs(const VolumeUsageReply& usage) {
  struct statvfs status {};
  status.f_bsize = kBlockBytes;
  status.f_frsize = kBlockBytes;
  status.f_blocks = usage.bytes_max / kBlockBytes;
  status.f_bfree = (usage.bytes_max - std::min(usage.bytes_max, usage.bytes_used)) / kBlockBytes;
  status.f_bavail = status.f_bfree;
  status.f_ffree = usage.inodes_max - std::min(usage.inodes_max, usage.inodes_used);
  // Without a limit of their own, files can be made as long as there is room.
  if (usage.inodes_max == 0) status.f_ffree = status.f_bfree * (kBlockBytes / kStatBlock);
  status.f_files = usage.inodes_used + status.f_ffree;
  status.f_favail = status.f_ffree;
  status.f_namemax = kNameMax;
  return status;
}

client::Change to_change(const struct stat& status, int which, const IdShift& shift) {
  client::Change change;
  if ((which & FUSE_SET_ATTR_MODE) != 0) change.mode = status.st_mode & 07777;
  if ((which & FUSE_SET_ATTR_UID) != 0) change.uid = shift.from_kernel(status.st_uid);
  if ((which & FUSE_SET_ATTR_GID) != 0) change.gid = shift.from_kernel(status.st_gid);
  if ((which & FUSE_SET_ATTR_SIZE) != 0) change.size = static_cast<std::uint64_t>(status.st_size);
  if ((which & FUSE_SET_ATTR_ATIME) != 0) change.accessed = to_time(status.st_atim);
  if ((which & FUSE_SET_ATTR_MTIME) != 0) change.modified = to_time(status.st_mtim);
  change.accessed_now = (which & FUSE_SET_ATTR_ATIME_NOW) != 0;
  change.modified_now = (which & FUSE_SET_ATTR_MTIME_NOW) != 0;
  return change;
}

LockRange to_range(InodeNumber inode, const struct flock& lock, std::uint64_t owner) {
  LockRange range;
  range.inode = inode;
  range.owner = owner;
  range.kind = lock.l_type == F_WRLCK   ? LockKind::exclusive
               : lock.l_type == F_RDLCK ? LockKind::shared
                                        : LockKind::unlock;
  range.first = static_cast<std::uint64_t>(lock.l_start);
  range.last =
      lock.l_len == 0 ? UINT64_MAX : range.first + static_cast<std::uint64_t>(lock.l_len) - 1;
  range.pid = static_cast<std::uint32_t>(lock.l_pid);
  return range;
}

struct flock to_flock(const std::optional<LockRange>& held) {
  struct flock lock {};
  lock.l_type = F_UNLCK;
  if (!held) return lock;
  lock.l_type = held->kind == LockKind::exclusive ? F_WRLCK : F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(held->first);
  lock.l_len = held->last >= static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())
                   ? 0
                   : static_cast<off_t>(held->last - held->first + 1);
  lock.l_pid = static_cast<pid_t>(held->pid);
  return lock;
}

client::Change truncation(const Attributes& attributes, bool is_root) {
  client::Change change;
  change.size = 0;
  std::uint32_t mode = attributes.mode;
  if (!is_root) {
    mode &= ~static_cast<std::uint32_t>(S_ISUID);
    if ((mode & S_IXGRP) != 0) mode &= ~static_cast<std::uint32_t>(S_ISGID);
  }
  if (mode != attributes.mode) change.mode = mode;
  return change;
}

}  // namespace dfs::fuse
