// SPDX-License-Identifier: Apache-2.0
// What the client tells the kernel to forget. Engines: fuse::Notifier, a fake in the tests.
//
// 1. Requests are carried out in order, elsewhere; never from within the call.
// Threads: the loop's.
#pragma once

#include <functional>
#include <string>

#include "dfs/api/types.h"

namespace dfs::client {

class Kernel {
 public:
  virtual ~Kernel() = default;
  // Attributes, ACLs, and with `pages` the cached content too.
  virtual void forget_inode(InodeNumber inode, bool pages) = 0;
  virtual void forget_name(InodeNumber folder, const std::string& name) = 0;
  // Called once everything asked for before has been done.
  virtual void when_done(std::function<void()> done) = 0;
  // Whether a caller waits for us and holds up what we ask the kernel about this inode.
  virtual bool is_waiting(InodeNumber inode) const = 0;
};

}  // namespace dfs::client
