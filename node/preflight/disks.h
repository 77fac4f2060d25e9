// SPDX-License-Identifier: Apache-2.0
// The block devices of the machine as the checks see them. Reads /sys/block and
// /proc/self/mountinfo only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/preflight/tree.h"

namespace node::preflight {

struct Disk {
  std::string name;    // "sdb"
  std::string number;  // "8:16"
  std::uint64_t bytes = 0;
  bool removable = false;
  bool read_only = false;
  std::vector<std::string> partitions = {};
  std::vector<std::string> partition_numbers = {};
  std::vector<std::string> holders = {};  // device-mapper or RAID devices on it or on a partition
};

// Every disk but ram, zram, cdrom and unattached loop devices, sorted by name.
std::vector<Disk> list_disks(const Tree& tree);

struct Mount {
  std::string number;  // "8:1"
  std::string point;
  std::string source;
};
std::vector<Mount> list_mounts(const Tree& tree);

// Where "/" lives: the disk, and the size of its partition (or of the whole disk). Nothing when
// the root is not on a block device, as in a container.
struct RootDisk {
  std::string disk;
  std::string device;
  std::uint64_t bytes = 0;
};
std::optional<RootDisk> find_root_disk(const Tree& tree);

// The mount point of the disk or one of its partitions, empty when none is mounted.
std::string mounted_at(const Disk& disk, const std::vector<Mount>& mounts);

// The disk meant for data: `wanted` ("/dev/sdb", "/dev/disk/by-id/…" or "sdb") when given, else
// what /dev/gestalt-data points to, else the largest that is not the root disk, not mounted, has
// no holders and is not removable.
std::optional<Disk> choose_data_disk(const Tree& tree, const std::string& wanted);

}  // namespace node::preflight
