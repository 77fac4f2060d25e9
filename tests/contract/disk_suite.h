// SPDX-License-Identifier: Apache-2.0
// What every disk must do. A disk's test file makes a group that has an `engine` of its own kind of
// DiskEngine and says DISK_CONTRACT_TESTS(group, CONTRACT_TEST).
#pragma once

#include "common/base/disk.h"
#include "tests/contract/contract.h"
#include "tests/support/check_result.h"

namespace contract {

class DiskEngine {
 public:
  virtual ~DiskEngine() = default;
  virtual base::Disk& disk() = 0;  // empty at first
};

#define DISK_CONTRACT_TESTS(group, X)                \
  X(group, what_was_written_is_read)                 \
  X(group, reads_end_at_the_end_of_the_file)         \
  X(group, gaps_and_allocations_read_as_zeros)       \
  X(group, a_truncated_file_grows_again_with_zeros)  \
  X(group, a_punched_hole_reads_as_zeros)            \
  X(group, what_is_in_memory_is_read_at_once)        \
  X(group, open_modes_say_what_must_exist)           \
  X(group, names_are_listed_sorted)                  \
  X(group, a_rename_replaces_its_target)             \
  X(group, an_open_file_outlives_its_name)           \
  X(group, folders_are_removed_only_when_empty)      \
  X(group, paths_cannot_leave_the_disk)              \
  X(group, synced_files_and_folders_are_still_there) \
  X(group, free_space_is_known)

#define DECLARE_CONTRACT_TEST(group, name) void name(DiskEngine& engine);
DISK_CONTRACT_TESTS(none, DECLARE_CONTRACT_TEST)
#undef DECLARE_CONTRACT_TEST

// The whole content of a file.
std::string content_of(base::DiskFile& file);

}  // namespace contract
