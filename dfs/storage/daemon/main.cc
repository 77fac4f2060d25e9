// SPDX-License-Identifier: Apache-2.0
// gestalt-dfs-storage: the content of files, on one device (7863; HTTP 9095).
#include <cstring>

#include "dfs/storage/daemon/body.h"

namespace {
constexpr std::size_t kWorkers = 8;  // cold reads at once
}  // namespace

int main(int argc, char** argv) {
  if (argc >= 2 && std::strcmp(argv[1], dfs::storage::kClaimFlag) == 0)
    return dfs::storage::claim_main(argc, argv);
  return rest::run_daemon(argc, argv,
                          {.name = "dfs-storage",
                           .about = "Storage server of the distributed file system.\n"
                                    "  --claim [PATH]    claim a blank device or folder, and end",
                           .check = dfs::storage::check_config,
                           .start = dfs::storage::start_daemon,
                           .describe_routes = dfs::storage::describe_routes,
                           .worker_threads = kWorkers});
}
