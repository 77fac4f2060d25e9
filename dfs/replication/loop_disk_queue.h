// SPDX-License-Identifier: Apache-2.0
// A DiskQueue with a thread of its own beside the daemon's event loop.
//
// Threads: made, used and destroyed on the loop's; the loop outlives it.
#pragma once

#include <memory>

#include "common/sys/event_loop.h"
#include "dfs/replication/disk_queue.h"

namespace dfs::replication {

std::unique_ptr<DiskQueue> make_loop_disk_queue(sys::EventLoop& loop);

}  // namespace dfs::replication
