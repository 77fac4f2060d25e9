// SPDX-License-Identifier: Apache-2.0
#include "node/agent/blob_cache.h"

#include <filesystem>
#include <fstream>

#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

using node::agent::BlobCache;
using node::agent::digests_of;

namespace {

namespace fs = std::filesystem;

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');

std::string descriptor(const std::string& digest) { return R"({"digest":")" + digest + "\"}"; }

}  // namespace

TEST_GROUP(BlobCache) {
  TempFolder folder;
  BlobCache cache{folder / "blobs"};

  void put(const std::string& digest) {
    fs::create_directories(cache.folder() / "sha256");
    std::ofstream(path(digest)) << "12345";
  }
  fs::path path(const std::string& digest) const {
    return cache.folder() / "sha256" / digest.substr(7);
  }
};

TEST(BlobCache, a_layout_is_completed_with_the_blobs_of_the_cache) {
  put(kA);
  fs::create_directories(folder / "layout/blobs");
  CHECK_OK(cache.complete(folder / "layout"));
  CHECK(fs::exists(fs::path(folder / "layout/blobs/sha256") / kA.substr(7)));
}

TEST(BlobCache, removing_a_layout_leaves_the_cache_alone) {
  put(kA);
  fs::create_directories(folder / "layout");
  CHECK_OK(cache.complete(folder / "layout"));
  fs::remove_all(folder / "layout");
  CHECK(fs::exists(path(kA)));
}

TEST(BlobCache, what_was_not_used_for_long_goes_and_what_was_touched_stays) {
  put(kA);
  put(kB);
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(2);
  fs::last_write_time(path(kA), old);
  fs::last_write_time(path(kB), old);
  cache.touch({kB});
  LONGS_EQUAL(5, cache.collect(std::chrono::hours(1)));
  CHECK_FALSE(fs::exists(path(kA)));
  CHECK(fs::exists(path(kB)));
}

TEST(BlobCache, a_cache_that_is_not_there_has_nothing_to_collect_or_forget) {
  LONGS_EQUAL(0, cache.collect(std::chrono::seconds(0)));
  cache.forget({kA});
  cache.touch({kA});
}

TEST(BlobCache, forgotten_blobs_are_gone) {
  put(kA);
  cache.forget({kA, kB});
  CHECK_FALSE(fs::exists(path(kA)));
}

TEST(BlobCache, a_manifest_names_itself_its_configuration_and_its_layers) {
  const auto found = UNWRAP(
      digests_of(R"({"config":)" + descriptor(kB) + R"(,"layers":[)" + descriptor(kA) + "]}", kA));
  LONGS_EQUAL(3, found.size());
  STRCMP_EQUAL(kB.c_str(), found[1].c_str());
}

TEST(BlobCache, manifests_that_could_lead_elsewhere_are_refused) {
  for (const std::string& text : {
           std::string("[]"),
           std::string("{}"),
           R"({"layers":[]})" + std::string(),
           R"({"config":)" + descriptor(kA) + "}",
           R"({"config":)" + descriptor(kA) + R"(,"layers":{}})",
           R"({"config":)" + descriptor("sha256:../../x") + R"(,"layers":[]})",
           R"({"config":)" + descriptor(kA) + R"(,"layers":[{"digest":7}]})",
           R"({"config":)" + descriptor(kA) + R"(,"layers":["x"]})",
       }) {
    CHECK_ERROR(base::Code::corrupt, "image_invalid", digests_of(text, kA));
  }
}
