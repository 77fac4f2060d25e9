// SPDX-License-Identifier: Apache-2.0
#include "dfs/fuse/command_line.h"

#include "dfs/fuse/operations.h"
#include "tests/support/check_result.h"

using base::Code;
using namespace dfs::fuse;

TEST_GROUP(MountCommandLine){};

TEST(MountCommandLine, a_line_of_fstab_is_understood) {
  const CommandLine line = UNWRAP(parse_command_line(
      {"m1,m2:7000,[fd00::1]:8:/data", "/mnt", "-s", "-o", "rw,_netdev,nosuid,epoch=7,dirty=16"}));
  LONGS_EQUAL(3, line.servers.size());
  CHECK_TRUE(line.servers[0] == (Server{"m1", 7861}));
  CHECK_TRUE(line.servers[1] == (Server{"m2", 7000}));
  CHECK_TRUE(line.servers[2] == (Server{"fd00::1", 8}));
  STRCMP_EQUAL("data", line.volume.c_str());
  STRCMP_EQUAL("/mnt", line.mount.folder.c_str());
  STRCMP_EQUAL(",nosuid", line.mount.kernel_words.c_str());
  LONGS_EQUAL(7, line.epoch);
  LONGS_EQUAL(16, line.dirty_mib);
  CHECK_FALSE(line.mount.read_only);
}

TEST(MountCommandLine, what_is_not_understood_is_named) {
  struct Row {
    std::vector<std::string> words;
    std::string reason;
  };
  const std::vector<Row> rows = {
      {{"m1:/data"}, "mount_source_invalid"},
      {{"m1:data", "/mnt"}, "mount_source_invalid"},
      {{":/data", "/mnt"}, "mount_source_invalid"},
      {{"m1:/", "/mnt"}, "mount_source_invalid"},
      {{"m1:/a/b", "/mnt"}, "mount_source_invalid"},
      {{"m1,,m2:/data", "/mnt"}, "mount_source_invalid"},
      {{"m1:70000:/data", "/mnt"}, "mount_source_invalid"},
      {{"[fd00::1:/data", "/mnt"}, "mount_source_invalid"},
      {{"m1:/data", "/mnt", "-o", "wonder"}, "mount_option_invalid"},
      {{"m1:/data", "/mnt", "-o", "epoch=x"}, "mount_option_invalid"},
      {{"m1:/data", "/mnt", "-o", "inodes=1"}, "mount_option_invalid"},
      {{"m1:/data", "/mnt", "-o", "uid_first=1000"}, "mount_option_invalid"},
      {{"m1:/data", "/mnt", "-o", "uid_first=4294967295"}, "mount_option_invalid"},
      {{"m1:/data", "/mnt", "-o"}, "mount_option_invalid"},
      {{"m1:/data", "/mnt", "--wonder"}, "mount_option_invalid"},
  };
  for (const Row& row : rows)
    CHECK_ERROR(Code::invalid_argument, row.reason, parse_command_line(row.words));
}

TEST(MountCommandLine, an_errno_wins_over_the_code) {
  LONGS_EQUAL(ENOTEMPTY, to_errno({Code::internal, {}, "posix_error", ENOTEMPTY}));
  LONGS_EQUAL(ENOSPC, to_errno({Code::no_space, {}, "device_full"}));
}
