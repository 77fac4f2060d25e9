// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_start/init.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace oci_start {
namespace {

[[noreturn]] void become_program(char** program, const sigset_t& signals) {
  sigprocmask(SIG_SETMASK, &signals, nullptr);
  execvp(program[0], program);
  const int failure = errno;
  dprintf(STDERR_FILENO, "gestalt-oci-start: exec %s: %s\n", program[0], strerror(failure));
  _exit(failure == ENOENT ? 127 : 126);
}

// Several deaths may come as one signal.
void bury(pid_t child) {
  int status = 0;
  for (pid_t dead = 0; (dead = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (dead == child) _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  }
}

}  // namespace

void run_init(char** program) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // Before the fork, so that no signal is lost between it and the first wait.
  sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t child = fork();
  if (child < 0) {
    dprintf(STDERR_FILENO, "gestalt-oci-start: fork: %s\n", strerror(errno));
    _exit(126);
  }
  if (child == 0) become_program(program, before);
  for (;;) {
    const int number = sigwaitinfo(&all, nullptr);
    if (number == SIGCHLD) {
      bury(child);
    } else if (number > 0) {
      kill(child, number);
    }
  }
}

}  // namespace oci_start
