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

TEST(DfsCommandLine, snapshots_are_made_listed_removed_and_gone_back_to) {
  FakeDaemon meta(folder / "dfs-meta.sock");
  const std::string made =
      R"({"name":"s1","volume":"data","mount":"data@s1","created":"2026-01-02T03:04:05Z","used_bytes":4096,"used_inodes":3})";
  meta.answer("POST /dfs/v1/volumes/data/snapshots", made);
  meta.answer("GET /dfs/v1/volumes/data/snapshots", R"({"snapshots":[)" + made + "]}");
  meta.answer("DELETE /dfs/v1/volumes/data/snapshots/s1", "");
  meta.answer("POST /dfs/v1/volumes/data/snapshots/s1/restore", R"({"name":"data"})");
  LONGS_EQUAL(0, run({"dfs", "snapshot", "create", "data", "s1"}));
  STRCMP_CONTAINS("data@s1", out.str().c_str());
  LONGS_EQUAL(0, run({"dfs", "snapshot", "list", "data"}));
  STRCMP_CONTAINS("s1    2026-01-02T03:04:05Z", out.str().c_str());
  LONGS_EQUAL(0, run({"dfs", "snapshot", "restore", "data", "s1"}));
  LONGS_EQUAL(0, run({"dfs", "snapshot", "rm", "data", "s1"}));
  LONGS_EQUAL(2, run({"dfs", "snapshot", "create", "data"}));
}

TEST(DfsCommandLine, a_scrub_that_found_lost_blocks_is_status_1) {
  FakeDaemon storage(folder / "dfs-storage.sock");
  storage.answer("GET /v1/scrub", R"({"running":false,"runs":1,"bytes":4096,"blocks_bad":2,
      "blocks_lost":0,"groups":8,"groups_done":8})");
  LONGS_EQUAL(0, run({"dfs", "scrub", "status"}));
  STRCMP_CONTAINS("not under way, 8 of 8 chunk groups", out.str().c_str());
  storage.answer("POST /v1/scrub", R"({"running":true,"blocks_lost":1})");
  LONGS_EQUAL(1, run({"dfs", "scrub", "start"}));
}

TEST(DfsCommandLine, devices_are_shown_with_their_state) {
  FakeDaemon meta(folder / "dfs-meta.sock");
  meta.answer("GET /dfs/v1/devices", R"({"devices":[{"node":"d1","address":"10.0.0.1","port":7863,
      "alive":false,"capacity_bytes":1024,"free_bytes":512}]})");
  LONGS_EQUAL(0, run({"dfs", "device", "list"}));
  STRCMP_CONTAINS("d1    10.0.0.1:7863  silent", out.str().c_str());
}
