// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_start/become.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace oci_start {

bool become(unsigned uid) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && setgroups(0, nullptr) == 0 &&
      setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0) {
    return true;
  }
  dprintf(STDERR_FILENO, "gestalt-oci-start: become user %u: %s\n", uid, strerror(errno));
  return false;
}

}  // namespace oci_start
