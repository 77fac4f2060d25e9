// SPDX-License-Identifier: Apache-2.0
#include "node/agent/beneath.h"

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tests/support/check_result.h"

using node::agent::Inside;
using node::agent::read_inside;

TEST_GROUP(Beneath) {
  std::filesystem::path folder;

  void setup() override {
    char name[] = "/tmp/beneath-test-XXXXXX";
    folder = mkdtemp(name);
    std::filesystem::create_directories(folder / "box/sub");
    std::ofstream(folder / "secret") << "secret";
    std::ofstream(folder / "box/sub/file") << "text";
    std::filesystem::create_symlink("/etc/passwd", folder / "box/absolute");
    std::filesystem::create_symlink("../secret", folder / "box/up");
    std::filesystem::create_symlink("sub/file", folder / "box/good");
  }
  void teardown() override { std::filesystem::remove_all(folder); }
};

TEST(Beneath, files_and_links_inside_are_read) {
  STRCMP_EQUAL("text",
               UNWRAP(read_inside(folder / "box", "sub/file", 100, Inside::beneath)).c_str());
  STRCMP_EQUAL("text",
               UNWRAP(read_inside(folder / "box", "/sub/file", 100, Inside::beneath)).c_str());
  STRCMP_EQUAL("text", UNWRAP(read_inside(folder / "box", "good", 100, Inside::beneath)).c_str());
}

TEST(Beneath, nothing_leads_out) {
  for (const char* path : {"../secret", "up", "absolute", "sub/../../secret", "sub/../up"}) {
    CHECK_ERROR(base::Code::permission_denied, "path_escapes",
                read_inside(folder / "box", path, 100, Inside::beneath));
  }
}

TEST(Beneath, in_root_a_link_to_the_top_stays_inside) {
  std::filesystem::create_directories(folder / "box/etc");
  std::ofstream(folder / "box/etc/passwd") << "ours";
  STRCMP_EQUAL("ours",
               UNWRAP(read_inside(folder / "box", "absolute", 100, Inside::in_root)).c_str());
}

TEST(Beneath, a_file_that_is_too_large_is_refused) {
  CHECK_ERROR(base::Code::too_large, "file_too_large",
              read_inside(folder / "box", "sub/file", 3, Inside::beneath));
}
