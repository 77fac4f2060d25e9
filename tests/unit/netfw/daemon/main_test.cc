// SPDX-License-Identifier: Apache-2.0
// The program as it is called by systemd, by its own daemon and by hand.
#include <CppUTest/TestHarness.h>

#include "common/sys/process.h"
#include "tests/support/check_result.h"

namespace {

int status_of(const std::vector<std::string>& words) {
  std::vector<std::string> argv = {NETFWD};
  argv.insert(argv.end(), words.begin(), words.end());
  return UNWRAP(sys::run({.argv = argv, .environment = {}})).status;
}

}  // namespace

TEST_GROUP(NetfwdProgram){};

TEST(NetfwdProgram, each_way_to_call_it_ends_as_documented) {
  CHECK_EQUAL(0, status_of({"--version"}));
  CHECK_EQUAL(2, status_of({"--nonsense"}));
  CHECK_EQUAL(2, status_of({"--boot", "--config"}));
  CHECK_EQUAL(2, status_of({"--config", "/etc/passwd", "--check-config"}));
  // Without the daemon at its other end a guardian has nothing to guard.
  CHECK_EQUAL(1, status_of({"--guardian"}));
}
