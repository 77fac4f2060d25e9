// SPDX-License-Identifier: Apache-2.0
// Claims of folders, and of loop devices that stand for disks (as root, in mounts of our own).
#include "dfs/storage/claim.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/check_result.h"
#include "tests/support/child_process.h"
#include "tests/support/power_loss/mounts.h"
#include "tests/support/temp_folder.h"

using base::Code;
using namespace dfs::storage;  // NOLINT: the subject

TEST_GROUP(Claim) {
  TempFolder folder;
  base::Rng& rng = base::system_rng();

  void setup() override {
    static const base::Result<void> entered = power_loss::enter_private_mounts();
    CHECK_OK(entered);
  }
  power_loss::LoopDevice make_device(const std::string& name, off_t bytes) const {
    const std::string image = (folder / name).string();
    const sys::Fd fd(::open(image.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    LONGS_EQUAL(0, ftruncate(fd.get(), bytes));
    return UNWRAP(power_loss::LoopDevice::attach(image));
  }
  DeviceClaim claim_of(const power_loss::LoopDevice& device) const {
    return {device.path(), folder / "mount", "cluster", 64 << 20};
  }
};

TEST(Claim, a_folder_is_claimed_once_and_keeps_its_id) {
  const Superblock first = UNWRAP(claim_folder(folder / "data", "cluster", rng));
  const Superblock again = UNWRAP(claim_folder(folder / "data", "cluster", rng));
  CHECK_TRUE(first.disk == again.disk && first.disk.size() == 36);
  CHECK_ERROR(Code::failed_precondition, "cluster_differs",
              claim_folder(folder / "data", "other", rng));
  CHECK_TRUE(UNWRAP(load_superblock(folder / "data")).disk == first.disk);
}

TEST(Claim, a_folder_with_anything_in_it_is_not_taken) {
  std::filesystem::create_directory(folder / "data");
  CHECK_ERROR(Code::not_found, "superblock_absent", load_superblock(folder / "data"));
  std::ofstream(folder / "data" / "file") << "precious";
  CHECK_ERROR(Code::failed_precondition, "folder_in_use",
              claim_folder(folder / "data", "cluster", rng));
}

TEST(Claim, a_damaged_superblock_is_not_replaced) {
  CHECK_OK(claim_folder(folder / "data", "cluster", rng));
  const auto path = folder / "data" / "superblock";
  std::string bytes = encode_superblock({"cluster", "disk"});
  bytes[10] = static_cast<char>(bytes[10] ^ 1);
  std::ofstream(path, std::ios::trunc | std::ios::binary) << bytes;
  CHECK_ERROR(Code::corrupt, "record_corrupt", claim_folder(folder / "data", "cluster", rng));
}

TEST(Claim, a_blank_device_is_formatted_mounted_and_found_again) {
  power_loss::LoopDevice device = make_device("disk", 80 << 20);
  const Superblock first = UNWRAP(claim_device(claim_of(device), rng));
  CHECK_TRUE(UNWRAP(claim_device(claim_of(device), rng)).disk == first.disk);
  CHECK_OK(power_loss::unmount((folder / "mount").string()));
  CHECK_TRUE(UNWRAP(claim_device(claim_of(device), rng)).disk == first.disk);
  DeviceClaim other = claim_of(device);
  other.cluster = "other";
  CHECK_ERROR(Code::failed_precondition, "cluster_differs", claim_device(other, rng));
  other = claim_of(device);
  other.folder = folder / "elsewhere";
  CHECK_ERROR(Code::failed_precondition, "device_in_use", claim_device(other, rng));
  CHECK_OK(power_loss::unmount((folder / "mount").string()));
  CHECK_OK(std::move(device).detach());
}

TEST(Claim, what_is_small_used_or_no_device_is_refused_with_a_way_out) {
  power_loss::LoopDevice device = make_device("disk", 80 << 20);
  DeviceClaim claim = claim_of(device);
  claim.bytes_min = 100 << 20;
  CHECK_ERROR(Code::failed_precondition, "device_too_small", claim_device(claim, rng));
  claim = claim_of(device);
  claim.device = folder / "disk";
  CHECK_ERROR(Code::invalid_argument, "device_invalid", claim_device(claim, rng));
  claim.device = folder / "none";
  CHECK_ERROR(Code::not_found, "", claim_device(claim, rng));
  {
    const sys::Fd fd(::open(device.path().c_str(), O_WRONLY | O_CLOEXEC));
    LONGS_EQUAL(5, pwrite(fd.get(), "mine!", 5, 100));
  }
  CHECK_ERROR(Code::failed_precondition, "device_in_use", claim_device(claim_of(device), rng));
  ChildProcess mkfs({"/usr/sbin/mkfs.ext4", "-q", "-F", device.path()});
  LONGS_EQUAL(0, mkfs.wait());
  const auto refused = claim_device(claim_of(device), rng);
  CHECK_ERROR(Code::failed_precondition, "device_in_use", refused);
  CHECK_TRUE(refused.error().detail.find("ext4") != std::string::npos);
  CHECK_TRUE(refused.error().detail.find("wipefs") != std::string::npos);
  CHECK_OK(std::move(device).detach());
}
