// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_start/init.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/check_result.h"

TEST_GROUP(OciStartInit){
    // The init in a child of ours, to which orphans come as they do to process 1.
    static pid_t start(const char* script){const pid_t child = fork();
if (child == 0) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const char* program[] = {"sh", "-c", script, nullptr};
  oci_start::run_init(const_cast<char**>(program));
}
return child;
}
static int status_of(pid_t child) {
  int status = -1;
  LONGS_EQUAL(child, waitpid(child, &status, 0));
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}
}
;

TEST(OciStartInit, it_ends_with_the_status_of_the_program) {
  LONGS_EQUAL(7, status_of(start("exit 7")));
  LONGS_EQUAL(128 + SIGKILL, status_of(start("kill -KILL $$")));
  LONGS_EQUAL(127, status_of(start("exec no-such-program-anywhere 2>/dev/null")));
}

TEST(OciStartInit, signals_reach_the_program) {
  int ready[2];
  LONGS_EQUAL(0, pipe(ready));
  const std::string script =
      "trap 'exit 5' USR1; echo >&" + std::to_string(ready[1]) + "; while :; do sleep 0.05; done";
  const pid_t child = start(script.c_str());
  char byte = 0;
  LONGS_EQUAL(1, read(ready[0], &byte, 1));
  LONGS_EQUAL(0, kill(child, SIGUSR1));
  LONGS_EQUAL(5, status_of(child));
  close(ready[0]);
  close(ready[1]);
}

TEST(OciStartInit, the_dead_of_others_are_buried) {
  // The inner shell's child is an orphan when it ends: a zombie of the init, unless that waits.
  const char* script =
      "sh -c 'sleep 0.1 & :'; sleep 0.5;"
      "for f in /proc/[0-9]*/stat; do read -r pid name state parent rest < $f 2>/dev/null;"
      "[ \"$state $parent\" = \"Z $PPID\" ] && exit 3; done; exit 0";
  LONGS_EQUAL(0, status_of(start(script)));
}
