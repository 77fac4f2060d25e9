// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/scrubber.h"

#include "tests/support/check_result.h"
#include "tests/support/dfs/storage_node.h"
#include "tests/unit/dfs/storage/store_rig.h"

using namespace std::chrono_literals;
using namespace dfs;  // NOLINT: the subject
using dfs::storage::Scrubber;
using dfs::testing::StorageNode;

namespace {

constexpr std::uint64_t kBlock = kBlockBytes;

}  // namespace

TEST_GROUP(Scrubber) {
  sim::World world{1};
  sim::SimNet net{world};
  StorageNode node{world, net, {.disk_bytes = std::uint64_t{256} << 20}};
  std::unique_ptr<Scrubber> scrubber;

  void setup() override {
    for (const GroupNumber group : {1, 2}) {
      node.add_group(group);
      for (ObjectNumber object = 1; object <= 3; ++object) {
        const std::string data(2 * kBlock, 'x');
        node.group(group).propose(
            storage::encode_operation(
                WriteObject{{1, 1, group, object}, 0, storage::sums_of(0, data)}, data),
            [](const base::Result<std::string>&) {});
      }
      world.run_for(10ms);
      node.checkpoint(group);
    }
    scrubber = std::make_unique<Scrubber>(
        node.server(), world,
        [this](std::function<void()> work, std::function<void()> then) {
          world.schedule_after(1ms, [work = std::move(work), then = std::move(then)] {
            work();
            then();
          });
        },
        Scrubber::Options{.bytes_per_second = 16 * kBlock, .period = 1h});
  }
  void teardown() override { scrubber.reset(); }
  void scrub() {
    scrubber->start();
    CHECK_TRUE(world.run_until([this] { return !scrubber->status().is_running; }));
  }
};

TEST(Scrubber, it_reads_everything_at_its_rate) {
  const base::Instant before = world.clock().now();
  scrub();
  LONGS_EQUAL(12 * kBlock, scrubber->status().bytes);
  LONGS_EQUAL(2, scrubber->status().groups_done);
  LONGS_EQUAL(0, scrubber->status().blocks_bad);
  CHECK_TRUE(world.clock().now() - before > 600ms);
}

TEST(Scrubber, it_finds_a_flipped_bit_in_each_sector) {
  for (std::uint64_t sector = 0; sector < 2 * kBlock / 512; ++sector) {
    node.disk.flip_bit(storage::data_path({2, 3}), sector * 4096 + sector);
    scrub();
    LONGS_EQUAL(sector < 8 ? 1 : 2, scrubber->status().blocks_bad);
    CHECK_TRUE(scrubber->status().blocks_lost > 0);
  }
}

TEST(Scrubber, it_runs_by_itself_and_can_be_stopped) {
  world.run_for(61min);
  LONGS_EQUAL(1, scrubber->status().runs);
  scrubber->start();
  world.run_for(10ms);
  scrubber->stop();
  world.run_for(10s);
  CHECK_TRUE(!scrubber->status().is_running && scrubber->status().bytes < 12 * kBlock);
  world.run_for(61min);
  LONGS_EQUAL(2, scrubber->status().runs);
}

TEST(Scrubber, a_group_that_goes_meanwhile_is_left_out) {
  scrubber->start();
  world.run_for(1ms);
  node.server().drop_group(1);
  node.server().drop_group(2);
  CHECK_TRUE(world.run_until([this] { return !scrubber->status().is_running; }));
}
