// SPDX-License-Identifier: Apache-2.0
#include "node/agent/seccomp.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace node::agent {

namespace {

using base::Json;

constexpr int kEnosys = 38;
// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of <sched.h>.
constexpr std::uint64_t kNamespaceFlags = 0x7e020000;

// 64-bit calls only; a program for another architecture does not run.
constexpr std::string_view kFiles =
    "access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat "
    "faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl "
    "fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate "
    "futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 "
    "inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek "
    "lsetxattr lstat mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 "
    "pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink "
    "readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat "
    "statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat "
    "utime utimensat utimes vmsplice write writev chroot";
constexpr std::string_view kProcesses =
    "alarm arch_prctl capget capset execve execveat exit exit_group fork getcpu getegid geteuid "
    "getgid getgroups getitimer getpgid getpgrp getpid getppid getpriority getrandom getresgid "
    "getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill "
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self modify_ldt nanosleep pause "
    "pidfd_open pidfd_send_signal prctl prlimit64 ptrace process_vm_readv process_vm_writev "
    "restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
    "rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max "
    "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler "
    "sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
    "sched_yield seccomp set_robust_list get_robust_list set_thread_area get_thread_area "
    "set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid "
    "setresgid setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo tgkill times tkill "
    "uname vfork wait4 waitid";
constexpr std::string_view kMemoryTimeNet =
    "accept accept4 adjtimex bind brk clock_adjtime clock_getres clock_gettime clock_nanosleep "
    "connect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd "
    "eventfd2 futex futex_wait futex_wake futex_waitv futex_requeue get_mempolicy getpeername "
    "getsockname getsockopt gettimeofday io_cancel io_destroy io_getevents io_pgetevents io_setup "
    "io_submit listen madvise mbind membarrier memfd_create memfd_secret mincore mlock mlock2 "
    "mlockall mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink "
    "mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap pkey_alloc pkey_free "
    "pkey_mprotect poll ppoll process_madvise process_mrelease pselect6 recvfrom recvmmsg recvmsg "
    "remap_file_pages select semctl semget semop semtimedop sendmmsg sendmsg sendto set_mempolicy "
    "setsockopt shmat shmctl shmdt shmget shutdown signalfd signalfd4 socket socketpair time "
    "timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create "
    "timerfd_gettime timerfd_settime";

void add_names(std::string_view names, Json& out) {
  for (const std::string_view name : base::split(names, ' ')) {
    if (!name.empty()) out.push_back(std::string(name));
  }
}

Json allow_argument(const char* name, int index, std::uint64_t value, std::uint64_t value_two,
                    const char* op) {
  return {{"names", {name}},
          {"action", "SCMP_ACT_ALLOW"},
          {"args", {{{"index", index}, {"value", value}, {"valueTwo", value_two}, {"op", op}}}}};
}

}  // namespace

Json make_seccomp() {
  Json names = Json::array();
  add_names(kFiles, names);
  add_names(kProcesses, names);
  add_names(kMemoryTimeNet, names);
  Json calls = Json::array();
  calls.push_back({{"names", std::move(names)}, {"action", "SCMP_ACT_ALLOW"}});
  // personality(): the values that programs use to ask, and to switch address randomisation off.
  for (const std::uint64_t value : {0x0ULL, 0x8ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL}) {
    calls.push_back(allow_argument("personality", 0, value, 0, "SCMP_CMP_EQ"));
  }
  // clone() without new namespaces. clone3() hides its flags in memory: libraries fall back to
  // clone() when told that it does not exist.
  calls.push_back(allow_argument("clone", 0, kNamespaceFlags, 0, "SCMP_CMP_MASKED_EQ"));
  calls.push_back({{"names", {"clone3"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", kEnosys}});
  return {{"defaultAction", "SCMP_ACT_ERRNO"}, {"defaultErrnoRet", 1}, {"syscalls", calls}};
}

}  // namespace node::agent
