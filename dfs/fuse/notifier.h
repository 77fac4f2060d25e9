// SPDX-License-Identifier: Apache-2.0
// Tells the kernel what to forget, from a thread of its own: the kernel may hold the call up until
// requests of ours are answered, which the loop must stay free to do.
//
// 1. Requests are carried out in order.
// Threads: everything but the notifier's own thread is on the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/sys/event_loop.h"

struct fuse_session;

namespace dfs::fuse {

class Notifier {
 public:
  // `can_expire`: names are only marked old, so that folders in use stay connected.
  Notifier(sys::EventLoop& loop, fuse_session* session, bool can_expire);
  ~Notifier();  // drops what is queued; waits for what is under way
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void forget_inode(std::uint64_t node, bool pages);
  void forget_name(std::uint64_t folder, const std::string& name);
  // Also what has been expired before; a folder that is in use is cut off until it is found anew.
  void drop_name(std::uint64_t folder, const std::string& name);
  void when_done(std::function<void()> done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dfs::fuse
