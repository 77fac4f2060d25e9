// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/loop_disk_queue.h"

#include <latch>
#include <string>
#include <thread>

#include "tests/support/check_result.h"

using namespace dfs::replication;

TEST_GROUP(LoopDiskQueue) {
  std::unique_ptr<sys::EventLoop> loop = *sys::EventLoop::make();
  std::unique_ptr<DiskQueue> queue = make_loop_disk_queue(*loop);
};

TEST(LoopDiskQueue, work_is_done_in_order_on_another_thread_and_reported_on_the_loop) {
  std::string worked, reported;
  bool elsewhere = true, on_loop = true;
  for (char name = 'a'; name <= 'z'; ++name) {
    queue->submit(
        [&, name] {
          worked += name;
          elsewhere = elsewhere && !loop->is_loop_thread();
        },
        [&, name] {
          reported += name;
          on_loop = on_loop && loop->is_loop_thread();
          if (name == 'z') loop->stop();
        });
  }
  CHECK_OK(loop->run());
  STRCMP_EQUAL("abcdefghijklmnopqrstuvwxyz", worked.c_str());
  STRCMP_EQUAL("abcdefghijklmnopqrstuvwxyz", reported.c_str());
  CHECK_TRUE(elsewhere && on_loop);
}

TEST(LoopDiskQueue, nothing_is_reported_once_it_is_gone) {
  std::latch begun(1);
  bool ended = false, reported = false;
  queue->submit(
      [&] {
        begun.count_down();
        ended = true;
      },
      [&] { reported = true; });
  begun.wait();
  queue.reset();
  CHECK_TRUE(ended);
  loop->post([&] { loop->stop(); });
  CHECK_OK(loop->run());
  CHECK_FALSE(reported);
}
