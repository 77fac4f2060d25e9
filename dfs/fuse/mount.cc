// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 314
#include "dfs/fuse/mount.h"

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "dfs/fuse/operations.h"

namespace dfs::fuse {

using base::Code;
using base::Error;
using base::Result;

namespace {

// Requests that are taken per turn of the loop, so that links and timers get theirs.
constexpr int kRequestsPerTurn = 64;
constexpr auto kDropMax = std::chrono::milliseconds(100);

}  // namespace

struct Mount::Session {
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
  fuse_session* session = nullptr;
  fuse_buf buffer{};
  ~Session() {
    if (session != nullptr) fuse_session_destroy(session);
    fuse_opt_free_args(&args);
    std::free(buffer.mem);
  }
};

Mount::Mount(sys::EventLoop& loop, MountOptions options)
    : loop_(loop),
      timers_(loop),
      options_(std::move(options)),
      session_(std::make_unique<Session>()) {}

Mount::~Mount() {
  watch_.reset();
  if (is_mounted_) fuse_session_unmount(session_->session);
  notifier_.reset();
}

Result<void> Mount::start(client::Client& client, std::function<void()> ended) {
  client_ = &client;
  ended_ = std::move(ended);
  // libfuse leaves out set-uid programs and device files unless it is told; the rest of the system
  // mounts with them.
  std::string words =
      "default_permissions,suid,dev,subtype=gestalt,max_read=" + std::to_string(kTransferMax) +
      ",fsname=" + options_.source;
  if (options_.allow_other) words += ",allow_other";
  if (options_.read_only) words += ",ro";
  words += options_.kernel_words;
  for (const std::string& word : {std::string("gestalt-dfs-mount"), std::string("-o"), words})
    if (fuse_opt_add_arg(&session_->args, word.c_str()) != 0)
      return base::os_error(ENOMEM, "start FUSE");
  session_->session =
      fuse_session_new(&session_->args, &operations(), sizeof(fuse_lowlevel_ops), this);
  if (session_->session == nullptr)
    return Error{Code::internal, "libfuse did not start", "mount_failed"};
  if (fuse_session_mount(session_->session, options_.folder.c_str()) != 0)
    return Error{Code::internal, "could not mount on " + options_.folder, "mount_failed"};
  is_mounted_ = true;
  const int fd = fuse_session_fd(session_->session);
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return base::os_error(errno, "set /dev/fuse up");
  watch_ = TRY(loop_.watch_fd(fd, EPOLLIN, [this](std::uint32_t) { receive(); }));
  return {};
}

void Mount::receive() {
  for (int i = 0; i < kRequestsPerTurn && !fuse_session_exited(session_->session); ++i) {
    const int size = fuse_session_receive_buf(session_->session, &session_->buffer);
    if (size == -EINTR) continue;
    if (size == -EAGAIN) return;
    if (size <= 0) break;
    translate(static_cast<std::size_t>(size));
    fuse_session_process_buf(session_->session, &session_->buffer);
    if (!notifier_ && client_ != nullptr) {
      // The first request was FUSE_INIT: what the kernel can do is known now.
      notifier_ = std::make_unique<Notifier>(loop_, session_->session, can_expire_);
    }
  }
  if (!fuse_session_exited(session_->session)) return;
  watch_.reset();
  is_mounted_ = false;
  ended_();
}

// libfuse 3.14 does not know FUSE_TMPFILE. It has the body and the answer of FUSE_CREATE, with "/"
// for a name, which no file can have.
void Mount::translate(std::size_t size) {
  fuse_buf& buffer = session_->buffer;
  if ((buffer.flags & FUSE_BUF_IS_FD) != 0 || size < sizeof(fuse_in_header)) return;
  auto* header = static_cast<fuse_in_header*>(buffer.mem);
  if (header->opcode == FUSE_TMPFILE) header->opcode = FUSE_CREATE;
}

Result<void> Mount::unmount() {
  if (!is_mounted_) return {};
  if (::umount2(options_.folder.c_str(), 0) != 0) {
    const int number = errno;
    // A folder in use leaves the tree now and goes away with its last user.
    if (number != EBUSY || ::umount2(options_.folder.c_str(), MNT_DETACH) != 0)
      return base::os_error(number, "unmount " + options_.folder);
  }
  return {};
}

void Mount::forget_inode(InodeNumber inode, bool pages) {
  if (notifier_) notifier_->forget_inode(node_of(inode), pages);
}
void Mount::forget_name(InodeNumber folder, const std::string& name) {
  if (notifier_) notifier_->forget_name(node_of(folder), name);
}
void Mount::when_done(std::function<void()> done) {
  if (notifier_) return notifier_->when_done(std::move(done));
  loop_.post(std::move(done));
}

void Mount::drop_place(const FolderPlaces::Place& place, std::function<void()> done) {
  if (!notifier_) return done();
  struct Dropping {
    std::function<void()> done;
    base::TimerHandle timer;
  };
  // Of the timer and the notifier's answer, whichever comes first.
  const auto dropping = std::make_shared<Dropping>();
  dropping->done = std::move(done);
  const auto finish = [dropping] {
    const base::TimerHandle fired = std::move(dropping->timer);
    if (const auto call = std::exchange(dropping->done, {})) call();
  };
  dropping->timer = timers_.after(kDropMax, finish);
  notifier_->drop_name(place.first, place.second);
  notifier_->when_done(finish);
}

std::shared_ptr<void> Mount::hold(InodeNumber inode) {
  ++waiting_[inode];
  return {this, [inode](Mount* mount) {
            const auto found = mount->waiting_.find(inode);
            if (--found->second == 0) mount->waiting_.erase(found);
          }};
}

}  // namespace dfs::fuse
