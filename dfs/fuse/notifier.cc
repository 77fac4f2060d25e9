// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 314
#include "dfs/fuse/notifier.h"

#include <fuse_lowlevel.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace dfs::fuse {

struct Notifier::State {
  struct Item {
    std::uint64_t node = 0;
    bool pages = false;
    std::string name;
    std::function<void()> done;
    bool drops = false;  // the name, whoever uses it
  };

  State(sys::EventLoop& l, fuse_session* s, bool expire)
      : loop(l), session(s), can_expire(expire), thread([this] { run(); }) {}

  void add(Item item) {
    {
      const std::lock_guard hold(mutex);
      items.push_back(std::move(item));
    }
    changed.notify_one();
  }

  void run() {
    std::unique_lock hold(mutex);
    while (true) {
      changed.wait(hold, [this] { return is_ending || !items.empty(); });
      if (is_ending) return;
      std::deque<Item> batch = std::exchange(items, {});
      hold.unlock();
      for (Item& item : batch) carry_out(item);
      hold.lock();
    }
  }

  // Errors mean that the kernel does not know what it should forget.
  void carry_out(Item& item) const {
    if (item.done) return loop.post(std::move(item.done));
    if (!item.name.empty()) {
      if (can_expire && !item.drops) {
        static_cast<void>(fuse_lowlevel_notify_expire_entry(session, item.node, item.name.data(),
                                                            item.name.size(), FUSE_LL_EXPIRE_ONLY));
      } else {
        static_cast<void>(fuse_lowlevel_notify_inval_entry(session, item.node, item.name.data(),
                                                           item.name.size()));
      }
      return;
    }
    // A negative offset: attributes and ACLs alone.
    static_cast<void>(fuse_lowlevel_notify_inval_inode(session, item.node, item.pages ? 0 : -1, 0));
  }

  sys::EventLoop& loop;
  fuse_session* session;
  const bool can_expire;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Item> items;
  bool is_ending = false;
  std::thread thread;
};

Notifier::Notifier(sys::EventLoop& loop, fuse_session* session, bool can_expire)
    : state_(std::make_unique<State>(loop, session, can_expire)) {}

Notifier::~Notifier() {
  {
    const std::lock_guard hold(state_->mutex);
    state_->is_ending = true;
  }
  state_->changed.notify_one();
  state_->thread.join();
}

void Notifier::forget_inode(std::uint64_t node, bool pages) { state_->add({node, pages, {}, {}}); }
void Notifier::forget_name(std::uint64_t folder, const std::string& name) {
  state_->add({folder, false, name, {}});
}
void Notifier::drop_name(std::uint64_t folder, const std::string& name) {
  state_->add({folder, false, name, {}, true});
}
void Notifier::when_done(std::function<void()> done) {
  state_->add({0, false, {}, std::move(done)});
}

}  // namespace dfs::fuse
