// SPDX-License-Identifier: Apache-2.0
// Two servers with the same content; blocks of one are spoilt and put back from the other.
#include "dfs/storage/mender.h"

#include "tests/support/check_result.h"
#include "tests/support/dfs/storage_node.h"
#include "tests/unit/dfs/storage/store_rig.h"

using namespace std::chrono_literals;
using namespace dfs;  // NOLINT: the subject
using dfs::testing::StorageNode;

namespace {

constexpr GroupNumber kGroup = 1;
constexpr std::uint64_t kBlock = kBlockBytes;

}  // namespace

TEST_GROUP(Mender) {
  sim::World world{1};
  sim::SimNet net{world};
  StorageNode one{world, net, {.host = "one"}};
  StorageNode two{world, net, {.host = "two"}};

  void setup() override {
    for (StorageNode* node : {&one, &two}) {
      node->add_group(kGroup);
      node->server().peers().set({one.address(), two.address()});
      write(*node, 0, std::string(3 * kBlock, 'x'));
      node->checkpoint(kGroup);
    }
  }
  void write(StorageNode & node, std::uint64_t offset, const std::string& data) {
    bool done = false;
    node.group(kGroup).propose(
        storage::encode_operation(
            WriteObject{{1, 1, kGroup, 1}, offset, storage::sums_of(offset, data)}, data),
        [&done](const base::Result<std::string>&) { done = true; });
    CHECK_TRUE(world.run_until([&done] { return done; }));
  }
  storage::ObjectStore& store() { return one.server().find_machine(kGroup)->store(); }
  void spoil(StorageNode & node, std::uint64_t byte) {
    node.disk.flip_bit(storage::data_path({kGroup, 1}), byte * 8);
  }
  bool mend(std::uint64_t block, const std::vector<std::string>& members) {
    std::optional<bool> mended;
    one.server().mender().mend(store(), {1, block}, members,
                               [&mended](bool good) { mended = good; });
    CHECK_TRUE(world.run_until([&mended] { return mended.has_value(); }));
    return *mended;
  }
};

TEST(Mender, a_spoilt_block_comes_back_from_a_member) {
  spoil(one, kBlock + 5);
  CHECK_FALSE(store().read(1, kBlock, 10).has_value());
  CHECK_TRUE(mend(1, {"gone", "two"}));
  STRCMP_EQUAL("xxx", UNWRAP(store().read(1, kBlock, 3)).c_str());
  LONGS_EQUAL(1, one.server().counters().blocks.mended);
}

TEST(Mender, one_without_a_checksum_waits_for_a_member_that_has_come_as_far) {
  spoil(one, 100);
  write(one, 0, "new");
  CHECK_FALSE(store().read(1, 0, 3).has_value());
  CHECK_FALSE(mend(0, {"two"}));
  write(two, 0, "new");
  CHECK_TRUE(mend(0, {"two"}));
  STRCMP_EQUAL("newxx", UNWRAP(store().read(1, 0, 5)).c_str());
}

TEST(Mender, what_is_spoilt_everywhere_is_lost_and_said_so) {
  spoil(one, 7);
  spoil(two, 99);
  CHECK_FALSE(mend(0, {"two"}));
  LONGS_EQUAL(1, one.server().counters().blocks.lost);
}

TEST(Mender, members_that_do_not_answer_cost_a_bounded_time) {
  spoil(one, 7);
  net.partition({"one"}, {"two"});
  const base::Instant before = world.clock().now();
  CHECK_FALSE(mend(0, {"two"}));
  CHECK_TRUE(world.clock().now() - before < 3s);
}
