// SPDX-License-Identifier: Apache-2.0
// Takes a block device or a folder for the file system's data, and finds it again at each start.
//
// 1. Only a blank device, or one that was claimed before for the same cluster, is taken: never one
// that is mounted, has partitions, is part of something else or carries anything that is known.
// 2. What was claimed carries a superblock (cluster, disk id, format). A disk id is never used
// again: a disk that was wiped is a new one.
// 3. Claiming twice is claiming once.
// The file system is ext4: a sync of blocks that were written before costs one flush and no journal
// commit, any size will do, and each node has its check program.
// Threads: any but the loop's (commands are run). Source: blkid(8) -p, mkfs.ext4(8), sysfs(5),
// proc(5).
#pragma once

#include <filesystem>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace dfs::storage {

struct Superblock {
  std::string cluster;
  std::string disk;  // the NodeId of replication
};
std::string encode_superblock(const Superblock& superblock);
// Errors: corrupt record_corrupt, bytes_truncated, bytes_left_over; unsupported record_format.
base::Result<Superblock> decode_superblock(std::string_view bytes);

// Errors: not_found superblock_absent; those of decode_superblock; os errors.
base::Result<Superblock> load_superblock(const std::filesystem::path& folder);

// The folder is made when it is missing, but not its parents. Errors: failed_precondition
// folder_in_use (not empty and not ours), cluster_differs; os errors.
base::Result<Superblock> claim_folder(const std::filesystem::path& folder,
                                      const std::string& cluster, base::Rng& rng);

struct DeviceClaim {
  std::filesystem::path device;
  std::filesystem::path folder;  // where it is mounted
  std::string cluster;
  std::uint64_t bytes_min = std::uint64_t{15} * 1000 * 1000 * 1000;
};
// Errors: invalid_argument device_invalid (not a block device, read-only); failed_precondition
// device_in_use, device_too_small, cluster_differs; internal command_failed; os errors.
base::Result<Superblock> claim_device(const DeviceClaim& claim, base::Rng& rng);

}  // namespace dfs::storage
