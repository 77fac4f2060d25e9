// SPDX-License-Identifier: Apache-2.0
// Where work that blocks on a disk is done, so that the loop does not wait for it.
//
// Used by the journal and by state machines for their checkpoints. Engines: LoopDiskQueue (a thread
// of its own), sim::SimDiskQueue (virtual time, delays by seed).
// 1. Pieces of work of one queue are done one at a time, in the order in which they were given;
// their `done` calls come in that order too.
// 2. When the queue is destroyed, what has begun is ended; what has not may be left undone, and no
// `done` is called any more.
// Threads: submit() and `done` on the loop, `work` on another thread.
#pragma once

#include <functional>

namespace dfs::replication {

class DiskQueue {
 public:
  virtual ~DiskQueue() = default;
  virtual void submit(std::function<void()> work, std::function<void()> done) = 0;
};

}  // namespace dfs::replication
