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

FileKind kind_of(mode_t mode);
struct stat to_stat(const Attributes& attributes);
struct stat to_stat(FileKind kind, InodeNumber inode);  // for names in folders
struct statvfs to_statvfs(const VolumeUsageReply& usage);
// `which` are libfuse's FUSE_SET_ATTR_… bits.
client::Change to_change(const struct stat& status, int which);
LockRange to_range(InodeNumber inode, const struct flock& lock, std::uint64_t owner);
struct flock to_flock(const std::optional<LockRange>& held);

}  // namespace dfs::fuse
