// SPDX-License-Identifier: Apache-2.0
#include "tests/support/check_result.h"
#include "tests/unit/node/preflight/fake_machine.h"

namespace {

using node::preflight::Finding;
using node::preflight::Role;
using node::preflight::Verdict;

}  // namespace

TEST_GROUP(PreflightDisk) { FakeMachine machine; };

TEST(PreflightDisk, the_root_partition_counts_not_its_disk) {
  expect(Verdict::pass, "vda1 20.5 GB", machine.look("disk.primary"));
  machine.write("sys/block/vda/vda1/size", "19531249\n");  // one sector under 10 GB
  expect(Verdict::fail, "vda1 10.0 GB", machine.look("disk.primary"));
}

TEST(PreflightDisk, a_root_on_a_mapped_device_is_found) {
  machine.write("proc/self/mountinfo", "22 1 252:0 / / rw - xfs /dev/mapper/rl-root rw\n");
  machine.write("sys/block/dm-0/dev", "252:0\n");
  machine.write("sys/block/dm-0/size", "25000000\n");
  machine.write("sys/block/vda/vda1/holders/dm-0/dev", "252:0\n");
  expect(Verdict::pass, "dm-0 12.8 GB", machine.look("disk.primary"));
  // The disk below is then the root disk, so it is never taken for data.
  expect(Verdict::fail, "vda is the root disk", machine.look("dfs.device", Role::infra, "vda"));
}

TEST(PreflightDisk, a_root_that_is_no_device_is_judged_by_its_filesystem_or_skipped) {
  machine.write("proc/self/mountinfo", "22 1 0:40 / / rw - overlay overlay rw\n");
  expect(Verdict::skipped, "the root is on no block device", machine.look("disk.primary"));
  machine.probes.root_bytes = 9'000'000'000;
  expect(Verdict::fail, "root filesystem of 9.0 GB", machine.look("disk.primary"));
}

TEST(PreflightDisk, data_of_20_gb_passes_15_warns_less_fails) {
  expect(Verdict::pass, "vdb 20.0 GB", machine.look("disk.data"));
  machine.disk("vdb", "253:16", 16);
  expect(Verdict::warn, "vdb 16.0 GB", machine.look("disk.data"));
  machine.disk("vdb", "253:16", 15);
  expect(Verdict::warn, "vdb 15.0 GB", machine.look("disk.data"));
  machine.disk("vdb", "253:16", 14);
  expect(Verdict::fail, "vdb 14.0 GB", machine.look("disk.data"));
  machine.remove("sys/block/vdb");
  expect(Verdict::fail, "no free disk", machine.look("disk.data"));
  expect(Verdict::fail, "/dev/sdz is not a disk",
         machine.look("disk.data", Role::infra, "/dev/sdz"));
}

TEST(PreflightDisk, the_largest_free_disk_is_chosen_and_odd_devices_never) {
  machine.disk("vdc", "253:32", 30);
  machine.disk("loop0", "7:0", 90);
  machine.disk("zram0", "251:0", 90);
  machine.disk("sr0", "11:0", 90);
  machine.disk("sdu", "8:80", 90);
  machine.write("sys/block/sdu/removable", "1\n");
  expect(Verdict::pass, "vdc 30.0 GB", machine.look("disk.data"));
}

TEST(PreflightDisk, a_blank_separate_disk_passes) {
  expect(Verdict::pass, "vdb is blank", machine.look("dfs.device"));
}

TEST(PreflightDisk, the_root_disk_is_refused) {
  expect(Verdict::fail, "vda is the root disk",
         machine.look("dfs.device", Role::infra, "/dev/vda"));
}

TEST(PreflightDisk, a_mounted_disk_is_refused_with_its_mount_point) {
  machine.write("proc/self/mountinfo",
                "22 1 253:1 / / rw - xfs /dev/vda1 rw\n"
                "30 22 253:16 / /mnt/my\\040data rw - xfs /dev/vdb rw\n");
  expect(Verdict::fail, "vdb is mounted at /mnt/my data",
         machine.look("dfs.device", Role::infra, "vdb"));
}

TEST(PreflightDisk, a_disk_with_a_filesystem_is_refused_and_named) {
  std::string head(1 << 17, '\0');
  head.replace(0, 4, "XFSB");
  machine.write("dev/vdb", head);
  const Finding finding = machine.look("dfs.device");
  expect(Verdict::fail, "vdb carries xfs", finding);
  STRCMP_CONTAINS("wipefs --all /dev/vdb", finding.fix.c_str());
  expect(Verdict::warn, "vdb carries xfs", machine.look("dfs.device", Role::appliance));
}

TEST(PreflightDisk, a_disk_that_is_held_removable_or_read_only_is_refused) {
  machine.write("sys/block/vdb/holders/md0/dev", "9:0\n");
  expect(Verdict::fail, "vdb is part of md0", machine.look("dfs.device", Role::infra, "vdb"));
  machine.remove("sys/block/vdb/holders");
  machine.write("sys/block/vdb/removable", "1\n");
  expect(Verdict::fail, "vdb is removable", machine.look("dfs.device", Role::infra, "vdb"));
  machine.write("sys/block/vdb/ro", "1\n");
  expect(Verdict::fail, "vdb is read-only", machine.look("dfs.device", Role::infra, "vdb"));
}

TEST(PreflightDisk, a_dmz_node_needs_no_data_disk) {
  machine.remove("sys/block/vdb");
  expect(Verdict::skipped, "not needed on a DMZ node", machine.look("disk.data", Role::dmz));
  expect(Verdict::skipped, "not needed on a DMZ node", machine.look("dfs.device", Role::dmz));
}

TEST(PreflightDisk, fuse_needs_kernel_and_device) {
  expect(Verdict::pass, "can be opened", machine.look("dfs.fuse"));
  machine.probes.fuse = "Operation not permitted";
  expect(Verdict::fail, "cannot be opened: Operation not permitted", machine.look("dfs.fuse"));
  machine.probes.fuse = std::nullopt;
  expect(Verdict::fail, "no /dev/fuse", machine.look("dfs.fuse"));
  machine.write("proc/filesystems", "\txfs\n");
  expect(Verdict::warn, "the kernel has no fuse filesystem",
         machine.look("dfs.fuse", Role::appliance));
}
