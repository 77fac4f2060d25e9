// SPDX-License-Identifier: Apache-2.0
// A child program of a test: started with exec, its standard output read line by line, killed and
// reaped at the end whatever happened.
#pragma once

#include <string>
#include <vector>

#include "common/sys/handle.h"

class ChildProcess {
 public:
  explicit ChildProcess(const std::vector<std::string>& argv);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();
  // The next line without its end; empty when none came within a minute or at the end.
  std::string read_line();
  // All lines until the child closes its output or is killed; a last, unfinished line is left out.
  std::vector<std::string> read_lines();
  void kill();  // SIGKILL
  // The exit code, or 128 plus the signal's number.
  int wait();
  int pid() const { return pid_; }

 private:
  bool read_more();
  int pid_ = -1;
  int status_ = 0;
  sys::Fd output_;
  std::string buffer_;
};
