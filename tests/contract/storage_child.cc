// SPDX-License-Identifier: Apache-2.0
// The process that the crash tests kill. It works on a folder until it is killed, and says on
// standard output what has been acknowledged.
//
//   coordination-hold FOLDER PATH   holds an ephemeral node; prints "ready"
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/coordination/coordination.h"

namespace {

void say(const std::string& line) {
  const std::string text = line + "\n";
  // One write per line, so that a killed child leaves whole lines.
  CHECK_THAT(write(STDOUT_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

base::Result<void> hold(const std::string& folder, const std::string& path) {
  const auto session = TRY(coordination::open_local({folder}));
  TRY(session->create({path, "", coordination::Kind::ephemeral}));
  say("ready");
  sigset_t none;
  sigemptyset(&none);
  sigsuspend(&none);
  return {};
}

base::Result<void> run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 3 && arguments[0] == "coordination-hold")
    return hold(arguments[1], arguments[2]);
  return base::Error{base::Code::invalid_argument, "no such command", "usage"};
}

}  // namespace

int main(int argc, char** argv) {
  const base::Result<void> result = run(std::vector<std::string>(argv + 1, argv + argc));
  if (result) return 0;
  std::fprintf(stderr, "%s\n", base::to_string(result.error()).c_str());
  return 1;
}
