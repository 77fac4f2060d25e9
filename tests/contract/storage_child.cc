// SPDX-License-Identifier: Apache-2.0
// The process that the crash tests kill. It works on a folder until it is killed, and says on
// standard output what has been acknowledged.
//
//   hold FOLDER PATH            holds an ephemeral node; prints "ready"
//   append KIND FOLDER [NAME]   appends to a numbered log (numbered_log.h); prints each number once
//                               its transaction is acknowledged
//   append-lying KIND FOLDER    the same with a fault planted: nothing is synced
//   verify KIND FOLDER          prints the last number of an undamaged log
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/coordination/coordination.h"
#include "tests/contract/numbered_log.h"

namespace {

bool lying = false;

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

base::Result<void> append(const std::string& kind, const std::string& folder,
                          const std::string& name) {
  const auto log = TRY(contract::open_log(kind, folder, name));
  std::uint64_t number = TRY(log->verify());
  while (true) {
    ++number;
    TRY(log->append(number));
    say(std::to_string(number));
  }
}

base::Result<void> verify(const std::string& kind, const std::string& folder) {
  const auto log = TRY(contract::open_log(kind, folder));
  say(std::to_string(TRY(log->verify())));
  return {};
}

base::Result<void> run(const std::vector<std::string>& arguments) {
  const std::size_t count = arguments.size();
  const std::string command = count == 0 ? "" : arguments[0];
  if (command == "hold" && count == 3) return hold(arguments[1], arguments[2]);
  if (command == "append" && count == 3) return append(arguments[1], arguments[2], "log");
  if (command == "append" && count == 4) return append(arguments[1], arguments[2], arguments[3]);
  if (command == "verify" && count == 3) return verify(arguments[1], arguments[2]);
  if (command == "append-lying" && count == 3) {
    lying = true;
    return append(arguments[1], arguments[2], "log");
  }
  return base::Error{base::Code::invalid_argument, "no such command", "usage"};
}

}  // namespace

// LMDB syncs with this call, and a program's own function comes before the C library's.
extern "C" int fdatasync(int fd) {
  return lying ? 0 : static_cast<int>(::syscall(SYS_fdatasync, fd));
}

int main(int argc, char** argv) {
  const base::Result<void> result = run(std::vector<std::string>(argv + 1, argv + argc));
  if (result) return 0;
  std::fprintf(stderr, "%s\n", base::to_string(result.error()).c_str());
  return 1;
}
