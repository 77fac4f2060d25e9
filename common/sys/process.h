// SPDX-License-Identifier: Apache-2.0
// Child processes: an argument vector, an explicit environment, a deadline. There is no shell
// anywhere. Source: posix_spawn(3), pidfd_open(2).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/sys/handle.h"

namespace sys {

struct Command {
  std::vector<std::string> argv;  // argv[0] is an absolute path; PATH is never searched
  std::map<std::string, std::string>
      environment;         // all the child gets, besides PATH and LC_ALL=C.UTF-8
  std::string input = {};  // for the child's stdin; empty means /dev/null
  std::chrono::milliseconds deadline = std::chrono::seconds(30);
  std::size_t output_max = 1 << 20;  // of stdout and of stderr each; what is beyond is dropped
  // Called with each chunk of stdout as it comes, on the calling thread; then nothing is kept in
  // Exit::out.
  std::function<void(std::string_view)> on_output = {};
};

struct Exit {
  int status = 0;  // exit status; 128 + signal when killed by one
  std::string out;
  std::string err;
};

// Runs to the end. At the deadline the child's whole process group is killed.
// Errors: timed_out command_timed_out; os errors when it cannot start. A status other than 0 is not
// an error here. Threads: any but the loop thread (it blocks).
base::Result<Exit> run(const Command& command);
// As run, and a status other than 0 is an error: internal command_failed with the last lines of
// stderr.
base::Result<std::string> run_checked(const Command& command);

// Errors: os errors; ESRCH when there is no such process.
base::Result<Fd> open_pidfd(pid_t pid);

}  // namespace sys
