// SPDX-License-Identifier: Apache-2.0
// The kernel's structs and ours.
//
// Threads: stateless.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "dfs/client/client.h"

namespace dfs::fuse {

// A container's user numbers: what it calls `id` the kernel calls `first + id`. The volume keeps
// the container's own, so that they do not depend on where it runs. Numbers outside are nobody's,
// but for the machine's root, who is the container's. With `first` 0 nothing is changed.
struct IdShift {
  static constexpr std::uint32_t kCount = 65536;
  static constexpr std::uint32_t kNobody = 65534;
  std::uint32_t first = 0;
  std::uint32_t to_kernel(std::uint32_t id) const;
  std::uint32_t from_kernel(std::uint32_t id) const;
};

FileKind kind_of(mode_t mode);
struct stat to_stat(const Attributes& attributes, const IdShift& shift);
struct stat to_stat(FileKind kind, InodeNumber inode);  // for names in folders
struct statvfs to_statvfs(const VolumeUsageReply& usage);
// `which` are libfuse's FUSE_SET_ATTR_… bits.
client::Change to_change(const struct stat& status, int which, const IdShift& shift);
// What open(2) with O_TRUNC changes beside the content: the times also of an empty file, and
// set-uid and set-gid when it is not root who opens. The latter without execution for the group is
// no right.
client::Change truncation(const Attributes& attributes, bool is_root);
enum class ShiftTo : std::uint8_t { kernel, volume };
// The value of an xattr whose numbers of users and groups are shifted, when it is an ACL.
std::string shift_xattr(std::string_view name, std::string_view value, const IdShift& shift,
                        ShiftTo to);
LockRange to_range(InodeNumber inode, const struct flock& lock, std::uint64_t owner);
struct flock to_flock(const std::optional<LockRange>& held);

}  // namespace dfs::fuse
