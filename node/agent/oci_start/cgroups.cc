// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_start/cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace oci_start {

namespace {

bool refuse(const char* what, const char* detail) {
  dprintf(STDERR_FILENO, "gestalt-oci-start: %s %s: %s\n", what, detail, strerror(errno));
  return false;
}

bool is_unified() {
  struct statfs info = {};
  return statfs("/sys/fs/cgroup", &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
}

// A line of /proc/PID/cgroup, "number:controllers:path"; an empty list of controllers is version 2.
struct Line {
  const char* controllers;
  const char* path;
};

bool take_apart(char* text, Line* line) {
  text[strcspn(text, "\n")] = '\0';
  char* controllers = strchr(text, ':');
  if (controllers == nullptr) return false;
  char* path = strchr(++controllers, ':');
  if (path == nullptr) return false;
  *path++ = '\0';
  *line = {controllers, path};
  return true;
}

bool join(const Line& line) {
  const char* name = line.controllers;
  if (strncmp(name, "name=", 5) == 0) name += 5;
  char file[4608];
  const bool unified = is_unified();
  if (*name == '\0' && !unified) name = "unified";
  snprintf(file, sizeof file, "/sys/fs/cgroup/%s%s/cgroup.procs", unified ? "" : name, line.path);
  const int fd = open(file, O_WRONLY | O_CLOEXEC);
  // A hierarchy that is not mounted under this name sets no limits of ours.
  if (fd < 0) return true;
  const bool joined = write(fd, "0", 1) == 1;
  close(fd);
  return joined || refuse("join", file);
}

// Whether `name` stands in "cpu,cpuacct".
bool has_word(const char* list, const char* name) {
  const size_t length = strlen(name);
  for (const char* at = list; *at != '\0'; at += strcspn(at, ",")) {
    if (*at == ',') ++at;
    if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0')) return true;
  }
  return false;
}

bool write_text(const char* file, const char* text) {
  const int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto length = static_cast<ssize_t>(strlen(text));
  const bool written = write(fd, text, static_cast<size_t>(length)) == length;
  close(fd);
  return written;
}

}  // namespace

bool join_cgroups_of(const char* pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/cgroup", pid);
  FILE* file = fopen(path, "re");
  if (file == nullptr) return refuse("open", path);
  char text[4096];
  Line line = {};
  bool joined = true;
  while (joined && fgets(text, sizeof text, file) != nullptr) {
    joined = !take_apart(text, &line) || join(line);
  }
  fclose(file);
  return joined;
}

CpuLimit lift_cpu_limit() {
  CpuLimit out;
  FILE* groups = fopen("/proc/self/cgroup", "re");
  if (groups == nullptr) return out;
  const bool unified = is_unified();
  char text[4096];
  Line line = {};
  while (fgets(text, sizeof text, groups) != nullptr) {
    if (!take_apart(text, &line)) continue;
    if (unified && *line.controllers == '\0') {
      snprintf(out.file, sizeof out.file, "/sys/fs/cgroup%s/cpu.max", line.path);
    } else if (!unified && has_word(line.controllers, "cpu")) {
      snprintf(out.file, sizeof out.file, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", line.path);
    }
  }
  fclose(groups);
  const int fd = open(out.file, O_RDONLY | O_CLOEXEC);
  const ssize_t length = fd < 0 ? -1 : read(fd, out.text, sizeof out.text - 1);
  if (fd >= 0) close(fd);
  const bool limited = length > 0 && strncmp(out.text, "max", 3) != 0 && out.text[0] != '-';
  if (!limited || !write_text(out.file, unified ? "max" : "-1")) out.file[0] = '\0';
  return out;
}

bool restore_cpu_limit(const CpuLimit& limit) {
  if (limit.file[0] == '\0') return true;
  return write_text(limit.file, limit.text) || refuse("write", limit.file);
}

}  // namespace oci_start
