// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "common/rest/daemon.h"
#include "netfw/daemon/body.h"
#include "netfw/daemon/boot.h"
#include "netfw/daemon/guardian.h"

namespace {
// Most of them wait for sessions to drain.
constexpr std::size_t kWorkers = 40;
}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], netfw::kGuardianFlag) == 0) return netfw::guardian_main();
  if (argc >= 2 && std::strcmp(argv[1], netfw::kBootFlag) == 0) return netfw::boot_main(argc, argv);
  return rest::run_daemon(argc, argv,
                          {.name = "netfwd",
                           .about = "Firewall and load balancer of a node.\n"
                                    "  --boot            put a policy into the kernel, and end",
                           .check = netfw::check_config,
                           .start = netfw::start_daemon,
                           .describe_routes = netfw::describe_routes,
                           .worker_threads = kWorkers});
}
