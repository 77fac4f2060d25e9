// SPDX-License-Identifier: Apache-2.0
#include "tests/support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"

namespace {

// A loaded machine may keep a child waiting for seconds.
constexpr int kPatienceMs = 60'000;

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& argv) {
  int ends[2];
  CHECK_THAT(pipe2(ends, O_CLOEXEC) == 0);
  output_ = sys::Fd(ends[0]);
  const sys::Fd input(ends[1]);
  std::vector<char*> arguments;
  for (const std::string& argument : argv)
    arguments.push_back(const_cast<char*>(argument.c_str()));  // execv does not write to them
  arguments.push_back(nullptr);
  pid_ = fork();
  CHECK_THAT(pid_ >= 0);
  if (pid_ == 0) {
    // No child outlives a test that crashed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(input.get(), STDOUT_FILENO);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
}

ChildProcess::~ChildProcess() {
  kill();
  wait();
}

bool ChildProcess::read_more() {
  pollfd ready{output_.get(), POLLIN, 0};
  if (poll(&ready, 1, kPatienceMs) != 1) return false;
  char bytes[4096];
  const ssize_t size = read(output_.get(), bytes, sizeof bytes);
  if (size <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(size));
  return true;
}

std::string ChildProcess::read_line() {
  while (buffer_.find('\n') == std::string::npos) {
    if (!read_more()) return {};
  }
  const std::size_t end = buffer_.find('\n');
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return line;
}

std::vector<std::string> ChildProcess::read_lines() {
  std::vector<std::string> lines;
  while (true) {
    std::string line = read_line();
    if (line.empty()) return lines;
    lines.push_back(std::move(line));
  }
}

void ChildProcess::kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

int ChildProcess::wait() {
  if (pid_ > 0) {
    int status = 0;
    CHECK_THAT(waitpid(pid_, &status, 0) == pid_);
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    pid_ = -1;
  }
  return status_;
}
