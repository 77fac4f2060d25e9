// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_start/become.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/check_result.h"

TEST_GROUP(OciStartBecome){};

// On a node, as root; in a child, because there is no way back.
TEST(OciStartBecome, it_is_for_good) {
  const pid_t child = fork();
  if (child == 0) {
    const bool done = oci_start::become(65534) && getuid() == 65534 && getegid() == 65534 &&
                      getgroups(0, nullptr) == 0 && setuid(0) != 0;
    _exit(done ? 0 : 1);
  }
  int status = -1;
  LONGS_EQUAL(child, waitpid(child, &status, 0));
  LONGS_EQUAL(0, status);
}
