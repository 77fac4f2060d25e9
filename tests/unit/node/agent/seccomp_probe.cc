// SPDX-License-Identifier: Apache-2.0
// Asks the kernel for what a container must not have, with arguments that do no harm. Started in a
// container by containers_test.cc: static, and without the C++ library. Ends with the number of the
// first call that was not refused by the filter, 0 when all were.
//
// Every call here fails otherwise without a filter, whatever the caller's rights (with EFAULT,
// EINVAL or EBADF; unshare even succeeds): that they are refused is the filter's doing.
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

struct Call {
  long number;
  long first;
  int refusal;
};

constexpr Call kCalls[] = {
    {SYS_keyctl, 0, EPERM},          {SYS_add_key, 0, EPERM},
    {SYS_request_key, 0, EPERM},     {SYS_io_uring_setup, 1, EPERM},
    {SYS_io_uring_enter, -1, EPERM}, {SYS_io_uring_register, -1, EPERM},
    {SYS_unshare, 0, EPERM},         {SYS_setns, -1, EPERM},
    {SYS_pidfd_getfd, -1, EPERM},    {SYS_perf_event_open, 0, EPERM},
    {SYS_userfaultfd, -1, EPERM},    {SYS_move_pages, 0, EPERM},
    {SYS_clone3, 0, ENOSYS},
};

}  // namespace

int main() {
  int number = 0;
  for (const Call& call : kCalls) {
    ++number;
    errno = 0;
    if (syscall(call.number, call.first, 0L, 0L, 0L, 0L, 0L) != -1 || errno != call.refusal) {
      return number;
    }
  }
  return 0;
}
