// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/disks.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

#include "common/base/text.h"

namespace node::preflight {

namespace {

constexpr std::uint64_t kSectorBytes = 512;  // /sys/block/*/size is always in these
constexpr std::string_view kDataLink = "/dev/gestalt-data";

bool is_disk_name(std::string_view name) {
  constexpr std::array<std::string_view, 5> kOthers = {"ram", "zram", "sr", "fd", "dm-"};
  return std::none_of(kOthers.begin(), kOthers.end(),
                      [name](std::string_view prefix) { return name.starts_with(prefix); });
}

std::string unescape_mount(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 3 < text.size();
    const auto digit = [&](std::size_t at) { return text[at] - '0'; };
    if (escape && digit(i + 1) >= 0 && digit(i + 1) <= 3) {
      out.push_back(static_cast<char>(digit(i + 1) * 64 + digit(i + 2) * 8 + digit(i + 3)));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

Disk read_disk(const Tree& tree, const std::string& name) {
  const std::string folder = "/sys/block/" + name;
  Disk disk;
  disk.name = name;
  disk.number = tree.text(folder + "/dev").value_or("");
  disk.bytes = tree.number(folder + "/size").value_or(0) * kSectorBytes;
  disk.removable = tree.number(folder + "/removable").value_or(0) == 1;
  disk.read_only = tree.number(folder + "/ro").value_or(0) == 1;
  disk.holders = tree.names(folder + "/holders");
  for (const std::string& child : tree.names(folder)) {
    if (!tree.exists(folder + "/" + child + "/partition")) continue;
    disk.partitions.push_back(child);
    disk.partition_numbers.push_back(tree.text(folder + "/" + child + "/dev").value_or(""));
    for (const std::string& holder : tree.names(folder + "/" + child + "/holders")) {
      disk.holders.push_back(holder);
    }
  }
  return disk;
}

// The name of a disk given as a path: the link's target, or the device's own number.
std::string disk_name_of(const Tree& tree, const std::string& wanted) {
  if (!wanted.starts_with('/')) return wanted;
  std::error_code ignored;
  const auto real = std::filesystem::canonical(tree.at(wanted), ignored);
  if (!ignored && tree.exists("/sys/block/" + real.filename().string())) {
    return real.filename().string();
  }
  struct stat facts {};
  if (::stat(tree.at(wanted).c_str(), &facts) == 0 && S_ISBLK(facts.st_mode)) {
    const std::string number = std::to_string(gnu_dev_major(facts.st_rdev)) + ":" +
                               std::to_string(gnu_dev_minor(facts.st_rdev));
    for (const std::string& name : tree.names("/sys/block")) {
      if (tree.text("/sys/block/" + name + "/dev") == number) return name;
    }
  }
  return std::filesystem::path(wanted).filename().string();
}

}  // namespace

std::vector<Disk> list_disks(const Tree& tree) {
  std::vector<Disk> disks;
  for (const std::string& name : tree.names("/sys/block")) {
    if (!is_disk_name(name)) continue;
    Disk disk = read_disk(tree, name);
    if (disk.bytes > 0) disks.push_back(std::move(disk));
  }
  return disks;
}

std::vector<Mount> list_mounts(const Tree& tree) {
  std::vector<Mount> mounts;
  const std::string text = tree.text("/proc/self/mountinfo").value_or("");
  for (const std::string_view line : base::split(text, '\n')) {
    // proc(5): id parent major:minor root point options [optional…] - type source options
    const auto words = base::split(line, ' ');
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 7 || words.end() - dash < 3) continue;
    mounts.push_back({std::string(words[2]), unescape_mount(words[4]), unescape_mount(dash[2])});
  }
  return mounts;
}

std::optional<RootDisk> find_root_disk(const Tree& tree) {
  const std::vector<Mount> mounts = list_mounts(tree);
  // The last mount on a point is the one that is seen.
  const auto root = std::find_if(mounts.rbegin(), mounts.rend(),
                                 [](const Mount& mount) { return mount.point == "/"; });
  if (root == mounts.rend()) return std::nullopt;
  for (const Disk& disk : list_disks(tree)) {
    if (disk.number == root->number) return RootDisk{disk.name, disk.name, disk.bytes};
    for (std::size_t i = 0; i < disk.partitions.size(); ++i) {
      if (disk.partition_numbers[i] != root->number) continue;
      const std::string size = "/sys/block/" + disk.name + "/" + disk.partitions[i] + "/size";
      return RootDisk{disk.name, disk.partitions[i], tree.number(size).value_or(0) * kSectorBytes};
    }
  }
  // On LVM or LUKS: the mapped device, and the disk that carries it.
  for (const std::string& name : tree.names("/sys/block")) {
    if (tree.text("/sys/block/" + name + "/dev") != root->number) continue;
    const std::uint64_t bytes =
        tree.number("/sys/block/" + name + "/size").value_or(0) * kSectorBytes;
    for (const Disk& disk : list_disks(tree)) {
      if (std::find(disk.holders.begin(), disk.holders.end(), name) != disk.holders.end()) {
        return RootDisk{disk.name, name, bytes};
      }
    }
    return RootDisk{name, name, bytes};
  }
  return std::nullopt;
}

std::string mounted_at(const Disk& disk, const std::vector<Mount>& mounts) {
  for (const Mount& mount : mounts) {
    if (mount.number == disk.number) return mount.point;
    for (const std::string& number : disk.partition_numbers) {
      if (mount.number == number) return mount.point;
    }
  }
  return {};
}

std::optional<Disk> choose_data_disk(const Tree& tree, const std::string& wanted) {
  const std::vector<Disk> disks = list_disks(tree);
  const auto by_name = [&](const std::string& name) -> std::optional<Disk> {
    for (const Disk& disk : disks) {
      if (disk.name == name) return disk;
    }
    return std::nullopt;
  };
  if (!wanted.empty()) return by_name(disk_name_of(tree, wanted));
  if (tree.exists(kDataLink)) return by_name(disk_name_of(tree, std::string(kDataLink)));

  const auto root = find_root_disk(tree);
  const std::vector<Mount> mounts = list_mounts(tree);
  std::optional<Disk> best;
  for (const Disk& disk : disks) {
    const bool usable = (!root || disk.name != root->disk) && !disk.removable && !disk.read_only &&
                        disk.holders.empty() && disk.partitions.empty() &&
                        !disk.name.starts_with("loop") && mounted_at(disk, mounts).empty();
    if (usable && (!best || disk.bytes > best->bytes)) best = disk;
  }
  return best;
}

}  // namespace node::preflight
