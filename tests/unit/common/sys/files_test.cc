// SPDX-License-Identifier: Apache-2.0
#include "common/sys/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/check_result.h"
#include "tests/unit/common/sys/scratch.h"

using base::Code;

namespace {

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

long count_entries(const std::filesystem::path& folder) {
  return std::distance(std::filesystem::directory_iterator(folder),
                       std::filesystem::directory_iterator());
}

}  // namespace

TEST_GROUP(Files) { Scratch scratch; };

TEST(Files, a_durable_write_replaces_the_file_with_the_exact_mode_and_leaves_nothing_beside) {
  const auto file = scratch / "a";
  const mode_t before = ::umask(0077);
  CHECK_OK(sys::write_file_durably(file, "one"));
  LONGS_EQUAL(0644, mode_of(file));
  CHECK_OK(sys::write_file_durably(file, std::string("tw\0o", 4), 0640));
  ::umask(before);
  LONGS_EQUAL(0640, mode_of(file));
  CHECK_TRUE(UNWRAP(base::read_file(file)) == std::string("tw\0o", 4));
  LONGS_EQUAL(1, count_entries(scratch.path()));
}

TEST(Files, a_failed_durable_write_keeps_the_old_and_leaves_nothing_beside) {
  CHECK_OK(sys::make_folder(scratch / "target"));
  CHECK_ERROR(Code::internal, "os_error", sys::write_file_durably(scratch / "target", "x"));
  CHECK_TRUE(std::filesystem::is_directory(scratch / "target"));
  LONGS_EQUAL(1, count_entries(scratch.path()));
  CHECK_ERROR(Code::not_found, "os_not_found", sys::write_file_durably(scratch / "none/x", "x"));
}

TEST(Files, a_durable_write_replaces_a_link_and_not_what_it_points_to) {
  CHECK_OK(sys::write_file_durably(scratch / "real", "old"));
  std::filesystem::create_symlink("real", scratch / "link");
  CHECK_OK(sys::write_file_durably(scratch / "link", "new"));
  STRCMP_EQUAL("old", UNWRAP(base::read_file(scratch / "real")).c_str());
  STRCMP_EQUAL("new", UNWRAP(base::read_file(scratch / "link")).c_str());
}

TEST(Files, make_folder_makes_parents_and_corrects_the_mode) {
  const auto deep = scratch / "a/b/c";
  CHECK_OK(sys::make_folder(deep, 0700));
  LONGS_EQUAL(0700, mode_of(deep));
  LONGS_EQUAL(0755, mode_of(scratch / "a/b"));
  CHECK_OK(sys::make_folder(scratch / "a/b/c/", 0750));
  LONGS_EQUAL(0750, mode_of(deep));
}

TEST(Files, make_folder_does_not_take_a_file_for_a_folder) {
  CHECK_OK(sys::write_file_durably(scratch / "f", ""));
  CHECK_ERROR(Code::internal, "os_error", sys::make_folder(scratch / "f"));
  CHECK_ERROR(Code::internal, "os_error", sys::make_folder(scratch / "f/g"));
}

TEST(Files, a_lock_is_exclusive_and_ends_with_its_owner) {
  auto held = UNWRAP(sys::lock_file(scratch / "lock"));
  CHECK_TRUE((::fcntl(held.get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK_ERROR(Code::failed_precondition, "already_locked", sys::lock_file(scratch / "lock"));
  held.reset();
  CHECK_OK(sys::lock_file(scratch / "lock"));
}

TEST(Files, remove_tree_takes_links_not_their_targets_and_forgives_absence) {
  CHECK_OK(sys::make_folder(scratch / "keep"));
  CHECK_OK(sys::write_file_durably(scratch / "keep/file", "x"));
  CHECK_OK(sys::make_folder(scratch / "gone/deep"));
  std::filesystem::create_directory_symlink("../keep", scratch / "gone/link");
  CHECK_OK(sys::remove_tree(scratch / "gone"));
  CHECK_FALSE(std::filesystem::exists(scratch / "gone"));
  CHECK_TRUE(std::filesystem::exists(scratch / "keep/file"));
  CHECK_OK(sys::remove_tree(scratch / "gone"));
}
