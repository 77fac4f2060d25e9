// SPDX-License-Identifier: Apache-2.0
// The configuration of a group as a node of the coordination tree.
//
// Used by the metadata server. Layout of the node's data: configuration_record().
// 1. The tree is used by one worker queue only, one call at a time; its watches post to the loop.
// 2. A session that was lost is opened anew; meanwhile the last configuration stays in force and
// changes are answered with errors, which the group repeats.
// Threads: the loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/timers.h"
#include "common/coordination/coordination.h"
#include "dfs/replication/disk_queue.h"
#include "dfs/replication/group.h"

namespace dfs::replication {

std::string configuration_record(const Configuration& configuration);
// Errors: corrupt record_corrupt, bytes_truncated, bytes_left_over; unsupported record_format.
base::Result<Configuration> parse_configuration(std::string_view record);

struct CoordinationStoreOptions {
  std::string path;  // of the node; its parents are made
  // What a new group begins with; all its first members give the same.
  Configuration first;
  // Called on the worker, at the start and when the session was lost.
  std::function<base::Result<std::unique_ptr<coordination::Coordination>>()> open;
  // EventLoop::post: runs the work on the loop. Threads: any.
  std::function<void(std::function<void()>)> post;
};

// Requires: worker and timers outlive it. The worker is one that nobody else waits for.
std::unique_ptr<ConfigurationStore> make_coordination_store(CoordinationStoreOptions options,
                                                            DiskQueue& worker,
                                                            base::Timers& timers);

}  // namespace dfs::replication
