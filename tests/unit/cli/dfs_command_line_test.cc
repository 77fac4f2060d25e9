// SPDX-License-Identifier: Apache-2.0
// `gestalt dfs …`, from the command line to the bytes on a real HTTP server and back.
#include "cli/dfs_command_line.h"

#include "tests/support/check_result.h"
#include "tests/unit/cli/command_rig.h"
#include "tests/unit/cli/fake_daemon.h"

TEST_GROUP_BASE(DfsCommandLine, CommandRig){};

TEST(DfsCommandLine, volumes_are_listed_with_what_is_used_of_them) {
  FakeDaemon meta(folder / "dfs-meta.sock");
  meta.answer("GET /dfs/v1/volumes", R"({"volumes":[{"name":"data","used_bytes":2048,
      "used_inodes":3,"quota_bytes":0,"durability":"posix","clients":["a","b"]}]})");
  LONGS_EQUAL(0, run({"dfs", "volume", "list"}));
  STRCMP_CONTAINS("data  2 KiB      -      3  posix             2", out.str().c_str());
}
