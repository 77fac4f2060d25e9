// SPDX-License-Identifier: Apache-2.0
// Content that is sent again after a link broke, over a network that delivers late what the broken
// link still had.
#include "dfs/client/storage_link.h"

#include "tests/unit/dfs/client/one_client.h"

using namespace dfs;  // NOLINT: the subject
using dfs::client::testing::OneClient;
using dfs::testing::Introductions;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSize = 20'000;  // of each piece: more than stays in an inode
constexpr int kRounds = 60;

// Overwrites one file again and again, each time made durable, while links break. Empty, or what
// was not as it was acknowledged.
std::string overwrite(std::uint64_t seed, Introductions introductions) {
  OneClient one(seed, introductions);
  const InodeNumber inode = one.create("file");
  one.rig.network.faults.link_break = 0.02;
  one.rig.network.faults.linger_max = 200ms;
  for (int round = 0; round < kRounds; ++round) {
    const std::string piece(kSize, static_cast<char>('a' + round % 26));
    const std::string content = piece + std::string(kSize, '\0') + piece;
    // Two requests: when the link breaks with the second, the first is on its way.
    CHECK_OK(one.write(inode, 0, piece));
    CHECK_OK(one.write(inode, 2 * kSize, piece));
    CHECK_OK(one.sync(inode));
    // Whatever is still on its way arrives.
    if (round % 4 == 0) one.rig.world.run_for(300ms);
    if (one.storage->objects[inode] != content)
      return "an acknowledged write was undone by an older one";
  }
  one.rig.network.faults = {};
  CHECK_OK(one.actor->stop());
  return one.storage->complaint();
}

}  // namespace

TEST_GROUP(StorageLink){};

TEST(StorageLink, what_a_broken_link_delivers_late_undoes_nothing) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const std::string wrong = overwrite(seed, Introductions::heard);
    if (!wrong.empty()) FAIL(("seed " + std::to_string(seed) + ": " + wrong).c_str());
  }
}

TEST_GROUP(StorageLinkPlantedMistakes){};

TEST(StorageLinkPlantedMistakes, a_server_to_which_all_links_are_alike_is_found) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed)
    if (!overwrite(seed, Introductions::none).empty()) return;
  FAIL("no seed noticed it");
}
