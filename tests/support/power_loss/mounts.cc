// SPDX-License-Identifier: Apache-2.0
#include "tests/support/power_loss/mounts.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <cerrno>

#include "tests/support/child_process.h"

namespace power_loss {
namespace {

using base::Result;

// Others on this machine take loop devices too, and may be faster.
constexpr int kAttachTries = 32;
constexpr const char* kCopy = "32768";  // the block with the first copy of the superblock
constexpr int kMended = 1;              // e2fsck(8): errors were corrected

int mended = 0;

}  // namespace

Result<void> enter_private_mounts() {
  if (::unshare(CLONE_NEWNS) != 0) return base::os_error(errno, "make a mount namespace");
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return base::os_error(errno, "make the mounts private");
  return {};
}

Result<LoopDevice> LoopDevice::attach(const std::string& file) {
  const sys::Fd backing(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (!backing.is_open()) return base::os_error(errno, "open " + file);
  const sys::Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control.is_open()) return base::os_error(errno, "open the loop control");
  for (int i = 0; i < kAttachTries; ++i) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return base::os_error(errno, "find a free loop device");
    const std::string path = "/dev/loop" + std::to_string(number);
    sys::Fd device(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!device.is_open()) return base::os_error(errno, "open " + path);
    loop_config config{};
    config.fd = static_cast<__u32>(backing.get());
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0)
      return LoopDevice(path, std::move(device));
    if (errno != EBUSY) return base::os_error(errno, "attach " + path);
  }
  return base::os_error(EBUSY, "attach a loop device");
}

Result<void> LoopDevice::detach() && {
  if (::ioctl(fd_.get(), LOOP_CLR_FD, 0) != 0) return base::os_error(errno, "detach " + path_);
  fd_.reset();
  return {};
}

Result<void> mount_ext4(const std::string& device, const std::string& folder) {
  const auto mount = [&] {
    return ::mount(device.c_str(), folder.c_str(), "ext4", MS_NOATIME, nullptr) == 0;
  };
  if (mount()) return {};
  if (errno != EBADMSG) return base::os_error(errno, "mount " + device);
  ++mended;
  ChildProcess check({"/usr/sbin/e2fsck", "-y", "-b", kCopy, "-B", "4096", device});
  std::string said;
  for (const std::string& line : check.read_lines()) said += line + " / ";
  const int status = check.wait();
  if (status != 0 && status != kMended)
    return base::Error{base::Code::corrupt,
                       "e2fsck ended with " + std::to_string(status) + ": " + said,
                       "file_system_damaged"};
  if (!mount()) return base::os_error(errno, "mount " + device + " after a check");
  return {};
}

int file_systems_mended() { return mended; }

Result<void> unmount(const std::string& folder) {
  if (::umount2(folder.c_str(), 0) != 0) return base::os_error(errno, "unmount " + folder);
  return {};
}

}  // namespace power_loss
