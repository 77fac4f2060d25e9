// SPDX-License-Identifier: Apache-2.0
// A mounted volume: the kernel's requests on one side, a client::Client on the other.
//
// Used by gestalt-dfs-mount; calls libfuse3's low level.
// 1. The loop reads requests from /dev/fuse without blocking and answers them from callbacks: the
// client has no locks and needs none (docs/decisions/0010).
// 2. The kernel keeps names, attributes and pages as long as the client holds leases for them.
// Threads: the loop's, but for the notifier.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "common/sys/event_loop.h"
#include "common/sys/loop_timers.h"
#include "dfs/client/client.h"
#include "dfs/fuse/convert.h"
#include "dfs/fuse/folder_places.h"
#include "dfs/fuse/notifier.h"

namespace dfs::fuse {

inline constexpr unsigned kTransferMax = 1U << 20;  // bytes of one read or write of the kernel

struct MountOptions {
  std::string folder;
  std::string source;  // what /proc/mounts shows
  bool read_only = false;
  bool allow_other = true;
  IdShift ids;               // of the container that the volume is for
  std::string kernel_words;  // further options for the kernel, each led by a comma
};

class Mount final : public client::Kernel {
 public:
  // Does not mount yet. Requires: the loop outlives it.
  Mount(sys::EventLoop& loop, MountOptions options);
  ~Mount() override;  // unmounts
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  // Requires: the client has started, and outlives it. `ended`: the file system was unmounted.
  // Errors: internal mount_failed.
  base::Result<void> start(client::Client& client, std::function<void()> ended);
  // Takes it out of the tree; callers that are inside finish. Errors: os errors (EBUSY).
  base::Result<void> unmount();
  bool is_mounted() const { return is_mounted_; }

  void forget_inode(InodeNumber inode, bool pages) override;
  void forget_name(InodeNumber folder, const std::string& name) override;
  void when_done(std::function<void()> done) override;
  bool is_waiting(InodeNumber inode) const override { return waiting_.contains(inode); }

 private:
  friend class Operations;
  void receive();
  void translate(std::size_t size);
  std::uint64_t node_of(InodeNumber inode) const { return inode == client_->root() ? 1 : inode; }
  InodeNumber inode_of(std::uint64_t node) const { return node == 1 ? client_->root() : node; }
  // While the handle lives a caller is inside with the inode's kernel lock held.
  std::shared_ptr<void> hold(InodeNumber inode);
  // The kernel lets go of a place that a folder has left. `done` is called when it has, or when it
  // cannot, because a caller that waits for us holds up the folder it was in.
  void drop_place(const FolderPlaces::Place& place, std::function<void()> done);

  sys::EventLoop& loop_;
  sys::LoopTimers timers_;
  const MountOptions options_;
  client::Client* client_ = nullptr;
  std::function<void()> ended_;
  struct Session;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Notifier> notifier_;
  sys::WatchHandle watch_;
  std::unordered_map<InodeNumber, int> waiting_;
  // Who has taken range locks through which open file. A process's go with any close of the file by
  // it; those of the open file itself (F_OFD_SETLK) are all that is left when it is let go.
  std::unordered_map<InodeNumber, std::map<std::uint64_t, std::set<std::uint64_t>>> lockers_;
  FolderPlaces places_;
  std::uint64_t next_file_ = 1;
  std::uint64_t next_ticket_ = 1;
  bool is_mounted_ = false;
  bool can_expire_ = false;
};

}  // namespace dfs::fuse
