// SPDX-License-Identifier: Apache-2.0
#include "common/coordination/path.h"

#include "common/coordination/coordination.h"
#include "tests/support/check_result.h"

using coordination::check_path;
using coordination::name_of;
using coordination::parent_of;

TEST_GROUP(CoordinationPath){};

TEST(CoordinationPath, good_paths_pass) {
  for (const std::string& path :
       {std::string("/"), std::string("/a"), std::string("/a/b.c/..d"), std::string("/a b/ü"),
        "/" + std::string(coordination::kPathMax - 1, 'x')})
    CHECK_OK(check_path(path));
}

TEST(CoordinationPath, bad_paths_say_what_is_wrong) {
  const struct {
    std::string path;
    const char* part;
  } cases[] = {
      {"", "begin with"},         {"a", "begin with"},
      {"/a/", "empty segment"},   {"//", "empty segment"},
      {"/a//b", "empty segment"}, {"/./a", "'.'"},
      {"/a/..", "'..'"},          {"/a\tb", "control"},
      {"/a\x7f", "control"},      {std::string("/\0", 2), "control"},
      {"/\xc3", "UTF-8"},         {"/" + std::string(coordination::kPathMax, 'x'), "511"},
  };
  for (const auto& [path, part] : cases) {
    const base::Result<void> checked = check_path(path);
    CHECK_ERROR(base::Code::invalid_argument, "path_invalid", checked);
    STRCMP_CONTAINS(part, checked.error().detail.c_str());
  }
}

TEST(CoordinationPath, parents_and_names) {
  STRCMP_EQUAL("/", std::string(parent_of("/a")).c_str());
  STRCMP_EQUAL("/a", std::string(parent_of("/a/b")).c_str());
  STRCMP_EQUAL("b", std::string(name_of("/a/b")).c_str());
  STRCMP_EQUAL("a", std::string(name_of("/a")).c_str());
}

TEST(CoordinationPath, sequence_numbers_have_ten_digits_and_more_when_needed) {
  STRCMP_EQUAL("/a/n-0000000007", coordination::with_sequence("/a/n-", 7).c_str());
  STRCMP_EQUAL("/n12345678901", coordination::with_sequence("/n", 12345678901).c_str());
}
