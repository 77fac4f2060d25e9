// SPDX-License-Identifier: Apache-2.0
// `gestalt dfs …`: the distributed file system's volumes, state and check.
#pragma once

#include <cstdint>
#include <string>

#include "cli/session.h"

namespace cli {

struct VolumeOptions {
  std::string name;
  std::int64_t quota_bytes = 0;   // 0: none; below: as it is
  std::int64_t quota_inodes = 0;  // likewise
  std::string durability = "posix";
};

Status dfs_volume_create(const Session& session, const VolumeOptions& options);
Status dfs_volume_list(const Session& session);
Status dfs_volume_show(const Session& session, const std::string& name);
Status dfs_volume_remove(const Session& session, const std::string& name);
Status dfs_volume_quota(const Session& session, const VolumeOptions& options);
// `gestalt dfs snapshot …`
Status dfs_snapshot_create(const Session& session, const std::string& volume,
                           const std::string& name);
Status dfs_snapshot_list(const Session& session, const std::string& volume);
Status dfs_snapshot_remove(const Session& session, const std::string& volume,
                           const std::string& name);
Status dfs_snapshot_restore(const Session& session, const std::string& volume,
                            const std::string& name);
// `gestalt dfs device …`
Status dfs_device_list(const Session& session);
Status dfs_device_forget(const Session& session, const std::string& node);
// `gestalt dfs scrub …`, of the storage server on this node.
enum class ScrubVerb { status, start, stop };
Status dfs_scrub(const Session& session, ScrubVerb verb);
Status dfs_status(const Session& session);
// Fails when something is wrong.
Status dfs_fsck(const Session& session);

}  // namespace cli
