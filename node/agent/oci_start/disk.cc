// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_start/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace oci_start {

namespace {

constexpr unsigned kMiscMajor = 10;
constexpr unsigned kLoopControlMinor = 237;
// Between asking for a free device and taking it, somebody else may take it.
constexpr int kTries = 64;
constexpr size_t kPathMax = 4608;

bool refuse(const char* what, const char* detail) {
  dprintf(STDERR_FILENO, "gestalt-oci-start: no disk limit: %s %s: %s\n", what, detail,
          strerror(errno));
  return false;
}

int open_device(const char* path, mode_t kind, dev_t number) {
  if (mknod(path, kind | 0600, number) != 0 && errno != EEXIST) return -1;
  return open(path, O_RDWR | O_CLOEXEC);
}

// The number of /dev/loopN differs from N where loop devices have partitions.
bool find_number(long index, dev_t* number) {
  char path[64];
  snprintf(path, sizeof path, "/sys/block/loop%ld/dev", index);
  FILE* file = fopen(path, "re");
  if (file == nullptr) return refuse("open", path);
  unsigned first = 0;
  unsigned second = 0;
  const bool known = fscanf(file, "%u:%u", &first, &second) == 2;
  fclose(file);
  *number = makedev(first, second);
  return known || refuse("read", path);
}

bool configure(int device, int backing) {
  loop_config config = {};
  config.fd = static_cast<__u32>(backing);
  // Its pages would be in the cache twice without direct I/O, which not every file system has.
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
  if (ioctl(device, LOOP_CONFIGURE, &config) == 0) return true;
  if (errno != EINVAL) return false;
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  return ioctl(device, LOOP_CONFIGURE, &config) == 0;
}

// An open loop device over `backing`, or -1; its node's path is in `path`.
int take_loop(int control, int backing, const char* devices, char* path) {
  for (int i = 0; i < kTries; ++i) {
    const long index = ioctl(control, LOOP_CTL_GET_FREE);
    if (index < 0) break;
    dev_t number = 0;
    if (!find_number(index, &number)) return -1;
    snprintf(path, kPathMax, "%s/loop%ld", devices, index);
    const int device = open_device(path, S_IFBLK, number);
    if (device < 0) break;
    if (configure(device, backing)) return device;
    close(device);
    if (errno != EBUSY) break;
  }
  refuse("take a loop device", devices);
  return -1;
}

bool copy_folder(const char* layer, const char* place, const char* name) {
  char original[kPathMax];
  char copy[kPathMax];
  snprintf(original, sizeof original, "%s/%s", layer, name);
  snprintf(copy, sizeof copy, "%s/%s", place, name);
  struct stat info = {};
  if (stat(original, &info) != 0) return refuse("look at", original);
  if (mkdir(copy, 0700) != 0) return refuse("mkdir", copy);
  if (chown(copy, info.st_uid, info.st_gid) != 0) return refuse("chown", copy);
  return chmod(copy, info.st_mode & 07777) == 0 || refuse("chmod", copy);
}

bool mount_image(int backing, const char* devices, const char* place) {
  char path[kPathMax];
  snprintf(path, sizeof path, "%s/loop-control", devices);
  const int control = open_device(path, S_IFCHR, makedev(kMiscMajor, kLoopControlMinor));
  if (control < 0) return refuse("open", path);
  const int device = take_loop(control, backing, devices, path);
  close(control);
  if (device < 0) return false;
  // Space of removed files goes back to the node; what was never written stays a hole.
  const char* options = "discard,noinit_itable";
  const bool mounted = mount(path, place, "ext4", MS_NODEV | MS_NOATIME, options) == 0;
  if (!mounted) refuse("mount", path);
  close(device);
  return mounted;
}

bool fill(const char* layer, const char* place) {
  char original[kPathMax];
  char copy[kPathMax];
  constexpr const char* kFolders[] = {"upper", "work", "sandbox"};
  for (const char* name : kFolders) {
    if (!copy_folder(layer, place, name)) return false;
  }
  snprintf(original, sizeof original, "%s/sandbox", layer);
  snprintf(copy, sizeof copy, "%s/sandbox", place);
  return mount(copy, original, nullptr, MS_BIND, nullptr) == 0 || refuse("mount", original);
}

}  // namespace

const char* mount_disk(const char* image, const char* layer, const char* place,
                       const char* devices) {
  const int backing = open(image, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (backing < 0) {
    refuse("open", image);
    return nullptr;
  }
  if (mount("gestalt-loops", devices, "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=0700") != 0) {
    refuse("mount", devices);
    close(backing);
    return nullptr;
  }
  bool good = mount_image(backing, devices, place);
  close(backing);
  if (good && !fill(layer, place)) {
    good = false;
    umount2(place, MNT_DETACH);
  }
  umount2(devices, MNT_DETACH);
  return good ? place : nullptr;
}

}  // namespace oci_start
