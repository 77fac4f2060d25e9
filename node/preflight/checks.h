// SPDX-License-Identifier: Apache-2.0
// The table of checks. A check looks at the machine through a Tree and Probes and returns a
// Finding; it never creates, formats or changes anything.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "node/preflight/finding.h"
#include "node/preflight/probes.h"
#include "node/preflight/tree.h"

namespace node::preflight {

struct Machine {
  const Tree& tree;
  Probes& probes;
  Role role = Role::infra;
  std::string data_device = {};         // as the operator named it, empty: chosen
  std::vector<std::string> peers = {};  // other nodes, by name or address
};

// What a failing check means on an appliance.
enum class OnAppliance { fails, warns };

struct Check {
  std::string_view id;
  OnAppliance on_appliance;
  bool on_dmz;  // DMZ nodes carry no DFS server
  Finding (*look)(const Machine& machine);
};

// In the order of the report.
std::span<const Check> all_checks();

// checks_machine.cc
Finding check_os_release(const Machine& machine);
Finding check_os_systemd(const Machine& machine);
Finding check_os_cgroup(const Machine& machine);
Finding check_cpu_cores(const Machine& machine);
Finding check_mem_total(const Machine& machine);
Finding check_os_selinux(const Machine& machine);
Finding check_kernel_features(const Machine& machine);
Finding check_kernel_disks(const Machine& machine);
// checks_disk.cc
Finding check_disk_primary(const Machine& machine);
Finding check_disk_data(const Machine& machine);
Finding check_dfs_device(const Machine& machine);
Finding check_dfs_fuse(const Machine& machine);
// checks_net.cc
Finding check_fw_iptables(const Machine& machine);
Finding check_fw_conflict(const Machine& machine);
Finding check_net_address(const Machine& machine);
Finding check_net_name(const Machine& machine);
Finding check_net_peers(const Machine& machine);
Finding check_time_sync(const Machine& machine);
Finding check_time_source(const Machine& machine);
Finding check_ports_local(const Machine& machine);

}  // namespace node::preflight
