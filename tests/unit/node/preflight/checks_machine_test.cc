// SPDX-License-Identifier: Apache-2.0
#include "tests/support/check_result.h"
#include "tests/unit/node/preflight/fake_machine.h"

namespace {

using node::preflight::Finding;
using node::preflight::Role;
using node::preflight::Verdict;

}  // namespace

TEST_GROUP(PreflightMachine) { FakeMachine machine; };

TEST(PreflightMachine, a_rebuild_of_enterprise_linux_9_passes) {
  expect(Verdict::pass, "Rocky Linux 9.4 (Blue Onyx)", machine.look("os.release"));
}

TEST(PreflightMachine, another_distribution_fails_a_production_node_and_warns_an_appliance) {
  machine.write("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n");
  expect(Verdict::fail, "Debian 12", machine.look("os.release"));
  expect(Verdict::warn, "Debian 12", machine.look("os.release", Role::appliance));
}

TEST(PreflightMachine, release_7_fails_release_8_warns_and_no_file_fails) {
  machine.write("etc/os-release", "ID=\"centos\"\nVERSION_ID=\"7\"\n");
  expect(Verdict::fail, "centos 7", machine.look("os.release"));
  machine.write("etc/os-release", "ID=\"rhel\"\nVERSION_ID=\"8.10\"\n");
  expect(Verdict::warn, "rhel 8.10", machine.look("os.release"));
  machine.remove("etc/os-release");
  expect(Verdict::fail, "no /etc/os-release", machine.look("os.release"));
}

TEST(PreflightMachine, systemd_must_be_new_enough_and_process_1) {
  expect(Verdict::pass, "systemd 252", machine.look("os.systemd"));
  machine.write("proc/1/comm", "bash\n");
  expect(Verdict::fail, "systemd 252, but process 1 is bash", machine.look("os.systemd"));
  machine.write("proc/1/comm", "systemd\n");
  machine.remove("usr/lib64/systemd");
  expect(Verdict::fail, "no systemd", machine.look("os.systemd"));
  machine.write("usr/lib/systemd/libsystemd-shared-219.so", "");
  expect(Verdict::fail, "systemd 219", machine.look("os.systemd", Role::appliance));
}

TEST(PreflightMachine, cgroup_version_and_controllers_are_looked_at) {
  expect(Verdict::pass, "cgroup v2", machine.look("os.cgroup"));
  machine.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n");
  expect(Verdict::fail, "cgroup v2 without memory", machine.look("os.cgroup"));
  machine.remove("sys/fs/cgroup/cgroup.controllers");
  expect(Verdict::warn, "cgroup v1", machine.look("os.cgroup", Role::appliance));
}

TEST(PreflightMachine, processors_count_by_affinity_and_quota) {
  expect(Verdict::pass, "4 cores", machine.look("cpu.cores"));
  machine.write("sys/fs/cgroup/cpu.max", "150000 100000\n");
  expect(Verdict::fail, "1 core (cgroup quota)", machine.look("cpu.cores"));
  machine.remove("sys/fs/cgroup/cpu.max");
  machine.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  machine.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  expect(Verdict::fail, "2 cores (cgroup quota)", machine.look("cpu.cores"));
  machine.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  machine.write("proc/self/status", "Cpus_allowed_list:\t0-2\n");
  expect(Verdict::warn, "3 cores", machine.look("cpu.cores", Role::appliance));
}

TEST(PreflightMachine, memory_of_a_machine_sold_with_16_gb_passes) {
  expect(Verdict::pass, "15.4 GiB", machine.look("mem.total"));
  machine.write("proc/meminfo", "MemTotal: 15728639 kB\n");  // one KiB under 15.0 GiB
  expect(Verdict::fail, "15.0 GiB", machine.look("mem.total"));
  machine.write("proc/meminfo", "MemTotal: 15728640 kB\n");
  expect(Verdict::pass, "15.0 GiB", machine.look("mem.total"));
}

TEST(PreflightMachine, a_cgroup_limit_counts_as_the_memory) {
  machine.write("sys/fs/cgroup/memory.max", "2147483648\n");
  expect(Verdict::fail, "2.0 GiB (cgroup limit)", machine.look("mem.total"));
}

TEST(PreflightMachine, each_missing_kernel_feature_is_named) {
  expect(Verdict::pass, "kernel 5.14.0-503.el9.x86_64 has all", machine.look("kernel.features"));
  machine.write("proc/filesystems", "nodev\tfuse\n");
  machine.write("proc/sys/user/max_user_namespaces", "0\n");
  machine.remove("proc/sys/kernel/seccomp");
  machine.remove("lib/modules");
  expect(Verdict::fail,
         "kernel 5.14.0-503.el9.x86_64 lacks overlay filesystem, user namespaces (sysctl "
         "user.max_user_namespaces), seccomp filters, ipset (ip_set), connection tracking "
         "(nf_conntrack)",
         machine.look("kernel.features", Role::appliance));
  machine.write("sys/module/ip_set/parameters/max_sets", "64\n");
  CHECK(machine.look("kernel.features").found.find("ipset") == std::string::npos);
}

TEST(PreflightMachine, selinux_should_enforce_where_the_system_has_it) {
  expect(Verdict::pass, "enforcing", machine.look("os.selinux"));
  machine.write("sys/fs/selinux/enforce", "0");
  expect(Verdict::warn, "permissive", machine.look("os.selinux"));
  machine.remove("sys/fs/selinux");
  const Finding absent = machine.look("os.selinux");
  CHECK(absent.verdict == Verdict::skipped);
  STRCMP_EQUAL("not on this system", absent.found.c_str());
  machine.write("etc/selinux/config", "SELINUX=disabled\n");
  expect(Verdict::warn, "switched off", machine.look("os.selinux"));
}

TEST(PreflightMachine, what_disk_limits_need_is_named_one_by_one) {
  expect(Verdict::pass, "all there", machine.look("kernel.disks"));
  machine.remove("usr/sbin/mkfs.ext4");
  expect(Verdict::warn, "no mkfs.ext4", machine.look("kernel.disks"));
  machine.remove("dev/loop-control");
  machine.write("proc/filesystems", "nodev\toverlay\n\txfs\n");
  expect(Verdict::warn, "no loop devices (loop), no ext4 file system (ext4), no mkfs.ext4",
         machine.look("kernel.disks"));
  machine.write("lib/modules/5.14.0-503.el9.x86_64/modules.dep",
                "kernel/fs/ext4/ext4.ko.xz:\nkernel/drivers/block/loop.ko.xz:\n");
  machine.write("sbin/mkfs.ext4", "");
  expect(Verdict::pass, "all there", machine.look("kernel.disks"));
}
