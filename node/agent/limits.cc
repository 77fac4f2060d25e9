// SPDX-License-Identifier: Apache-2.0
#include "node/agent/limits.h"

#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <cmath>

#include "common/base/config.h"
#include "common/base/text.h"

namespace node::agent {

namespace {

constexpr std::size_t kControlFileMax = 64 << 10;
constexpr double kCpuTolerance = 0.01;
// cgroup v1 shows "no limit" as a number near the end of the address space.
constexpr std::int64_t kNoLimitV1 = INT64_MAX / 4096 * 4096 - 4096;

std::filesystem::path group_path(const Cgroups& cgroups, const char* controller,
                                 const std::string& control_group) {
  std::filesystem::path out = cgroups.root;
  if (cgroups.version == CgroupVersion::v1) out /= controller;
  return out / control_group.substr(control_group.starts_with('/') ? 1 : 0);
}

std::string read_text(const std::filesystem::path& file) {
  auto text = base::read_file(file, kControlFileMax);
  return text ? std::string(base::trim(*text)) : std::string();
}

std::optional<std::int64_t> number_of(std::string_view text) {
  const auto number = base::parse_int(text, INT64_MIN, INT64_MAX);
  if (!number) return std::nullopt;
  return *number;
}

std::optional<std::int64_t> read_number(const std::filesystem::path& file) {
  return number_of(read_text(file));
}

// The number behind `key` in a file of lines "key number".
std::optional<std::int64_t> find_entry(const std::string& text, std::string_view key) {
  for (const std::string_view line : base::split(text, '\n')) {
    const auto pieces = base::split(line, ' ');
    if (pieces.size() == 2 && pieces[0] == key) return number_of(pieces[1]);
  }
  return std::nullopt;
}

std::optional<double> read_cpus(const Cgroups& cgroups, const std::string& control_group) {
  const auto folder = group_path(cgroups, "cpu", control_group);
  std::optional<std::int64_t> quota;
  std::optional<std::int64_t> period;
  if (cgroups.version == CgroupVersion::v1) {
    quota = read_number(folder / "cpu.cfs_quota_us");
    period = read_number(folder / "cpu.cfs_period_us");
  } else {
    const std::string text = read_text(folder / "cpu.max");
    const auto pieces = base::split(text, ' ');
    if (pieces.size() == 2) {
      quota = number_of(pieces[0]);
      period = number_of(pieces[1]);
    }
  }
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

}  // namespace

Cgroups find_cgroups() {
  Cgroups out;
  struct statfs info = {};
  const bool v2 = statfs(out.root.c_str(), &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
  out.version = v2 ? CgroupVersion::v2 : CgroupVersion::v1;
  return out;
}

EffectiveLimits read_limits(const Cgroups& cgroups, const std::string& control_group,
                            std::int64_t pid) {
  const bool v1 = cgroups.version == CgroupVersion::v1;
  EffectiveLimits out;
  out.cpus = read_cpus(cgroups, control_group);
  out.memory_bytes = read_number(group_path(cgroups, "memory", control_group) /
                                 (v1 ? "memory.limit_in_bytes" : "memory.max"));
  if (out.memory_bytes && *out.memory_bytes >= kNoLimitV1) out.memory_bytes.reset();
  out.pids_max = read_number(group_path(cgroups, "pids", control_group) / "pids.max");
  // Of an overlay this is the size of the file system that takes the changes.
  struct statvfs info = {};
  const std::string root = "/proc/" + std::to_string(pid) + "/root";
  if (pid != 0 && statvfs(root.c_str(), &info) == 0) {
    out.disk_bytes = static_cast<std::int64_t>(info.f_blocks * info.f_frsize);
  }
  return out;
}

std::vector<std::string> judge_limits(const api::RunResources& wanted, std::int64_t pids_max,
                                      const EffectiveLimits& effective) {
  std::vector<std::string> out;
  if (wanted.cpus > 0 &&
      (!effective.cpus || *effective.cpus > wanted.cpus * (1 + kCpuTolerance) + kCpuTolerance)) {
    out.push_back("cpu_limit_not_effective");
  }
  if (wanted.memory_bytes > 0 &&
      (!effective.memory_bytes || *effective.memory_bytes > wanted.memory_bytes)) {
    out.push_back("memory_limit_not_effective");
  }
  if (pids_max > 0 && (!effective.pids_max || *effective.pids_max > pids_max)) {
    out.push_back("pids_limit_not_effective");
  }
  if (wanted.disk_bytes > 0 &&
      (!effective.disk_bytes || *effective.disk_bytes > wanted.disk_bytes)) {
    out.push_back("disk_limit_not_effective");
  }
  return out;
}

CgroupUsage read_usage(const Cgroups& cgroups, const std::string& control_group) {
  const bool v1 = cgroups.version == CgroupVersion::v1;
  CgroupUsage out;
  out.memory_bytes = read_number(group_path(cgroups, "memory", control_group) /
                                 (v1 ? "memory.usage_in_bytes" : "memory.current"))
                         .value_or(0);
  const std::string memory =
      read_text(group_path(cgroups, "memory", control_group) / "memory.stat");
  out.anonymous_bytes = find_entry(memory, v1 ? "total_rss" : "anon").value_or(out.memory_bytes);
  if (v1) {
    const auto folder = group_path(cgroups, "cpuacct", control_group);
    const auto all = read_number(folder / "cpuacct.usage");
    const auto system = read_number(folder / "cpuacct.usage_sys");
    out.cpu_seconds = static_cast<double>(all.value_or(0)) / 1e9;
    out.system_cpu_seconds = static_cast<double>(system.value_or(0)) / 1e9;
  } else {
    const std::string text = read_text(group_path(cgroups, "cpu", control_group) / "cpu.stat");
    out.cpu_seconds = static_cast<double>(find_entry(text, "usage_usec").value_or(0)) / 1e6;
    out.system_cpu_seconds = static_cast<double>(find_entry(text, "system_usec").value_or(0)) / 1e6;
  }
  out.pids = read_number(group_path(cgroups, "pids", control_group) / "pids.current").value_or(0);
  return out;
}

std::filesystem::path oom_file(const Cgroups& cgroups, const std::string& control_group) {
  const bool v1 = cgroups.version == CgroupVersion::v1;
  return group_path(cgroups, "memory", control_group) /
         (v1 ? "memory.oom_control" : "memory.events");
}

std::optional<std::int64_t> read_oom_kills(const Cgroups& cgroups,
                                           const std::string& control_group) {
  return find_entry(read_text(oom_file(cgroups, control_group)), "oom_kill");
}

}  // namespace node::agent
