// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/storage_liaison.h"

#include <algorithm>

#include "tests/support/check_result.h"
#include "tests/unit/dfs/meta/rig.h"

using namespace dfs;        // NOLINT: the subject
using namespace dfs::meta;  // NOLINT
using dfs::meta::testing::Client;
using dfs::meta::testing::Rig;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// Storage servers that say every second that they are here, and do nothing else.
class Disks {
 public:
  explicit Disks(Rig& rig) : rig_(rig), client_(rig, "disks") {}

  void add(const std::string& node, const std::string& host, std::uint64_t free = 1000 * kMiB) {
    alive_[node] = {{node, host, 7863}, 2 * free, free};
  }
  void remove(const std::string& node) { alive_.erase(node); }
  void run_for(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      for (const auto& [node, registration] : alive_) client_.send(registration);
      rig_.world.run_for(1s);
    }
  }
  bool is_known(const std::string& node) const { return rig_.state->storage().contains(node); }
  // Groups that should have a copy there.
  int copies_on(const std::string& node) const {
    int count = 0;
    for (const auto& [number, group] : rig_.state->groups())
      count += static_cast<int>(std::count(group.copies.begin(), group.copies.end(), node));
    return count;
  }
  // As the primary of each group does once the copies are as they should be.
  void reconfigure() {
    const auto groups = rig_.state->groups();
    for (const auto& [number, group] : groups) {
      GroupConfiguration next = group.configuration;
      ++next.epoch;
      next.in_sync = group.copies;
      next.primary = next.in_sync.front();
      CHECK_OK(client_.call(ChangeGroup{next}));
    }
  }

 private:
  Rig& rig_;
  Client client_;
  std::map<std::string, RegisterStorage> alive_;
};

}  // namespace

TEST_GROUP(StorageLiaison) {
  Rig rig;
  Disks disks{rig};

  void setup() override {
    rig.stop();
    rig.options.groups = 4;
    rig.options.copies = 3;
    rig.options.storage_nodes_expected = 3;
    rig.start();
    rig.make_volume();
    for (const char* name : {"one", "two", "three"}) disks.add(name, std::string("host-") + name);
    disks.run_for(2);
    LONGS_EQUAL(4, rig.state->groups().size());
    LONGS_EQUAL(4, disks.copies_on("three"));
  }
};

TEST(StorageLiaison, a_disk_at_the_address_of_one_that_is_gone_gets_its_copies_at_once) {
  disks.remove("three");
  disks.add("blank", "host-three");
  disks.run_for(8);
  LONGS_EQUAL(0, disks.copies_on("three"));
  LONGS_EQUAL(4, disks.copies_on("blank"));
  // Known as long as a group has it in sync, and then forgotten.
  CHECK_TRUE(disks.is_known("three"));
  disks.reconfigure();
  disks.run_for(2);
  CHECK_FALSE(disks.is_known("three"));
}

TEST(StorageLiaison, a_disk_that_is_silent_with_no_other_at_its_address_keeps_its_copies) {
  disks.remove("three");
  disks.add("elsewhere", "host-four");
  disks.run_for(8);
  LONGS_EQUAL(4, disks.copies_on("three"));
  disks.run_for(600);
  LONGS_EQUAL(0, disks.copies_on("three"));
  CHECK_TRUE(disks.is_known("three"));
}

TEST(StorageLiaison, what_is_taken_between_two_reports_is_not_free) {
  Client a(rig, "a");
  UNWRAP(a.open());
  const auto free = [&] {
    const VolumeUsageReply usage = UNWRAP(a.call(VolumeUsage{a.opened.session}));
    return usage.bytes_max - usage.bytes_used;
  };
  LONGS_EQUAL(1000 * kMiB, free());
  const InodeNumber file = a.create(a.opened.root, "x");
  LONGS_EQUAL(0, a.apply(MoveToChunksOp{file, file, 1}).os_errno);
  SetAttributesOp grown;
  grown.inode = file;
  grown.size = grown.allocated = 32 * kMiB;
  LONGS_EQUAL(0, a.apply(grown).os_errno);
  CHECK_TRUE(free() <= 968 * kMiB + 3);
  CHECK_TRUE(free() >= 967 * kMiB);
  // The servers' word counts again.
  disks.run_for(1);
  LONGS_EQUAL(1000 * kMiB, free());
}
