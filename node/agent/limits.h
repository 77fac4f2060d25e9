// SPDX-License-Identifier: Apache-2.0
// Control groups as they are: whether limits took effect, what is used, whether memory ran out.
// And the disk limit, which is no control group's.
//
// systemd accepts limits also where the kernel does not enforce them (a controller that is
// read-only or missing), so they are read back after each start and never assumed.
// Threads: any; the functions read small files of cgroupfs and do not block.
// Source: Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "node/api/run_spec.h"

namespace node::agent {

enum class CgroupVersion { v1, v2 };

// Where control groups are: the version is known from what is mounted.
struct Cgroups {
  std::filesystem::path root = "/sys/fs/cgroup";
  CgroupVersion version = CgroupVersion::v2;
};
Cgroups find_cgroups();

// What the kernel enforces; nullopt: no limit, or it could not be read.
struct EffectiveLimits {
  std::optional<double> cpus;
  std::optional<std::int64_t> memory_bytes;
  std::optional<std::int64_t> pids_max;
  std::optional<std::int64_t> disk_bytes = {};
};
// `control_group` as systemd names it: "/gestalt.slice/gst-….service".
// The disk limit is the size of the file system at the root of process `pid`; 0: not looked at.
EffectiveLimits read_limits(const Cgroups& cgroups, const std::string& control_group,
                            std::int64_t pid = 0);

// The tokens for InstanceStatus::degraded: cpu_limit_not_effective, memory_…, pids_…, disk_….
std::vector<std::string> judge_limits(const api::RunResources& wanted, std::int64_t pids_max,
                                      const EffectiveLimits& effective);

struct CgroupUsage {
  std::int64_t memory_bytes = 0;
  std::int64_t anonymous_bytes = 0;  // of these, what is no cache of files
  double cpu_seconds = 0;
  double system_cpu_seconds = 0;  // of these, in the kernel
  std::int64_t pids = 0;
};
CgroupUsage read_usage(const Cgroups& cgroups, const std::string& control_group);

// How often the kernel killed a process of the group for want of memory; nullopt when it cannot be
// read (any more).
std::optional<std::int64_t> read_oom_kills(const Cgroups& cgroups,
                                           const std::string& control_group);
// The file with that counter, to be watched for changes.
std::filesystem::path oom_file(const Cgroups& cgroups, const std::string& control_group);

}  // namespace node::agent
