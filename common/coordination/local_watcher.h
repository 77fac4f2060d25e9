// SPDX-License-Identifier: Apache-2.0
// The local engine's thread: fires watches, notices dead sessions and removes what they held. One
// per session.
//
// 1. It sleeps until a commit touches the wake file, a process with a session ends, or it is poked.
// 2. A watch is compared with the tree as of a later transaction than the one it was armed at, so
// no change is missed between reading and arming.
// 3. When the tree cannot be read, every watch fires: its owner looks again and meets the error.
// Threads: any may arm; callbacks run on the watcher's own thread, without locks held.
// Source: inotify(7), pidfd_open(2), fcntl(2) on open file description locks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "common/coordination/local_tree.h"

namespace coordination {

// What the owner of a watch saw of a node.
struct Seen {
  bool exists = false;
  std::int64_t created_txn = 0;
  std::int64_t counter = 0;  // modified_txn, or children_version
  friend bool operator==(const Seen&, const Seen&) = default;
};

enum class WatchKind { data, children };
Seen seen_of(const std::optional<NodeRecord>& node, WatchKind kind);

struct Watch {
  std::string path;
  WatchKind kind = WatchKind::data;
  Seen seen;
  std::int64_t txn = 0;  // the snapshot in which it was seen
  WatchCallback callback;
};

class LocalWatcher {
 public:
  // `lock_file` holds the lock of `session`, whose watcher this is.
  static base::Result<std::unique_ptr<LocalWatcher>> start(std::shared_ptr<LocalTree> tree,
                                                           sys::Fd lock_file,
                                                           std::uint64_t session);
  // Returns when no callback runs any more. Requires: not on the watcher's thread.
  ~LocalWatcher();
  // Errors: throttled too_many_watches.
  base::Result<void> arm(Watch watch);
  void on_session_lost(std::function<void()> callback);

 private:
  LocalWatcher(std::shared_ptr<LocalTree> tree, sys::Fd lock_file, std::uint64_t session)
      : tree_(std::move(tree)), lock_file_(std::move(lock_file)), session_(session) {}
  base::Result<void> open_descriptors();
  base::Result<void> poll_descriptor(int fd, std::uint64_t tag) const;
  void poke() const;
  void run();
  void wait();
  void look();
  base::Result<void> look_at_tree(std::vector<WatchCallback>& fired);
  void follow_sessions(const std::vector<LiveSession>& sessions);
  base::Result<void> end_dead_sessions();
  void take_all_watches(std::vector<WatchCallback>& fired);

  const std::shared_ptr<LocalTree> tree_;
  const sys::Fd lock_file_;
  const std::uint64_t session_;
  sys::Fd epoll_, wake_, poke_;

  // The thread's own.
  std::int64_t sessions_txn_ = -1;
  std::map<std::uint64_t, sys::Fd> processes_;  // session → pidfd
  std::set<std::uint64_t> dead_;

  std::mutex mutex_;  // guards what follows
  bool stopping_ = false;
  std::function<void()> on_lost_;
  std::int64_t looked_txn_ = -1;
  std::vector<Watch> watches_;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace coordination
