// SPDX-License-Identifier: Apache-2.0
// Checks of the root disk, the data device and FUSE.
#include <array>
#include <cstdio>

#include "node/preflight/checks.h"
#include "node/preflight/disks.h"
#include "node/preflight/signature.h"

namespace node::preflight {

namespace {

constexpr std::uint64_t kGigabyte = 1000ULL * 1000 * 1000;
constexpr std::uint64_t kPrimaryNeeded = 10 * kGigabyte;
constexpr std::uint64_t kDataWanted = 20 * kGigabyte;  // a node
constexpr std::uint64_t kDataNeeded = 15 * kGigabyte;  // a DFS server

std::string gigabytes(std::uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f GB",
                static_cast<double>(bytes) / static_cast<double>(kGigabyte));
  return text.data();
}

const char* kAddDevice =
    "attach a second disk of 20 GB, or name it with --data-device; it must not be the root disk";

}  // namespace

Finding check_disk_primary(const Machine& machine) {
  Finding finding{Verdict::pass, "", "10 GB", "", "/proc/self/mountinfo"};
  finding.need = kPrimaryNeeded;
  std::uint64_t bytes = 0;
  if (const auto root = find_root_disk(machine.tree)) {
    bytes = root->bytes;
    finding.found = root->device + " " + gigabytes(bytes);
  } else if (const auto whole = machine.probes.filesystem_bytes("/")) {
    // In a container the root is no block device of its own; its filesystem's size must do.
    bytes = *whole;
    finding.found = "root filesystem of " + gigabytes(bytes);
  } else {
    finding.verdict = Verdict::skipped;
    finding.found = "the root is on no block device";
    return finding;
  }
  finding.have = bytes;
  if (bytes < kPrimaryNeeded) {
    finding.verdict = Verdict::fail;
    finding.fix = "grow the root partition to at least 10 GB";
  }
  return finding;
}

Finding check_disk_data(const Machine& machine) {
  Finding finding{Verdict::fail, "no free disk", "20 GB (15 GB is enough for the DFS)", kAddDevice,
                  "/sys/block"};
  finding.need = kDataWanted;
  const auto disk = choose_data_disk(machine.tree, machine.data_device);
  if (!disk) {
    if (!machine.data_device.empty()) finding.found = machine.data_device + " is not a disk";
    return finding;
  }
  finding.have = disk->bytes;
  finding.found = disk->name + " " + gigabytes(disk->bytes);
  if (disk->bytes >= kDataWanted) {
    finding.verdict = Verdict::pass;
    finding.fix.clear();
  } else if (disk->bytes >= kDataNeeded) {
    finding.verdict = Verdict::warn;
    finding.fix = "enough for the DFS, below what a node should have: plan for 20 GB";
  } else {
    finding.fix = "use a disk of at least 20 GB";
  }
  return finding;
}

Finding check_dfs_device(const Machine& machine) {
  const Tree& tree = machine.tree;
  Finding finding{Verdict::fail, "no free disk",
                  "a disk of its own: not the root disk, not mounted, blank", kAddDevice,
                  "/sys/block, /proc/self/mountinfo"};
  const auto disk = choose_data_disk(tree, machine.data_device);
  if (!disk) return finding;
  const auto root = find_root_disk(tree);
  const std::string point = mounted_at(*disk, list_mounts(tree));
  const std::string device = "/dev/" + disk->name;
  if (root && root->disk == disk->name) {
    finding.found = disk->name + " is the root disk";
  } else if (!point.empty()) {
    finding.found = disk->name + " is mounted at " + point;
    finding.fix = "umount " + point + ", and remove it from /etc/fstab, if its data may go";
  } else if (!disk->holders.empty()) {
    finding.found = disk->name + " is part of " + disk->holders.front();
    finding.fix = "use another disk, or take " + disk->holders.front() + " apart";
  } else if (disk->read_only) {
    finding.found = disk->name + " is read-only";
  } else if (disk->removable) {
    finding.found = disk->name + " is removable";
    finding.fix = "use a disk that stays in the machine";
  } else if (const auto head = tree.head(device, kSignatureBytes); !head) {
    finding.verdict = Verdict::skipped;
    finding.found = device + " cannot be read";
    finding.fix = "run as root";
  } else if (const std::string carries = signature_of(*head); !carries.empty()) {
    finding.found = disk->name + " carries " + carries;
    finding.fix =
        "if nothing on it is needed: wipefs --all " + device + " (this destroys its content)";
    finding.evidence = device;
  } else {
    finding.verdict = Verdict::pass;
    finding.found = disk->name + " is blank";
    finding.fix.clear();
  }
  return finding;
}

Finding check_dfs_fuse(const Machine& machine) {
  Finding finding{Verdict::fail, "", "/dev/fuse", "modprobe fuse", "/dev/fuse"};
  const std::string filesystems = machine.tree.text("/proc/filesystems").value_or("");
  if (filesystems.find("fuse") == std::string::npos) {
    finding.found = "the kernel has no fuse filesystem";
    return finding;
  }
  const auto failure = machine.probes.open_fuse();
  if (!failure) {
    finding.verdict = machine.tree.exists("/dev/fuse") ? Verdict::pass : Verdict::fail;
    finding.found = machine.tree.exists("/dev/fuse") ? "present" : "no /dev/fuse";
  } else if (failure->empty()) {
    finding.verdict = Verdict::pass;
    finding.found = "can be opened";
  } else {
    finding.found = "cannot be opened: " + *failure;
    finding.fix = "run as root; in a container, pass /dev/fuse in";
  }
  if (finding.verdict == Verdict::pass) finding.fix.clear();
  return finding;
}

}  // namespace node::preflight
