// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/disks.h"

#include "tests/support/check_result.h"
#include "tests/unit/node/preflight/fake_machine.h"

namespace {

using node::preflight::Disk;
using node::preflight::Tree;

}  // namespace

TEST_GROUP(Disks) {
  FakeMachine machine;
  Tree tree{machine.at("")};
};

TEST(Disks, a_disk_is_read_with_its_partitions_and_holders) {
  machine.write("sys/block/vda/vda1/holders/dm-3/dev", "252:3\n");
  const auto disks = list_disks(tree);
  LONGS_EQUAL(2, disks.size());
  STRCMP_EQUAL("vda", disks[0].name.c_str());
  STRCMP_EQUAL("253:0", disks[0].number.c_str());
  CHECK_EQUAL(40'000'000'000ULL, disks[0].bytes);
  STRCMP_EQUAL("vda1", disks[0].partitions.at(0).c_str());
  STRCMP_EQUAL("253:1", disks[0].partition_numbers.at(0).c_str());
  STRCMP_EQUAL("dm-3", disks[0].holders.at(0).c_str());
}

TEST(Disks, an_empty_card_reader_is_no_disk) {
  machine.disk("sdc", "8:32", 0);
  LONGS_EQUAL(2, list_disks(tree).size());
}

TEST(Disks, mount_points_are_unescaped_and_broken_lines_passed_over) {
  machine.write("proc/self/mountinfo",
                "22 1 253:1 / /a\\040b\\134c rw shared:1 master:2 - xfs /dev/vda1 rw\n"
                "too short\n"
                "23 1 0:5 / /x rw no-dash xfs none rw\n");
  const auto mounts = list_mounts(tree);
  LONGS_EQUAL(1, mounts.size());
  STRCMP_EQUAL("/a b\\c", mounts[0].point.c_str());
  STRCMP_EQUAL("/dev/vda1", mounts[0].source.c_str());
}

TEST(Disks, the_last_mount_on_the_root_is_the_one_that_counts) {
  machine.write("proc/self/mountinfo",
                "1 1 0:2 / / rw - rootfs rootfs rw\n22 1 253:1 / / rw - xfs /dev/vda1 rw\n");
  const auto root = find_root_disk(tree);
  CHECK(root.has_value());
  STRCMP_EQUAL("vda", root->disk.c_str());
  STRCMP_EQUAL("vda1", root->device.c_str());
}

TEST(Disks, a_whole_disk_may_carry_the_root) {
  machine.write("proc/self/mountinfo", "22 1 253:16 / / rw - xfs /dev/vdb rw\n");
  STRCMP_EQUAL("vdb", find_root_disk(tree)->device.c_str());
  STRCMP_EQUAL("/", mounted_at(list_disks(tree)[1], list_mounts(tree)).c_str());
}

TEST(Disks, the_link_of_the_operator_wins_over_size) {
  machine.disk("vdc", "253:32", 30);
  machine.write("dev/vdc", "");
  machine.write("dev/vdb", "");
  STRCMP_EQUAL("vdc", choose_data_disk(tree, "")->name.c_str());
  machine.link("dev/gestalt-data", "vdb");
  STRCMP_EQUAL("vdb", choose_data_disk(tree, "")->name.c_str());
  STRCMP_EQUAL("vdc", choose_data_disk(tree, "/dev/vdc")->name.c_str());
}

TEST(Disks, a_disk_with_partitions_is_never_chosen_by_itself) {
  machine.write("sys/block/vdb/vdb1/partition", "1\n");
  CHECK(!choose_data_disk(tree, "").has_value());
  CHECK(choose_data_disk(tree, "vdb").has_value());
}
