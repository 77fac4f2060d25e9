// SPDX-License-Identifier: Apache-2.0
// What every kind of directory must do for the organisation it is mapped to. A kind's test file
// makes a group with an `engine` of its own and says DIRECTORY_CONTRACT_TESTS(group,
// CONTRACT_TEST).
//
// The directory holds ann (ann@acme.example, +15058675309; groups eng and ops), ben
// (ben@acme.example; eng), "we(i)rd" and zoe; a person's password is the name and "-secret".
#pragma once

#include "tests/contract/contract.h"
#include "tests/unit/services/security/rig.h"

namespace contract {

class DirectoryEngine {
 public:
  virtual ~DirectoryEngine() = default;
  // Makes the directory in the organisation acme and maps it to it; gives its id.
  virtual std::string open(SecurityRig& rig) = 0;
  // Takes somebody out of a group, gives ann another last name.
  virtual void leave(SecurityRig& rig, const std::string& name, const std::string& group) = 0;
  virtual void rename_ann(SecurityRig& rig, const std::string& last_name) = 0;
  virtual void stop() {}
};

struct DirectoryUse {
  SecurityRig& rig;
  DirectoryEngine& engine;
};

#define DIRECTORY_CONTRACT_TESTS(group, X)                         \
  X(group, a_name_and_its_password_log_in)                         \
  X(group, other_passwords_and_names_do_not)                       \
  X(group, groups_are_those_of_the_directory)                      \
  X(group, searches_take_wildcards_and_nothing_else)               \
  X(group, a_disabled_account_does_not_log_in)                     \
  X(group, a_right_of_a_group_reaches_its_members_and_leaves_them) \
  X(group, an_account_keeps_its_id_when_it_changes)

#define DECLARE(group, name) void name(DirectoryUse& use);
DIRECTORY_CONTRACT_TESTS(, DECLARE)
#undef DECLARE

}  // namespace contract
