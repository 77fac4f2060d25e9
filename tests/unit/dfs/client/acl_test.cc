// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/acl.h"

#include "tests/support/check_result.h"

using namespace dfs;
using namespace dfs::client;

namespace {

const Acl kAcl = {{0x01, 7, 0}, {0x02, 5, 1000}, {0x04, 5, 0}, {0x10, 7, 0}, {0x20, 4, 0}};

}  // namespace

TEST_GROUP(Acl){};

TEST(Acl, what_is_written_is_read) {
  const auto acl = parse_acl(format_acl(kAcl));
  CHECK_TRUE(acl.has_value());
  LONGS_EQUAL(5, acl->size());
  LONGS_EQUAL(1000, acl->at(1).id);
}

TEST(Acl, bytes_that_are_no_acl_are_refused) {
  for (const std::string& bytes :
       {std::string(), std::string("\2\0\0\0abc", 7), std::string("\3\0\0\0", 4),
        std::string("\2\0\0\0\3\0\7\0\0\0\0\0", 12), std::string("\2\0\0\0\1\0\10\0\0\0\0\0", 12)})
    CHECK_FALSE(parse_acl(bytes).has_value());
}

TEST(Acl, the_mask_is_the_group_part_of_the_mode) {
  bool says_more = false;
  LONGS_EQUAL(02774, mode_of(kAcl, 02000, says_more));
  CHECK_TRUE(says_more);
  Acl acl = kAcl;
  chmod_acl(acl, 0640);
  LONGS_EQUAL(0640, mode_of(acl, 0, says_more));
}

TEST(Acl, a_new_file_gets_what_both_the_default_and_the_caller_grant) {
  const std::vector<Xattr> folder = {{std::string(kDefaultAcl), format_acl(kAcl)}};
  std::uint32_t mode = 0666;
  std::vector<Xattr> xattrs;
  CHECK_TRUE(inherit_acl(folder, FileKind::file, mode, xattrs));
  LONGS_EQUAL(0664, mode);
  LONGS_EQUAL(1, xattrs.size());
  xattrs.clear();
  CHECK_TRUE(inherit_acl(folder, FileKind::folder, mode, xattrs));
  LONGS_EQUAL(2, xattrs.size());
  CHECK_FALSE(inherit_acl({}, FileKind::file, mode, xattrs));
}
