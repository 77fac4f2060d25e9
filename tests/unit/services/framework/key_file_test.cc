// SPDX-License-Identifier: Apache-2.0
#include "services/framework/key_file.h"

#include <CppUTest/TestHarness.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

namespace {

TEST_GROUP(KeyFile) { TempFolder folder; };

TEST(KeyFile, is_made_once_and_for_its_owner_alone) {
  const std::string path = (folder / "a.key").string();
  const auto made = services::load_or_make_key(path, base::system_rng());
  CHECK_OK(made);
  LONGS_EQUAL(services::kKeyBytes, made->reveal().size());
  struct stat status {};
  LONGS_EQUAL(0, ::stat(path.c_str(), &status));
  LONGS_EQUAL(0600, status.st_mode & 0777);
  const auto again = services::load_or_make_key(path, base::system_rng());
  CHECK_OK(again);
  CHECK(made->reveal() == again->reveal());
}

TEST(KeyFile, a_damaged_one_is_an_error_and_stays_as_it_is) {
  const std::string path = (folder / "a.key").string();
  for (const char* text : {"", "abcd\n", "no hex at all"}) {
    std::ofstream(path) << text;
    CHECK_ERROR(base::Code::corrupt, "seal_key_invalid",
                services::load_or_make_key(path, base::system_rng()));
  }
  std::ifstream file(path);
  std::string kept;
  std::getline(file, kept);
  STRCMP_EQUAL("no hex at all", kept.c_str());
}

}  // namespace
