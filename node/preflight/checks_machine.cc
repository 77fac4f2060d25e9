// SPDX-License-Identifier: Apache-2.0
// Checks of the operating system, the processors, the memory and the kernel.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "common/base/text.h"
#include "node/preflight/checks.h"

namespace node::preflight {

namespace {

constexpr int kSystemdOldest = 239;
constexpr std::uint64_t kCoresNeeded = 4;
// A machine sold with 16 GB shows less: the kernel and its crash area take some of it.
constexpr std::uint64_t kMemoryNeeded = 15ULL << 30;

std::string os_field(const std::string& text, std::string_view name) {
  for (const std::string_view line : base::split(text, '\n')) {
    if (!line.starts_with(std::string(name) + "=")) continue;
    std::string_view value = base::trim(line.substr(name.size() + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'')) {
      value = value.substr(1, value.size() - 2);
    }
    return std::string(value);
  }
  return {};
}

std::string gibibytes(std::uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f GiB",
                static_cast<double>(bytes) / static_cast<double>(1ULL << 30));
  return text.data();
}

// "0-3,8" is five processors.
std::uint64_t count_list(std::string_view list) {
  std::uint64_t count = 0;
  for (const std::string_view part : base::split(list, ',')) {
    const auto ends = base::split(base::trim(part), '-');
    const auto first = base::parse_int(ends.front(), 0, 1 << 20);
    const auto last = base::parse_int(ends.back(), 0, 1 << 20);
    if (first && last && *last >= *first) count += static_cast<std::uint64_t>(*last - *first + 1);
  }
  return count;
}

// Whole processors that the cgroup's quota allows, 0 when there is no quota.
std::uint64_t quota_cores(const Tree& tree) {
  std::int64_t quota = -1;
  std::int64_t period = 0;
  if (const auto v2 = tree.text("/sys/fs/cgroup/cpu.max")) {
    const auto words = base::split(*v2, ' ');
    quota = base::parse_int(words.front(), 0, INT64_MAX).value_or(-1);
    period = base::parse_int(words.back(), 1, INT64_MAX).value_or(0);
  } else {
    const std::string folder = "/sys/fs/cgroup/cpu/cpu.cfs_";
    quota =
        base::parse_int(tree.text(folder + "quota_us").value_or(""), -1, INT64_MAX).value_or(-1);
    period =
        base::parse_int(tree.text(folder + "period_us").value_or(""), 1, INT64_MAX).value_or(0);
  }
  if (quota <= 0 || period <= 0) return 0;
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(quota / period));
}

bool lists_word(const std::string& text, std::string_view word) {
  for (const std::string_view line : base::split(text, '\n')) {
    for (const std::string_view each : base::split(line, ' ')) {
      const std::size_t tab = each.rfind('\t');
      if (each == word || (tab != std::string_view::npos && each.substr(tab + 1) == word)) {
        return true;
      }
    }
  }
  return false;
}

// Loaded, built in, or there to be loaded on demand.
bool has_module(const Tree& tree, const std::string& name) {
  if (tree.exists("/sys/module/" + name)) return true;
  const std::string release = tree.text("/proc/sys/kernel/osrelease").value_or("none");
  for (const std::string_view file : {"/modules.builtin", "/modules.dep"}) {
    const std::string text = tree.text("/lib/modules/" + release + std::string(file)).value_or("");
    if (text.find("/" + name + ".ko") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

Finding check_os_release(const Machine& machine) {
  const std::string text = machine.tree.text("/etc/os-release").value_or("");
  const std::string id = os_field(text, "ID");
  const std::string version = os_field(text, "VERSION_ID");
  std::string pretty = os_field(text, "PRETTY_NAME");
  if (pretty.empty()) pretty = id.empty() ? "no /etc/os-release" : id + " " + version;
  Finding finding{Verdict::pass, pretty, "Enterprise Linux 9 or 10", "", "/etc/os-release"};
  const std::string like = " " + os_field(text, "ID_LIKE") + " ";
  const bool enterprise =
      id == "rhel" || id == "centos" || like.find(" rhel ") != std::string::npos;
  const auto major = base::parse_int(base::split(version, '.').front(), 0, 1000).value_or(0);
  if (!enterprise) {
    finding.verdict = Verdict::fail;
    finding.fix = "install RHEL, CentOS Stream, Rocky Linux or AlmaLinux 9 or 10";
  } else if (major < 8) {
    finding.verdict = Verdict::fail;
    finding.fix = "this release gets no more updates and its systemd is too old: install 9 or 10";
  } else if (major == 8) {
    finding.verdict = Verdict::warn;
    finding.fix = "works, but plan the move to 9 or 10";
  }
  return finding;
}

Finding check_os_systemd(const Machine& machine) {
  const Tree& tree = machine.tree;
  Finding finding{Verdict::fail, "no systemd", "systemd 239 or later as process 1",
                  "boot the machine with systemd", "/proc/1/comm"};
  std::int64_t newest = 0;
  constexpr std::array<std::string_view, 5> kFolders = {
      "/usr/lib/systemd", "/usr/lib64/systemd", "/lib/systemd", "/usr/lib/x86_64-linux-gnu/systemd",
      "/usr/lib/aarch64-linux-gnu/systemd"};
  constexpr std::string_view kPrefix = "libsystemd-shared-";
  for (const std::string_view folder : kFolders) {
    for (const std::string& name : tree.names(folder)) {
      if (!name.starts_with(kPrefix)) continue;
      const std::string_view rest = std::string_view(name).substr(kPrefix.size());
      const std::string_view digits = rest.substr(0, rest.find_first_not_of("0123456789"));
      newest = std::max(newest, base::parse_int(digits, 0, 100000).value_or(0));
    }
  }
  if (newest == 0) return finding;
  finding.have = static_cast<std::uint64_t>(newest);
  finding.need = kSystemdOldest;
  finding.found = "systemd " + std::to_string(newest);
  if (tree.text("/proc/1/comm") != "systemd") {
    finding.found += ", but process 1 is " + tree.text("/proc/1/comm").value_or("unknown");
    return finding;
  }
  if (newest < kSystemdOldest) {
    finding.fix = "update the operating system";
    return finding;
  }
  finding.verdict = Verdict::pass;
  finding.fix.clear();
  return finding;
}

Finding check_os_cgroup(const Machine& machine) {
  const std::string needed = "cgroup v2 with cpu, memory and pids";
  const auto controllers = machine.tree.text("/sys/fs/cgroup/cgroup.controllers");
  if (!controllers) {
    return {Verdict::fail, "cgroup v1", needed,
            "add systemd.unified_cgroup_hierarchy=1 to the kernel's command line and reboot",
            "/sys/fs/cgroup/cgroup.controllers"};
  }
  std::vector<std::string> missing;
  for (const std::string_view wanted : {"cpu", "memory", "pids"}) {
    if (!lists_word(*controllers, wanted)) missing.emplace_back(wanted);
  }
  if (!missing.empty()) {
    return {Verdict::fail, "cgroup v2 without " + base::join(missing, ", "), needed,
            "remove cgroup_disable= from the kernel's command line and reboot",
            "/sys/fs/cgroup/cgroup.controllers"};
  }
  return {Verdict::pass, "cgroup v2", needed, "", "/sys/fs/cgroup/cgroup.controllers"};
}

Finding check_os_selinux(const Machine& machine) {
  const Tree& tree = machine.tree;
  Finding finding{Verdict::pass, "enforcing", "SELinux enforcing where the system has it", "",
                  "/sys/fs/selinux/enforce"};
  const auto enforce = tree.text("/sys/fs/selinux/enforce");
  if (enforce == "1") return finding;
  const std::string fix = "set SELINUX=enforcing in /etc/selinux/config";
  if (enforce) {
    finding.verdict = Verdict::warn;
    finding.found = "permissive";
    finding.fix = fix + " and run setenforce 1";
  } else if (tree.exists("/etc/selinux/config")) {
    finding.verdict = Verdict::warn;
    finding.found = "switched off";
    finding.fix = fix + ", remove selinux=0 from the kernel's command line and reboot";
  } else {
    finding.verdict = Verdict::skipped;
    finding.found = "not on this system";
  }
  return finding;
}

Finding check_cpu_cores(const Machine& machine) {
  const std::string status = machine.tree.text("/proc/self/status").value_or("");
  std::uint64_t cores = 0;
  for (const std::string_view line : base::split(status, '\n')) {
    if (line.starts_with("Cpus_allowed_list:")) cores = count_list(line.substr(18));
  }
  const std::uint64_t quota = quota_cores(machine.tree);
  const bool limited = quota > 0 && quota < cores;
  if (limited) cores = quota;
  Finding finding{Verdict::pass,
                  std::to_string(cores) + (cores == 1 ? " core" : " cores") +
                      (limited ? " (cgroup quota)" : ""),
                  std::to_string(kCoresNeeded) + " cores",
                  "",
                  "/proc/self/status",
                  cores,
                  kCoresNeeded};
  if (cores < kCoresNeeded) {
    finding.verdict = Verdict::fail;
    finding.fix = "give the machine at least 4 processors";
  }
  return finding;
}

Finding check_mem_total(const Machine& machine) {
  const std::string text = machine.tree.text("/proc/meminfo").value_or("");
  std::uint64_t bytes = 0;
  for (const std::string_view line : base::split(text, '\n')) {
    if (!line.starts_with("MemTotal:")) continue;
    std::string_view number = base::trim(line.substr(9));
    number = number.substr(0, number.find(' '));
    bytes = static_cast<std::uint64_t>(base::parse_int(number, 0, INT64_MAX >> 10).value_or(0))
            << 10;
  }
  std::uint64_t limit = machine.tree.number("/sys/fs/cgroup/memory.max").value_or(0);
  if (limit == 0) {
    limit = machine.tree.number("/sys/fs/cgroup/memory/memory.limit_in_bytes").value_or(0);
  }
  const bool limited = limit > 0 && limit < bytes;
  if (limited) bytes = limit;
  Finding finding{Verdict::pass,
                  gibibytes(bytes) + (limited ? " (cgroup limit)" : ""),
                  "16 GB (15.0 GiB as the kernel counts)",
                  "",
                  "/proc/meminfo",
                  bytes,
                  kMemoryNeeded};
  if (bytes < kMemoryNeeded) {
    finding.verdict = Verdict::fail;
    finding.fix = "give the machine at least 16 GB of memory";
  }
  return finding;
}

Finding check_kernel_disks(const Machine& machine) {
  const Tree& tree = machine.tree;
  std::vector<std::string> missing;
  if (!tree.exists("/dev/loop-control") && !has_module(tree, "loop")) {
    missing.emplace_back("loop devices (loop)");
  }
  if (!lists_word(tree.text("/proc/filesystems").value_or(""), "ext4") &&
      !has_module(tree, "ext4")) {
    missing.emplace_back("ext4 file system (ext4)");
  }
  const bool mkfs = tree.exists("/usr/sbin/mkfs.ext4") || tree.exists("/sbin/mkfs.ext4");
  if (!mkfs) missing.emplace_back("mkfs.ext4");
  const std::string needed = "loop devices, ext4, mkfs.ext4: for the disk limits of containers";
  if (missing.empty()) return {Verdict::pass, "all there", needed, "", "/sys/module, /usr/sbin"};
  return {Verdict::warn, "no " + base::join(missing, ", no "), needed,
          mkfs ? "modprobe loop ext4" : "install e2fsprogs; modprobe loop ext4",
          "/sys/module, /usr/sbin"};
}

Finding check_kernel_features(const Machine& machine) {
  const Tree& tree = machine.tree;
  std::vector<std::string> missing;
  const std::string filesystems = tree.text("/proc/filesystems").value_or("");
  if (!lists_word(filesystems, "overlay") && !has_module(tree, "overlay")) {
    missing.emplace_back("overlay filesystem");
  }
  if (!tree.exists("/proc/self/ns/user") ||
      tree.number("/proc/sys/user/max_user_namespaces").value_or(0) == 0) {
    missing.emplace_back("user namespaces (sysctl user.max_user_namespaces)");
  }
  if (!tree.exists("/proc/sys/kernel/seccomp/actions_avail")) {
    missing.emplace_back("seccomp filters");
  }
  if (!has_module(tree, "ip_set")) missing.emplace_back("ipset (ip_set)");
  if (!has_module(tree, "nf_conntrack")) {
    missing.emplace_back("connection tracking (nf_conntrack)");
  }
  const std::string needed = "overlay, user namespaces, seccomp, ipset, conntrack";
  const std::string kernel = "kernel " + tree.text("/proc/sys/kernel/osrelease").value_or("?");
  if (missing.empty())
    return {Verdict::pass, kernel + " has all", needed, "", "/proc, /sys/module"};
  return {Verdict::fail, kernel + " lacks " + base::join(missing, ", "), needed,
          "boot the distribution's own kernel; install kernel-modules-extra if it is missing",
          "/proc, /sys/module"};
}

}  // namespace node::preflight
