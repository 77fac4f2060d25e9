// SPDX-License-Identifier: Apache-2.0
// gestalt-oci-start: makes the place in which crun creates a container, has it created, lets it go.
//
//   gestalt-oci-start run --lower TREE --layer DIR [--disk FILE] [--uid-first N]
//                         [--bridge NAME --address… --gateway… --proxy PROGRAM --forward N:M…]
//                         --pid-file FILE --fifo FILE -- CRUN ARGUMENT… create ARGUMENT…
//   gestalt-oci-start exec --pid PID [--uid N] -- PROGRAM ARGUMENT…
//   gestalt-oci-start process --uid N -- PROGRAM ARGUMENT…
//   gestalt-oci-start init -- PROGRAM ARGUMENT…
//
// `run` is the ExecStart of a container's unit (Type=notify). A child makes all mounts in a mount
// namespace of its own and becomes crun; the mounts vanish with the container's last process and
// nobody has to undo them. The container waits at crun's FIFO until systemd knows it (hand_over.h).
// 1. A hybrid cgroup hierarchy loses /sys/fs/cgroup/unified in the new namespace, because crun 1.8
//    refuses it otherwise.
// 2. TREE (read-only image) and DIR/upper (this instance's changes) become one overlay at kRoot.
//    With --uid-first the tree is mapped, so that its owner 0 is the user namespace's owner 0;
//    DIR/upper must belong to N already. (Overlayfs writes to the upper layer as the mounting user,
//    whom a mapped layer would not know.)
// 3. With --disk the changes lie in that file's file system instead (disk.h). Without a loop device
//    the container starts all the same: the agent reads back that the limit is not effective.
// 4. With --bridge the container has a network of its own and its ports are forwarded (bridge.h).
// 5. The unit's CPU limit does not hold for the making, only for the container (cgroups.h).
// `exec` joins the control groups and the network of process PID first, so that a health check's
// command counts against the limits of its instance; with --uid it becomes that user for good.
// `process` becomes user N, who needs no entry in passwd as systemd's User= would demand.
// `init` is process 1 of a container that asked for one (init.h); it is bound into the container.
// Exit status of `run`: crun's, or 120 with one line on stderr when it was not reached.
// Static and without the C++ library: it is started once per container.
// Source: mount_setattr(2), open_tree(2), Documentation/filesystems/overlayfs.rst.
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/agent/oci_start/become.h"
#include "node/agent/oci_start/bridge.h"
#include "node/agent/oci_start/cgroups.h"
#include "node/agent/oci_start/disk.h"
#include "node/agent/oci_start/hand_over.h"
#include "node/agent/oci_start/init.h"

namespace {

constexpr int kNotReached = 120;
constexpr unsigned kUidCount = 65536;
constexpr const char* kFolder = "/run/gestalt/oci";
constexpr const char* kLower = "/run/gestalt/oci/lower";
constexpr const char* kRoot = "/run/gestalt/oci/root";
constexpr const char* kDisk = "/run/gestalt/oci/disk";
constexpr const char* kProc = "/run/gestalt/oci/proc";
constexpr const char* kDevices = "/run/gestalt/oci/devices";
constexpr const char* kUnified = "/sys/fs/cgroup/unified";

enum class Mode { run, exec, process, init };

struct Options {
  Mode mode = Mode::run;
  const char* lower = nullptr;
  const char* layer = nullptr;
  const char* disk = nullptr;
  const char* pid_file = nullptr;
  const char* fifo = nullptr;
  const char* pid = nullptr;
  unsigned uid_first = 0;
  unsigned uid = 0;
  oci_start::BridgeOptions bridge;
  char** program = nullptr;
};

[[noreturn]] void fail(const char* what, const char* detail = "") {
  dprintf(STDERR_FILENO, "gestalt-oci-start: %s %s: %s\n", what, detail, strerror(errno));
  _exit(kNotReached);
}

void read_bridge(const char* name, const char* value, oci_start::BridgeOptions* out) {
  if (strcmp(name, "--bridge") == 0) out->name = value;
  if (strcmp(name, "--address") == 0) out->address = value;
  if (strcmp(name, "--address6") == 0) out->address6 = value;
  if (strcmp(name, "--gateway") == 0) out->gateway = value;
  if (strcmp(name, "--gateway6") == 0) out->gateway6 = value;
  if (strcmp(name, "--proxy") == 0) out->proxy = value;
  if (strcmp(name, "--forward") == 0 && strchr(value, ':') != nullptr &&
      out->forward_count < oci_start::kForwardsMax) {
    out->forwards[out->forward_count++] = value;
  }
}

bool is_complete(const oci_start::BridgeOptions& options) {
  if (options.name == nullptr) return options.forward_count == 0;
  return options.address != nullptr && options.address6 != nullptr && options.gateway != nullptr &&
         options.gateway6 != nullptr && options.proxy != nullptr && options.forward_count > 0;
}

Options parse(int argc, char** argv) {
  Options out;
  if (argc < 2) _exit(2);
  if (strcmp(argv[1], "exec") == 0) out.mode = Mode::exec;
  if (strcmp(argv[1], "process") == 0) out.mode = Mode::process;
  if (strcmp(argv[1], "init") == 0) out.mode = Mode::init;
  for (int i = 2; i < argc; ++i) {
    if (strcmp(argv[i], "--") == 0) {
      out.program = argv + i + 1;
      break;
    }
    if (i + 1 == argc) break;
    const char* value = argv[i + 1];
    read_bridge(argv[i], value, &out.bridge);
    if (strcmp(argv[i], "--lower") == 0) out.lower = value;
    if (strcmp(argv[i], "--layer") == 0) out.layer = value;
    if (strcmp(argv[i], "--disk") == 0) out.disk = value;
    if (strcmp(argv[i], "--pid-file") == 0) out.pid_file = value;
    if (strcmp(argv[i], "--fifo") == 0) out.fifo = value;
    if (strcmp(argv[i], "--pid") == 0) out.pid = value;
    if (strcmp(argv[i], "--uid") == 0) {
      out.uid = static_cast<unsigned>(strtoul(value, nullptr, 10));
    }
    if (strcmp(argv[i], "--uid-first") == 0) {
      out.uid_first = static_cast<unsigned>(strtoul(value, nullptr, 10));
    }
    ++i;
  }
  const bool complete = out.program != nullptr && out.program[0] != nullptr &&
                        (out.mode == Mode::run) == (out.lower != nullptr) &&
                        (out.mode == Mode::run) == (out.layer != nullptr) &&
                        (out.mode == Mode::run) == (out.pid_file != nullptr) &&
                        (out.mode == Mode::run) == (out.fifo != nullptr) &&
                        (out.mode == Mode::exec) == (out.pid != nullptr) &&
                        is_complete(out.bridge) && (out.mode != Mode::process || out.uid != 0);
  if (!complete) {
    dprintf(STDERR_FILENO, "gestalt-oci-start: wrong arguments\n");
    _exit(2);
  }
  return out;
}

void leave_hybrid_cgroups() {
  struct statfs info = {};
  if (statfs("/sys/fs/cgroup", &info) != 0 || info.f_type != TMPFS_MAGIC) return;
  if (statfs(kUnified, &info) != 0 || info.f_type != CGROUP2_SUPER_MAGIC) return;
  if (umount2(kUnified, MNT_DETACH) != 0) fail("umount", kUnified);
}

void write_text(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  const auto length = static_cast<ssize_t>(strlen(text));
  if (write(fd, text, static_cast<size_t>(length)) != length) fail("write", path);
  close(fd);
}

// A user namespace that maps 0…65535 to uid_first…; it lives as long as the descriptor.
int open_user_namespace(unsigned uid_first) {
  const long child =
      syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child < 0) fail("clone", "user namespace");
  if (child == 0) {
    for (;;) pause();
  }
  char path[64];
  char map[64];
  snprintf(map, sizeof map, "0 %u %u\n", uid_first, kUidCount);
  snprintf(path, sizeof path, "/proc/%ld/uid_map", child);
  write_text(path, map);
  snprintf(path, sizeof path, "/proc/%ld/gid_map", child);
  write_text(path, map);
  snprintf(path, sizeof path, "/proc/%ld/ns/user", child);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  kill(static_cast<pid_t>(child), SIGKILL);
  waitpid(static_cast<pid_t>(child), nullptr, 0);
  return fd;
}

void mount_mapped(const char* source, const char* target, int user_namespace) {
  const int tree = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) fail("open_tree", source);
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<__u64>(user_namespace);
  if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
    fail("mount_setattr", source);
  }
  if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    fail("move_mount", target);
  }
  close(tree);
}

// /run/gestalt is open to the daemons' group: what is there already must be root's folder.
void make_folder(const char* path) {
  if (mkdir(path, 0755) == 0) return;
  if (errno != EEXIST) fail("mkdir", path);
  struct stat info = {};
  if (lstat(path, &info) != 0) fail("look at", path);
  if (S_ISDIR(info.st_mode) && info.st_uid == 0) return;
  errno = EPERM;
  fail("not a folder of root:", path);
}

void mount_overlay(const Options& options) {
  make_folder(kFolder);
  make_folder(kLower);
  make_folder(kRoot);
  make_folder(kProc);
  const char* lower = options.lower;
  if (options.uid_first != 0) {
    const int user_namespace = open_user_namespace(options.uid_first);
    mount_mapped(lower, kLower, user_namespace);
    close(user_namespace);
    lower = kLower;
  }
  const char* layer = options.layer;
  if (options.disk != nullptr) {
    make_folder(kDisk);
    make_folder(kDevices);
    const char* place = oci_start::mount_disk(options.disk, options.layer, kDisk, kDevices);
    if (place != nullptr) layer = place;
  }
  char data[8192];
  const int length = snprintf(data, sizeof data, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work",
                              lower, layer, layer);
  if (length < 0 || static_cast<size_t>(length) >= sizeof data) {
    errno = ENAMETOOLONG;
    fail("overlay", lower);
  }
  if (mount("overlay", kRoot, "overlay", MS_NODEV, data) != 0) fail("mount overlay", data);
}

// A mount namespace of our own, as crun wants to see the world.
void enter_namespace() {
  if (unshare(CLONE_NEWNS) != 0) fail("unshare");
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail("mount", "private /");
  leave_hybrid_cgroups();
}

[[noreturn]] void start(const Options& options) {
  execv(options.program[0], options.program);
  fail("exec", options.program[0]);
}

// crun joins what its configuration names, and a network on the bridge is not there.
void join_network_of(const char* pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  if (setns(fd, CLONE_NEWNET) != 0) fail("join", path);
  close(fd);
}

// Its exit status is ours when it fails.
void create_container(const Options& options) {
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    if (options.bridge.name != nullptr && !oci_start::enter_bridge(options.bridge)) {
      _exit(kNotReached);
    }
    enter_namespace();
    mount_overlay(options);
    if (options.bridge.name != nullptr && !oci_start::open_low_ports(kProc)) _exit(kNotReached);
    // crun would offer the socket to the container, and wait for what it says.
    unsetenv("NOTIFY_SOCKET");
    start(options);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) fail("wait for", options.program[0]);
  }
  if (WIFSIGNALED(status)) _exit(128 + WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) _exit(WEXITSTATUS(status));
}

int run(const Options& options) {
  int sockets[oci_start::kForwardsMax] = {};
  if (!oci_start::listen_forwards(options.bridge, sockets)) return kNotReached;
  const oci_start::CpuLimit limit = oci_start::lift_cpu_limit();
  create_container(options);
  if (!oci_start::start_proxies(options.bridge, sockets)) return kNotReached;
  if (!oci_start::restore_cpu_limit(limit)) return kNotReached;
  return oci_start::hand_over(options.pid_file, options.fifo) ? 0 : kNotReached;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (options.mode == Mode::run) return run(options);
  if (options.mode == Mode::init) oci_start::run_init(options.program);
  if (options.mode == Mode::process) {
    if (!oci_start::become(options.uid)) return kNotReached;
    execvp(options.program[0], options.program);
    fail("exec", options.program[0]);
  }
  if (!oci_start::join_cgroups_of(options.pid)) return kNotReached;
  join_network_of(options.pid);
  enter_namespace();
  if (options.uid != 0 && !oci_start::become(options.uid)) return kNotReached;
  start(options);
}
