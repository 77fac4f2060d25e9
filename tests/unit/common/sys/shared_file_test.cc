// SPDX-License-Identifier: Apache-2.0
#include "common/sys/shared_file.h"

#include <sys/stat.h>

#include <fstream>

#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

using base::Code;
using base::Result;

TEST_GROUP(SharedFile) {
  TempFolder folder;

  std::string content() const {
    std::ifstream file(folder / "f");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder.path()), {}));
  }
};

static Result<void> fill(const std::string& path) {
  std::ofstream(path) << "filled";
  return {};
}

static Result<void> fail(const std::string&) { return base::Error{Code::internal, "no", "test"}; }

TEST(SharedFile, it_has_its_content_and_mode_from_the_start) {
  const mode_t before = umask(0077);
  CHECK_OK(sys::make_shared_file(folder / "f", 0664, fill));
  umask(before);
  struct stat status {};
  LONGS_EQUAL(0, stat((folder / "f").c_str(), &status));
  LONGS_EQUAL(0664, status.st_mode & 07777);
  STRCMP_EQUAL("filled", content().c_str());
  LONGS_EQUAL(1, count());
}

TEST(SharedFile, one_that_exists_stays_as_it_is) {
  std::ofstream(folder / "f") << "old";
  CHECK_OK(sys::make_shared_file(folder / "f", 0600, fill));
  STRCMP_EQUAL("old", content().c_str());
}

TEST(SharedFile, one_that_cannot_be_filled_leaves_nothing) {
  CHECK_ERROR(Code::internal, "test", sys::make_shared_file(folder / "f", 0600, fail));
  LONGS_EQUAL(0, count());
}

TEST(SharedFile, a_folder_is_made_once_and_needs_its_parent) {
  CHECK_OK(sys::make_synced_folder(folder / "d", 0700));
  CHECK_OK(sys::make_synced_folder(folder / "d", 0700));
  CHECK_ERROR(Code::not_found, "os_not_found", sys::make_synced_folder(folder / "x/y", 0700));
}
