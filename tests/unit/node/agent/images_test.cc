// SPDX-License-Identifier: Apache-2.0
#include "node/agent/images.h"

#include <filesystem>

#include "node/agent/image_fetch.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

using namespace node::agent;  // NOLINT: a test of this one namespace
using std::chrono::seconds;

namespace {

std::string digest(char letter) { return "sha256:" + std::string(64, letter); }

}  // namespace

TEST_GROUP(ChooseOldest) {
  const std::vector<UnusedImage> unused = {{{seconds(30)}, digest('c'), 100},
                                           {{seconds(10)}, digest('a'), 100},
                                           {{seconds(20)}, digest('b'), 100}};
};

TEST(ChooseOldest, no_more_go_than_the_disk_needs_and_the_oldest_first) {
  CHECK(choose_oldest(unused, 0).empty());
  CHECK(choose_oldest(unused, -5).empty());
  CHECK(choose_oldest(unused, 1) == std::vector<std::string>{digest('a')});
  CHECK(choose_oldest(unused, 100) == std::vector<std::string>{digest('a')});
  CHECK((choose_oldest(unused, 101) == std::vector<std::string>{digest('a'), digest('b')}));
  LONGS_EQUAL(3, choose_oldest(unused, INT64_MAX).size());
}

TEST_GROUP(Images) {
  TempFolder folder;
  Config config;
  std::unique_ptr<sys::EventLoop> loop;
  sys::WorkerPool workers{{.threads = 1}};

  void setup() override {
    loop = UNWRAP(sys::EventLoop::make());
    config.state_folder = folder.path();
    config.images.unused_min = seconds(0);
    const auto trees = folder / "images" / "trees";
    for (const char letter : {'a', 'b', 'c'}) {
      Image image;
      image.digest = digest(letter);
      image.tree = trees / std::string(1, letter) / "rootfs";
      image.references = {std::string("oci:/srv/") + letter};
      image.size_bytes = 1000;
      std::filesystem::create_directories(image.tree);
      CHECK_OK(save_image(image));
    }
  }
  std::unique_ptr<Images> open() { return UNWRAP(Images::open({*loop, workers, config})); }
  bool is_there(char letter) {
    return std::filesystem::exists(folder / "images" / "trees" / std::string(1, letter));
  }
};

TEST(Images, while_the_disk_has_room_nothing_is_collected) {
  config.images.disk_used_percent_max = 100;
  const auto images = open();
  LONGS_EQUAL(3, images->list().size());
  CHECK(images->collect({}, false).empty());
  CHECK(is_there('a') && is_there('b') && is_there('c'));
}

TEST(Images, on_a_full_disk_what_is_unused_for_long_goes_and_the_rest_stays) {
  config.images.disk_used_percent_max = 0;  // any disk is fuller
  config.images.unused_min = seconds(3600);
  const auto images = open();
  CHECK(images->collect({digest('a')}, false).empty());
  config.images.unused_min = seconds(0);
  LONGS_EQUAL(2, images->collect({digest('a')}, false).size());
  CHECK(is_there('a'));
  CHECK_FALSE(is_there('b') || is_there('c'));
  CHECK(images->find_digest(digest('a')) != nullptr);
  CHECK(images->find("oci:/srv/b") == nullptr);
}

TEST(Images, an_order_to_collect_all_spares_only_what_is_in_use) {
  config.images.disk_used_percent_max = 100;
  const auto images = open();
  LONGS_EQUAL(2, images->collect({digest('c')}, true).size());
  CHECK(is_there('c'));
  CHECK_ERROR(base::Code::failed_precondition, "image_in_use",
              images->remove(digest('c'), {digest('c')}));
}

TEST(Images, a_tree_without_its_description_is_removed_at_the_next_start) {
  std::filesystem::remove(folder / "images" / "trees" / "b" / "image.json");
  LONGS_EQUAL(2, open()->list().size());
  CHECK_FALSE(is_there('b'));
}
