// SPDX-License-Identifier: Apache-2.0
// Mounts and loop devices of the power-cut tests, undone in the reverse order of their making.
//
// 1. Every step's result is checked: an unmount that fails unnoticed makes the kernel reuse its old
// picture of the disk, and the next run then seems to lose data.
// 2. Everything lives in a mount namespace of this process alone, and loop devices free themselves:
// nothing stays behind even when the process is killed.
// Source: mount(2), loop(4), unshare(2).
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/sys/handle.h"

namespace power_loss {

// Once per process, before the first mount and while it has one thread.
base::Result<void> enter_private_mounts();

class LoopDevice {
 public:
  static base::Result<LoopDevice> attach(const std::string& file);
  const std::string& path() const { return path_; }
  // Waits until the kernel has let go of the file. Requires: not mounted.
  base::Result<void> detach() &&;

 private:
  LoopDevice(std::string path, sys::Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  sys::Fd fd_;
};

// A file system that cannot be mounted because the checksum of its superblock does not match is
// mended from the superblock's copy first (e2fsck -b): ext4 writes it in place and takes for
// granted that its 1,024 bytes arrive as one, which this disk's sectors of 512 do not promise.
base::Result<void> mount_ext4(const std::string& device, const std::string& folder);
// How often that was needed in this process.
int file_systems_mended();
base::Result<void> unmount(const std::string& folder);

}  // namespace power_loss
