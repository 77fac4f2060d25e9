// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/claim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/handle.h"
#include "common/sys/posix_disk.h"
#include "common/sys/process.h"

namespace dfs::storage {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;
using base::Result;

constexpr std::uint8_t kFormat = 1;
constexpr std::string_view kRecordName = "gestalt-dfs";
constexpr const char* kFileName = "superblock";
constexpr const char* kLabel = "gestalt-dfs";
constexpr std::uint64_t kSectorBytes = 512;  // of sysfs' size
constexpr std::size_t kBlankBytes = 4096;    // at the front, that must be zero
constexpr int kNothingFound = 2;             // exit status of blkid -p
constexpr auto kFormatDeadline = std::chrono::minutes(10);

Error in_use(const fs::path& device, const std::string& what) {
  return {Code::failed_precondition,
          device.string() + " " + what +
              "; only a blank device is taken: choose another, or clear it with `wipefs -a " +
              device.string() + "` if nobody needs what it holds",
          "device_in_use"};
}

Result<void> store_superblock(const fs::path& folder, const Superblock& superblock) {
  const auto disk = TRY(sys::open_posix_disk(folder));
  const std::string temporary = std::string(kFileName) + ".new";
  const auto file = TRY(disk->open(temporary, base::OpenMode::create));
  TRY(file->truncate(0));
  TRY(file->write(0, encode_superblock(superblock)));
  TRY(file->sync());
  TRY(disk->rename(temporary, kFileName));
  return disk->sync_folder("");
}

struct BlockDevice {
  std::string number;  // "8:16"
  fs::path sysfs;
};

Result<BlockDevice> find_device(const fs::path& device) {
  struct stat status {};
  if (::stat(device.c_str(), &status) != 0)
    return base::os_error(errno, "look at " + device.string());
  if (!S_ISBLK(status.st_mode))
    return Error{Code::invalid_argument, device.string() + " is not a block device",
                 "device_invalid"};
  const std::string number =
      std::to_string(major(status.st_rdev)) + ":" + std::to_string(minor(status.st_rdev));
  return BlockDevice{number, fs::path("/sys/dev/block") / number};
}

Result<std::string> read_attribute(const fs::path& file) {
  std::string text = TRY(base::read_file(file, 4096));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// Where a device number is mounted; empty: nowhere.
Result<std::string> mounted_at(const std::string& number) {
  const std::string mounts = TRY(base::read_file("/proc/self/mountinfo"));
  for (const std::string_view line : base::split(mounts, '\n')) {
    const auto words = base::split(line, ' ');
    if (words.size() > 4 && words[2] == number) return std::string(words[4]);
  }
  return std::string();
}

bool has_entries(const fs::path& folder) {
  std::error_code ignored;  // a folder that is missing has none
  return fs::directory_iterator(folder, ignored) != fs::directory_iterator();
}

Result<void> check_alone(const fs::path& device, const BlockDevice& block) {
  if (has_entries(block.sysfs / "holders")) return in_use(device, "is part of another device");
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(block.sysfs, error))
    if (fs::exists(entry.path() / "partition")) return in_use(device, "has partitions");
  const std::string read_only = TRY(read_attribute(block.sysfs / "ro"));
  if (read_only != "0")
    return Error{Code::invalid_argument, device.string() + " is read-only", "device_invalid"};
  return {};
}

Result<void> check_size(const DeviceClaim& claim, const BlockDevice& block) {
  const std::string text = TRY(read_attribute(block.sysfs / "size"));
  const std::uint64_t bytes = std::strtoull(text.c_str(), nullptr, 10) * kSectorBytes;
  if (bytes >= claim.bytes_min) return {};
  return Error{Code::failed_precondition,
               claim.device.string() + " has " + std::to_string(bytes) + " bytes, at least " +
                   std::to_string(claim.bytes_min) + " are needed: choose a larger device",
               "device_too_small"};
}

// What the device carries: empty for nothing, kLabel for one of ours, else its type.
Result<std::string> signature_of(const fs::path& device) {
  const sys::Exit probed = TRY(sys::run(
      {.argv = {"/usr/sbin/blkid", "-p", "-o", "export", device.string()}, .environment = {}}));
  if (probed.status == kNothingFound) {
    const sys::Fd fd(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
    std::string head(kBlankBytes, '\1');
    if (!fd.is_open() ||
        ::pread(fd.get(), head.data(), head.size(), 0) != static_cast<ssize_t>(head.size()))
      return base::os_error(errno, "read " + device.string());
    const bool blank = head.find_first_not_of('\0') == std::string::npos;
    return std::string(blank ? "" : "unknown data");
  }
  if (probed.status != 0)
    return Error{Code::failed_precondition,
                 "blkid cannot tell what " + device.string() + " carries: " + probed.err,
                 "device_in_use"};
  std::string type = "something known";
  bool is_ours = false;
  for (const std::string_view line : base::split(probed.out, '\n')) {
    for (const std::string_view key : {"TYPE=", "PTTYPE="})
      if (line.starts_with(key)) type = line.substr(key.size());
    is_ours = is_ours || line == std::string("LABEL=") + kLabel;
  }
  return is_ours && type == "ext4" ? std::string(kLabel) : type;
}

Result<void> mount(const fs::path& device, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return base::os_error(error.value(), "make " + folder.string());
  TRY(sys::run_checked({.argv = {"/usr/bin/mount", "-t", "ext4", "-o",
                                 "noatime,nodev,nosuid,noexec", device.string(), folder.string()},
                        .environment = {}}));
  return {};
}

}  // namespace

std::string encode_superblock(const Superblock& superblock) {
  return base::seal_record(
      kRecordName, kFormat,
      base::ByteWriter().text(superblock.cluster).text(superblock.disk).bytes());
}

Result<Superblock> decode_superblock(std::string_view bytes) {
  base::ByteReader in(TRY(base::open_record(kRecordName, kFormat, bytes)));
  Superblock superblock;
  superblock.cluster = TRY(in.text());
  superblock.disk = TRY(in.text());
  TRY(in.end());
  return superblock;
}

Result<Superblock> load_superblock(const fs::path& folder) {
  const Result<std::string> bytes = base::read_file(folder / kFileName, 4096);
  if (!bytes && bytes.error().code == Code::not_found)
    return Error{Code::not_found,
                 folder.string() + " was not claimed: run gestalt-dfs-storage --claim",
                 "superblock_absent"};
  if (!bytes) return bytes.error();
  return decode_superblock(*bytes);
}

Result<Superblock> claim_folder(const fs::path& folder, const std::string& cluster,
                                base::Rng& rng) {
  std::error_code error;
  fs::create_directory(folder, error);
  if (error) return base::os_error(error.value(), "make " + folder.string());
  const Result<Superblock> known = load_superblock(folder);
  if (known) {
    if (known->cluster == cluster) return known;
    return Error{Code::failed_precondition,
                 folder.string() + " belongs to cluster " + known->cluster + ", not " + cluster +
                     ": it is not taken over; clear it if nobody needs it",
                 "cluster_differs"};
  }
  if (known.error().reason != "superblock_absent") return known;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename() == "lost+found" ||
        entry.path().filename() == std::string(kFileName) + ".new")
      continue;
    return Error{Code::failed_precondition,
                 folder.string() + " is not empty: choose an empty folder", "folder_in_use"};
  }
  if (error) return base::os_error(error.value(), "list " + folder.string());
  const Superblock made{cluster, rng.uuid()};
  TRY(store_superblock(folder, made));
  return made;
}

Result<Superblock> claim_device(const DeviceClaim& claim, base::Rng& rng) {
  const BlockDevice block = TRY(find_device(claim.device));
  const std::string mounted = TRY(mounted_at(block.number));
  if (!mounted.empty() && mounted != claim.folder)
    return in_use(claim.device, "is mounted at " + mounted);
  if (mounted.empty()) {
    TRY(check_alone(claim.device, block));
    const std::string signature = TRY(signature_of(claim.device));
    if (!signature.empty() && signature != kLabel)
      return in_use(claim.device, "carries " + signature);
    if (signature.empty()) {
      TRY(check_size(claim, block));
      TRY(sys::run_checked(
          {.argv = {"/usr/sbin/mkfs.ext4", "-q", "-m", "0", "-L", kLabel, claim.device.string()},
           .environment = {},
           .deadline = kFormatDeadline}));
    }
    TRY(mount(claim.device, claim.folder));
  }
  return claim_folder(claim.folder, claim.cluster, rng);
}

}  // namespace dfs::storage
