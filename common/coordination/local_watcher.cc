// SPDX-License-Identifier: Apache-2.0
#include "common/coordination/local_watcher.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace coordination {
namespace {

using base::Code;
using base::Error;
using base::Result;

// Tags of the epoll set; session ids, which are above 0, tag the pidfds.
constexpr std::uint64_t kWakeTag = 0;
constexpr std::uint64_t kPokeTag = UINT64_MAX;

sys::Fd open_process(std::int64_t pid) {
  // glibc 2.34 of EL 9 has no wrapper for it.
  return sys::Fd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
}

// Takes what is there; the number of messages does not matter.
void drain(const sys::Fd& fd) {
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (::read(fd.get(), buffer.data(), buffer.size()) > 0) continue;
}

}  // namespace

Seen seen_of(const std::optional<NodeRecord>& node, WatchKind kind) {
  if (!node) return {};
  const Stat& stat = node->stat;
  return {true, stat.created_txn,
          kind == WatchKind::data ? stat.modified_txn : stat.children_version};
}

Result<std::unique_ptr<LocalWatcher>> LocalWatcher::start(std::shared_ptr<LocalTree> tree,
                                                          sys::Fd lock_file,
                                                          std::uint64_t session) {
  std::unique_ptr<LocalWatcher> watcher(
      new LocalWatcher(std::move(tree), std::move(lock_file), session));
  TRY(watcher->open_descriptors());
  watcher->thread_ = std::thread(&LocalWatcher::run, watcher.get());
  return watcher;
}

LocalWatcher::~LocalWatcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (!thread_.joinable()) return;
  poke();
  thread_.join();
}

Result<void> LocalWatcher::open_descriptors() {
  epoll_ = sys::Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open()) return base::os_error(errno, "make an epoll set");
  wake_ = sys::Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!wake_.is_open()) return base::os_error(errno, "make an inotify instance");
  if (::inotify_add_watch(wake_.get(), tree_->wake_path().c_str(), IN_MODIFY) < 0)
    return base::os_error(errno, "watch " + tree_->wake_path());
  poke_ = sys::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!poke_.is_open()) return base::os_error(errno, "make an eventfd");
  TRY(poll_descriptor(wake_.get(), kWakeTag));
  return poll_descriptor(poke_.get(), kPokeTag);
}

Result<void> LocalWatcher::poll_descriptor(int fd, std::uint64_t tag) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return base::os_error(errno, "add to the epoll set");
  return {};
}

void LocalWatcher::poke() const {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is awake anyway.
  if (::write(poke_.get(), &one, sizeof one) != sizeof one) return;
}

Result<void> LocalWatcher::arm(Watch watch) {
  const std::lock_guard lock(mutex_);
  if (watches_.size() >= kWatchesMax)
    return Error{Code::throttled, "the session has too many watches", "too_many_watches"};
  // The thread has looked at a newer tree already and will not be woken for it again.
  const bool late = looked_txn_ > watch.txn;
  watches_.push_back(std::move(watch));
  if (late) poke();
  return {};
}

void LocalWatcher::on_session_lost(std::function<void()> callback) {
  const std::lock_guard lock(mutex_);
  on_lost_ = std::move(callback);
  poke();
}

void LocalWatcher::run() {
  while (true) {
    look();
    wait();
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
  }
}

void LocalWatcher::wait() {
  std::array<epoll_event, 16> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
    if (tag == kWakeTag) {
      drain(wake_);
    } else if (tag == kPokeTag) {
      drain(poke_);
    } else {
      // The process has ended. A child between fork and exec may hold a copy of the lock for a
      // moment, so the lock is not asked.
      dead_.insert(tag);
      processes_.erase(tag);
    }
  }
}

void LocalWatcher::look() {
  std::vector<WatchCallback> fired;
  // The error itself reaches the owners of the watches when they read again.
  if (!look_at_tree(fired)) take_all_watches(fired);
  for (const WatchCallback& callback : fired) callback();
  // The disk may be full: then the dead stay in the list, and the next commit of anybody, which
  // proves that there is room again, brings us back here.
  if (!dead_.empty() && end_dead_sessions()) dead_.clear();
}

Result<void> LocalWatcher::look_at_tree(std::vector<WatchCallback>& fired) {
  sys::LmdbReadTxn txn = TRY(sys::LmdbReadTxn::begin(tree_->env()));
  const TreeView view(*tree_, txn);
  const TreeState state = TRY(view.state());
  if (state.sessions_txn != sessions_txn_) {
    follow_sessions(TRY(view.sessions()));
    sessions_txn_ = state.sessions_txn;
  }
  const bool alive = TRY(view.has_session(session_));
  if (!alive) take_all_watches(fired);
  const std::lock_guard lock(mutex_);
  if (!alive && on_lost_) fired.push_back(std::exchange(on_lost_, nullptr));
  looked_txn_ = state.txn;
  for (std::size_t i = 0; i < watches_.size();) {
    Watch& watch = watches_[i];
    bool fires = false;
    if (watch.txn < state.txn)
      fires = seen_of(TRY(view.node(watch.path)), watch.kind) != watch.seen;
    if (!fires) {
      ++i;
      continue;
    }
    fired.push_back(std::move(watch.callback));
    std::swap(watch, watches_.back());
    watches_.pop_back();
  }
  return {};
}

void LocalWatcher::follow_sessions(const std::vector<LiveSession>& sessions) {
  std::set<std::uint64_t> alive;
  for (const LiveSession& session : sessions) {
    alive.insert(session.id);
    // The sessions of our own process end by their destructors, or together with us.
    if (session.pid == ::getpid() || processes_.contains(session.id)) continue;
    // First the process, then the lock: if the lock is held afterwards, then the descriptor is that
    // of the session's process and not of a later one with the same number.
    sys::Fd process = open_process(session.pid);
    if (!LocalTree::is_locked(lock_file_, session.id)) {
      dead_.insert(session.id);
    } else if (process.is_open() && poll_descriptor(process.get(), session.id)) {
      processes_.emplace(session.id, std::move(process));
    }
  }
  std::erase_if(processes_, [&](const auto& entry) { return !alive.contains(entry.first); });
  std::erase_if(dead_, [&](std::uint64_t session) { return !alive.contains(session); });
}

Result<void> LocalWatcher::end_dead_sessions() {
  TreeWriter writer = TRY(TreeWriter::begin(*tree_));
  for (const std::uint64_t session : dead_) TRY(writer.end_session(session));
  return std::move(writer).commit();
}

void LocalWatcher::take_all_watches(std::vector<WatchCallback>& fired) {
  const std::lock_guard lock(mutex_);
  for (Watch& watch : watches_) fired.push_back(std::move(watch.callback));
  watches_.clear();
}

}  // namespace coordination
