// SPDX-License-Identifier: Apache-2.0
#include "dfs/fuse/convert.h"

#include "dfs/client/acl.h"
#include "tests/support/check_result.h"

using namespace dfs::fuse;

TEST_GROUP(IdShift) { const IdShift shift{0x10000000}; };

TEST(IdShift, a_containers_numbers_come_back_as_they_went) {
  for (const std::uint32_t id : {0U, 1U, 1000U, 65535U}) {
    LONGS_EQUAL(0x10000000 + id, shift.to_kernel(id));
    LONGS_EQUAL(id, shift.from_kernel(0x10000000 + id));
  }
}

TEST(IdShift, the_machines_root_is_the_containers_and_others_are_nobody) {
  LONGS_EQUAL(0, shift.from_kernel(0));
  LONGS_EQUAL(IdShift::kNobody, shift.from_kernel(1000));
  LONGS_EQUAL(IdShift::kNobody, shift.from_kernel(0x10000000 + 65536));
  LONGS_EQUAL(IdShift::kNobody, shift.to_kernel(65536));
}

TEST(IdShift, without_a_first_number_nothing_changes) {
  const IdShift none;
  LONGS_EQUAL(4'000'000, none.to_kernel(4'000'000));
  LONGS_EQUAL(4'000'000, none.from_kernel(4'000'000));
}

TEST(IdShift, attributes_and_changes_are_shifted) {
  dfs::Attributes attributes;
  attributes.uid = 33;
  attributes.gid = 44;
  const struct stat status = to_stat(attributes, shift);
  LONGS_EQUAL(0x10000000 + 33, status.st_uid);
  LONGS_EQUAL(0x10000000 + 44, status.st_gid);
  constexpr int kUidAndGid = 6;  // FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID
  const dfs::client::Change change = to_change(status, kUidAndGid, shift);
  LONGS_EQUAL(33, *change.uid);
  LONGS_EQUAL(44, *change.gid);
}

TEST(IdShift, named_entries_of_an_acl_are_shifted_and_other_xattrs_are_not) {
  const dfs::client::Acl acl = {
      {0x01, 7, UINT32_MAX}, {0x02, 6, 5}, {0x08, 4, 6}, {0x10, 7, UINT32_MAX}};
  const std::string stored = dfs::client::format_acl(acl);
  const std::string shown = shift_xattr(dfs::client::kAccessAcl, stored, shift, ShiftTo::kernel);
  const auto seen = dfs::client::parse_acl(shown);
  CHECK_TRUE(seen.has_value());
  LONGS_EQUAL(UINT32_MAX, (*seen)[0].id);
  LONGS_EQUAL(0x10000005, (*seen)[1].id);
  LONGS_EQUAL(0x10000006, (*seen)[2].id);
  CHECK_TRUE(shift_xattr(dfs::client::kAccessAcl, shown, shift, ShiftTo::volume) == stored);
  CHECK_TRUE(shift_xattr("user.acl", stored, shift, ShiftTo::kernel) == stored);
}
