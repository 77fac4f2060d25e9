// SPDX-License-Identifier: Apache-2.0
#include "common/sys/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>

#include <atomic>
#include <cerrno>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/sys/handle.h"

namespace sys {

namespace {

constexpr std::uint64_t kTimerAccuracyUs = 1000;

using EventHandle = Handle<sd_event, sd_event_unref>;

// One sd-event source and what runs when it fires. Freed by whichever comes last: the owner's
// handle or the callback that is running.
struct Source {
  sd_event_source* source = nullptr;
  std::function<void(std::uint32_t)> fire;
  base::Duration period{0};  // of a repeating timer
  base::Instant due;
  bool once = false;
  bool firing = false;
  bool dropped = false;

  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source() {
    if (source != nullptr) sd_event_source_unref(source);
  }

  void run(std::uint32_t events) noexcept {
    firing = true;
    fire(events);
    firing = false;
    if (dropped) delete this;
  }
};

class SourceWatch final : public Watch {
 public:
  explicit SourceWatch(std::unique_ptr<Source> source) : source_(source.release()) {}
  SourceWatch(const SourceWatch&) = delete;
  SourceWatch& operator=(const SourceWatch&) = delete;
  ~SourceWatch() override {
    // Fails only for a descriptor that the caller has closed already, and then nothing is watched.
    sd_event_source_set_enabled(source_->source, SD_EVENT_OFF);
    if (source_->firing)
      source_->dropped = true;
    else
      delete source_;
  }

 private:
  Source* source_;
};

std::uint64_t to_usec(base::Instant when) {
  const auto ns = when.since_boot.count();
  if (ns <= 0) return 0;
  // Rounded up: a timer never fires before its time.
  return static_cast<std::uint64_t>(ns) / 1000 + (ns % 1000 != 0 ? 1 : 0);
}

extern "C" {

int gestalt_on_io(sd_event_source* event_source, int, std::uint32_t events, void* data) noexcept {
  auto* source = static_cast<Source*>(data);
  if (source->once) sd_event_source_set_enabled(event_source, SD_EVENT_OFF);
  source->run(events);
  return 0;
}

int gestalt_on_time(sd_event_source* event_source, std::uint64_t, void* data) noexcept {
  auto* source = static_cast<Source*>(data);
  if (source->period.count() > 0) {
    // Firings that were missed are skipped; the rhythm stays.
    const base::Duration late = base::system_clock().now() - source->due;
    const auto periods = std::max<base::Duration::rep>(late / source->period, 0) + 1;
    source->due = source->due + source->period * periods;
    CHECK_THAT(sd_event_source_set_time(event_source, to_usec(source->due)) >= 0);
    CHECK_THAT(sd_event_source_set_enabled(event_source, SD_EVENT_ONESHOT) >= 0);
  }
  source->run(0);
  return 0;
}

int gestalt_on_signal(sd_event_source*, const signalfd_siginfo*, void* data) noexcept {
  static_cast<Source*>(data)->run(0);
  return 0;
}

int gestalt_on_anchor(sd_event_source*, std::uint64_t, void*) noexcept { return 0; }

}  // extern "C"

class SdLoop final : public EventLoop {
 public:
  explicit SdLoop(EventHandle event) : event_(std::move(event)) {}

  base::Result<void> prepare() {
    wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_.is_open()) return base::os_error(errno, "create an eventfd");
    wake_watch_ = TRY(watch_fd(wake_.get(), EPOLLIN, [this](std::uint32_t) { run_posted(); }));
    // sd-event makes the clock's descriptor with the first timer. Made here, where an error can be
    // reported, it is there for at(), which cannot fail then.
    sd_event_source* anchor = nullptr;
    const int made = sd_event_add_time(event_.get(), &anchor, CLOCK_BOOTTIME, UINT64_MAX,
                                       kTimerAccuracyUs, gestalt_on_anchor, nullptr);
    if (made < 0) return base::os_error(-made, "create a timer");
    anchor_.reset(anchor);
    const int watchdog = sd_event_set_watchdog(event_.get(), 1);
    if (watchdog < 0) return base::os_error(-watchdog, "turn on the watchdog");
    return {};
  }

  base::Result<WatchHandle> watch_fd(int fd, std::uint32_t events,
                                     std::function<void(std::uint32_t)> ready) override {
    return add_io(fd, events, std::move(ready), false);
  }

  base::Result<WatchHandle> on_exit(int pidfd, std::function<void()> fire) override {
    return add_io(
        pidfd, EPOLLIN, [fire = std::move(fire)](std::uint32_t) { fire(); }, true);
  }

  WatchHandle at(base::Instant when, std::function<void()> fire) override {
    return add_time(when, base::Duration(0), std::move(fire));
  }

  WatchHandle every(base::Duration period, std::function<void()> fire) override {
    CHECK_THAT(period.count() > 0);
    return add_time(base::system_clock().now() + period, period, std::move(fire));
  }

  base::Result<WatchHandle> on_signal(int signal, std::function<void()> fire) override {
    auto source = std::make_unique<Source>();
    source->fire = [fire = std::move(fire)](std::uint32_t) { fire(); };
    const int added =
        sd_event_add_signal(event_.get(), &source->source, signal, gestalt_on_signal, source.get());
    if (added < 0) return base::os_error(-added, "watch a signal");
    return WatchHandle(std::make_unique<SourceWatch>(std::move(source)));
  }

  void post(std::function<void()> work) override {
    bool was_empty = false;
    {
      const std::lock_guard lock(mutex_);
      was_empty = posted_.empty();
      posted_.push_back(std::move(work));
    }
    if (was_empty) wake();
  }

  base::Result<void> run() override {
    loop_thread_ = std::this_thread::get_id();
    while (!stopping_.exchange(false)) {
      const int ran = sd_event_run(event_.get(), UINT64_MAX);
      if (ran < 0) return base::os_error(-ran, "run the event loop");
    }
    return {};
  }

  void stop() override {
    stopping_ = true;
    wake();
  }

  bool is_loop_thread() const override { return loop_thread_ == std::this_thread::get_id(); }
  sd_event* native() override { return event_.get(); }

 private:
  base::Result<WatchHandle> add_io(int fd, std::uint32_t events,
                                   std::function<void(std::uint32_t)> ready, bool once) {
    auto source = std::make_unique<Source>();
    source->fire = std::move(ready);
    source->once = once;
    const int added =
        sd_event_add_io(event_.get(), &source->source, fd, events, gestalt_on_io, source.get());
    if (added < 0) return base::os_error(-added, "watch a descriptor");
    return WatchHandle(std::make_unique<SourceWatch>(std::move(source)));
  }

  WatchHandle add_time(base::Instant when, base::Duration period, std::function<void()> fire) {
    auto source = std::make_unique<Source>();
    source->fire = [fire = std::move(fire)](std::uint32_t) { fire(); };
    source->period = period;
    source->due = when;
    // The clock's descriptor exists (prepare), so only a lack of memory is left to fail.
    CHECK_THAT(sd_event_add_time(event_.get(), &source->source, CLOCK_BOOTTIME, to_usec(when),
                                 kTimerAccuracyUs, gestalt_on_time, source.get()) >= 0);
    return std::make_unique<SourceWatch>(std::move(source));
  }

  void wake() {
    // A counter that is full already wakes the loop as well.
    [[maybe_unused]] const int full = ::eventfd_write(wake_.get(), 1);
  }

  void run_posted() {
    eventfd_t count = 0;
    [[maybe_unused]] const int drained = ::eventfd_read(wake_.get(), &count);
    std::deque<std::function<void()>> work;
    {
      const std::lock_guard lock(mutex_);
      work.swap(posted_);
    }
    for (auto& piece : work) {
      piece();
      piece = nullptr;  // what it captured goes now, not after the whole batch
    }
  }

  // Sources go before the loop: members are released in reverse order.
  EventHandle event_;
  Fd wake_;
  Handle<sd_event_source, sd_event_source_unref> anchor_;
  WatchHandle wake_watch_;
  std::mutex mutex_;
  std::deque<std::function<void()>> posted_;  // guarded by mutex_
  std::atomic<bool> stopping_{false};
  std::atomic<std::thread::id> loop_thread_{std::this_thread::get_id()};
};

}  // namespace

base::Result<std::unique_ptr<EventLoop>> EventLoop::make() {
  sd_event* event = nullptr;
  const int made = sd_event_new(&event);
  if (made < 0) return base::os_error(-made, "create an event loop");
  auto loop = std::make_unique<SdLoop>(EventHandle(event));
  TRY(loop->prepare());
  return std::unique_ptr<EventLoop>(std::move(loop));
}

}  // namespace sys
