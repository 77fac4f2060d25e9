// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/checks.h"

namespace node::preflight {

namespace {

constexpr Check kChecks[] = {
    {"os.release", OnAppliance::warns, true, check_os_release},
    {"os.systemd", OnAppliance::fails, true, check_os_systemd},
    {"os.cgroup", OnAppliance::warns, true, check_os_cgroup},
    {"os.selinux", OnAppliance::warns, true, check_os_selinux},
    {"cpu.cores", OnAppliance::warns, true, check_cpu_cores},
    {"mem.total", OnAppliance::warns, true, check_mem_total},
    {"disk.primary", OnAppliance::warns, true, check_disk_primary},
    {"disk.data", OnAppliance::warns, false, check_disk_data},
    {"dfs.device", OnAppliance::warns, false, check_dfs_device},
    {"dfs.fuse", OnAppliance::warns, false, check_dfs_fuse},
    {"fw.iptables", OnAppliance::fails, true, check_fw_iptables},
    {"fw.conflict", OnAppliance::warns, true, check_fw_conflict},
    {"kernel.features", OnAppliance::fails, true, check_kernel_features},
    {"kernel.disks", OnAppliance::warns, true, check_kernel_disks},
    {"net.addr", OnAppliance::warns, true, check_net_address},
    {"net.name", OnAppliance::warns, true, check_net_name},
    {"net.peers", OnAppliance::warns, true, check_net_peers},
    {"time.sync", OnAppliance::warns, true, check_time_sync},
    {"time.source", OnAppliance::warns, true, check_time_source},
    {"ports.local", OnAppliance::fails, true, check_ports_local},
};

}  // namespace

std::span<const Check> all_checks() { return kChecks; }

}  // namespace node::preflight
