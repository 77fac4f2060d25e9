// SPDX-License-Identifier: Apache-2.0
#include "common/sys/event_loop.h"

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "common/sys/process.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

using namespace std::chrono_literals;
using base::Code;

// A test that waits for something that never comes ends here instead of hanging.
TEST_GROUP(EventLoop) {
  std::unique_ptr<sys::EventLoop> loop;
  sys::WatchHandle guard;
  bool timed_out = false;

  void setup() override {
    loop = UNWRAP(sys::EventLoop::make());
    guard = loop->after(10s, [this] {
      timed_out = true;
      loop->stop();
    });
  }

  void run_loop() {
    CHECK_OK(loop->run());
    CHECK_FALSE(timed_out);
  }
};

TEST(EventLoop, posted_work_runs_in_order_on_the_loop_thread_and_after_the_current_callback) {
  std::string order;
  loop->post([&] {
    order += "a";
    loop->post([&] {
      order += "c";
      loop->stop();
    });
    order += "b";
  });
  run_loop();
  STRCMP_EQUAL("abc", order.c_str());
}

TEST(EventLoop, work_comes_from_many_threads_and_none_is_lost) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  int done = 0;
  bool all_on_loop = true;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; ++j) {
        loop->post([&] {
          all_on_loop = all_on_loop && loop->is_loop_thread();
          if (++done == kThreads * kEach) loop->stop();
        });
      }
    });
  }
  run_loop();
  for (std::thread& thread : threads) thread.join();
  LONGS_EQUAL(kThreads * kEach, done);
  CHECK_TRUE(all_on_loop);
}

TEST(EventLoop, stop_from_another_thread_ends_run_and_run_can_be_called_again) {
  for (int i = 0; i < 3; ++i) {
    std::thread other([&] {
      CHECK_FALSE(loop->is_loop_thread());
      loop->stop();
    });
    run_loop();
    other.join();
  }
}

TEST(EventLoop, a_timer_fires_once_not_before_its_time_and_soon_after) {
  const base::Instant start = base::system_clock().now();
  base::Instant fired;
  int count = 0;
  const auto timer = loop->at(start + 20ms, [&] {
    ++count;
    fired = base::system_clock().now();
  });
  const auto end = loop->after(60ms, [&] { loop->stop(); });
  run_loop();
  LONGS_EQUAL(1, count);
  CHECK_TRUE(fired >= start + 20ms);
}

TEST(EventLoop, a_timer_in_the_past_fires_at_once) {
  const auto timer = loop->at(base::Instant{}, [&] { loop->stop(); });
  run_loop();
}

TEST(EventLoop, a_late_repeating_timer_skips_what_it_missed) {
  int count = 0;
  const base::Instant start = base::system_clock().now();
  const auto timer = loop->every(10ms, [&] {
    if (++count == 1) std::this_thread::sleep_for(55ms);  // what a slow callback does
    if (count == 4) loop->stop();
  });
  run_loop();
  // At 10 ms, late at 65 ms, then at 70 and 80 ms: not six at once at 65 ms.
  CHECK_TRUE(base::system_clock().now() - start >= 75ms);
}

TEST(EventLoop, a_watch_may_be_dropped_inside_its_own_callback) {
  int fds[2];
  LONGS_EQUAL(0, ::pipe(fds));
  const sys::Fd read_end(fds[0]);
  const sys::Fd write_end(fds[1]);
  LONGS_EQUAL(1, ::write(write_end.get(), "x", 1));
  int io = 0;
  int ticks = 0;
  auto marker = std::make_shared<int>(0);
  sys::WatchHandle watch;
  sys::WatchHandle ticker;
  watch = UNWRAP(loop->watch_fd(read_end.get(), EPOLLIN, [&, marker](std::uint32_t events) {
    CHECK_TRUE((events & EPOLLIN) != 0);
    watch.reset();
    // What the callback captured is alive until it returns.
    LONGS_EQUAL(0, *marker);
    ++io;
  }));
  ticker = loop->every(1ms, [&, marker] {
    ticker.reset();
    ticks += 1 + *marker;
  });
  const auto end = loop->after(20ms, [&] { loop->stop(); });
  run_loop();
  LONGS_EQUAL(1, io);
  LONGS_EQUAL(1, ticks);
  LONGS_EQUAL(1, marker.use_count());
}

TEST(EventLoop, a_callback_may_drop_and_replace_another_watch_that_is_ready_too) {
  int fds[2];
  LONGS_EQUAL(0, ::pipe(fds));
  const sys::Fd read_end(fds[0]);
  const sys::Fd write_end(fds[1]);
  LONGS_EQUAL(1, ::write(write_end.get(), "x", 1));
  const sys::Fd copy(::dup(read_end.get()));
  int fired = 0;
  sys::WatchHandle a;
  sys::WatchHandle b;
  const auto ready = [&](std::uint32_t) {
    ++fired;
    a.reset();
    b.reset();
  };
  a = UNWRAP(loop->watch_fd(read_end.get(), EPOLLIN, ready));
  b = UNWRAP(loop->watch_fd(copy.get(), EPOLLIN, ready));
  const auto end = loop->after(10ms, [&] { loop->stop(); });
  run_loop();
  LONGS_EQUAL(1, fired);
}

TEST(EventLoop, watching_a_bad_descriptor_is_an_error) {
  CHECK_ERROR(Code::internal, "os_error", loop->watch_fd(-1, EPOLLIN, [](std::uint32_t) {}));
  CHECK_ERROR(Code::internal, "os_error", loop->watch_fd(9999, EPOLLIN, [](std::uint32_t) {}));
}

TEST(EventLoop, a_blocked_signal_arrives_as_a_callback) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  LONGS_EQUAL(0, pthread_sigmask(SIG_BLOCK, &set, nullptr));
  int count = 0;
  const auto watch = UNWRAP(loop->on_signal(SIGUSR1, [&] {
    ++count;
    loop->stop();
  }));
  LONGS_EQUAL(0, ::kill(::getpid(), SIGUSR1));
  run_loop();
  LONGS_EQUAL(1, count);
}

TEST(EventLoop, the_end_of_a_process_fires_once) {
  const char* argv[] = {"/bin/true", nullptr};
  char* none[] = {nullptr};
  pid_t pid = -1;
  LONGS_EQUAL(0, ::posix_spawn(&pid, argv[0], nullptr, nullptr, const_cast<char**>(argv), none));
  const sys::Fd pidfd = UNWRAP(sys::open_pidfd(pid));
  int count = 0;
  const auto watch = UNWRAP(loop->on_exit(pidfd.get(), [&] { ++count; }));
  const auto end = loop->after(200ms, [&] { loop->stop(); });
  run_loop();
  LONGS_EQUAL(1, count);
  LONGS_EQUAL(pid, ::waitpid(pid, nullptr, 0));
}

// systemd's side of the watchdog: the socket that a unit finds in NOTIFY_SOCKET.
TEST_GROUP(Watchdog) {
  TempFolder folder;
  sys::Fd socket;
  std::unique_ptr<sys::EventLoop> loop;

  void setup() override {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder / "notify";
    CHECK_TRUE(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    socket = sys::Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    LONGS_EQUAL(0, ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                          static_cast<socklen_t>(sizeof address)));
    LONGS_EQUAL(0, ::setenv("NOTIFY_SOCKET", path.c_str(), 1));
  }
  void teardown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  void make_loop(std::chrono::microseconds period) {
    LONGS_EQUAL(0, ::setenv("WATCHDOG_USEC", std::to_string(period.count()).c_str(), 1));
    LONGS_EQUAL(0, ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1));
    loop = UNWRAP(sys::EventLoop::make());
  }
  // What waits in the socket, taken out of it. Each must be a keep-alive.
  int take_keep_alives() {
    int count = 0;
    char text[256];
    for (ssize_t size = 0; (size = ::recv(socket.get(), text, sizeof text, 0)) >= 0; ++count) {
      const std::string_view got(text, static_cast<std::size_t>(size));
      STRCMP_EQUAL("WATCHDOG=1", std::string(got.substr(0, got.find('\n'))).c_str());
    }
    return count;
  }
};

TEST(Watchdog, a_loop_that_turns_says_so_before_each_period_is_over) {
  constexpr auto kPeriod = 1s;
  const base::Instant start = base::system_clock().now();
  make_loop(kPeriod);
  // The first one comes at once, each other one after a half to three quarters of the period.
  int count = take_keep_alives();
  LONGS_EQUAL(1, count);
  base::Instant third;
  const auto watch = UNWRAP(loop->watch_fd(socket.get(), EPOLLIN, [&](std::uint32_t) {
    count += take_keep_alives();
    third = base::system_clock().now();
    if (count >= 3) loop->stop();
  }));
  const auto guard = loop->after(10s, [&] { loop->stop(); });
  CHECK_OK(loop->run());
  CHECK_TRUE(count >= 3);
  CHECK_TRUE(third < start + 2 * kPeriod);
}

TEST(Watchdog, a_loop_that_hangs_is_silent) {
  make_loop(200ms);
  take_keep_alives();
  int said = -1;
  loop->post([&] {
    take_keep_alives();
    std::this_thread::sleep_for(500ms);  // what a callback that hangs does
    said = take_keep_alives();
    loop->stop();
  });
  CHECK_OK(loop->run());
  LONGS_EQUAL(0, said);
}

TEST(Watchdog, nothing_is_said_to_a_systemd_that_does_not_ask) {
  loop = UNWRAP(sys::EventLoop::make());
  const auto end = loop->after(50ms, [&] { loop->stop(); });
  CHECK_OK(loop->run());
  LONGS_EQUAL(0, take_keep_alives());
}
