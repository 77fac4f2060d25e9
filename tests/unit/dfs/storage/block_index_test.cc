// SPDX-License-Identifier: Apache-2.0
// What every index must do, on both of its engines.
#include "dfs/storage/block_index.h"

#include "tests/support/check_result.h"
#include "tests/support/dfs/log_index.h"
#include "tests/support/sim/sim_disk.h"
#include "tests/support/temp_folder.h"

using dfs::storage::BlockIndex;

namespace {

std::string list(BlockIndex& index, const std::string& from) {
  std::string text;
  std::string key = from;
  while (const auto pair = UNWRAP(index.at_or_after(key))) {
    text += pair->first + "=" + pair->second + " ";
    key = pair->first + '\0';
  }
  return text;
}

void check_index(const std::function<std::unique_ptr<BlockIndex>()>& open) {
  auto index = open();
  STRCMP_EQUAL("", list(*index, "").c_str());
  CHECK_OK(index->commit({{"b", "2"}, {"a", "1"}, {"c", "3"}}));
  CHECK_OK(index->commit({{"b", {}}, {"none", {}}, {"d", "4"}, {"a", "5"}}));
  STRCMP_EQUAL("a=5 c=3 d=4 ", list(*index, "").c_str());
  STRCMP_EQUAL("c=3 d=4 ", list(*index, "b").c_str());
  CHECK_FALSE(UNWRAP(index->find("b")).has_value());
  STRCMP_EQUAL("5", UNWRAP(index->find("a"))->c_str());
  index.reset();
  index = open();
  STRCMP_EQUAL("a=5 c=3 d=4 ", list(*index, "").c_str());
}

}  // namespace

TEST_GROUP(BlockIndex){};

TEST(BlockIndex, lmdb_keeps_what_was_committed) {
  TempFolder folder;
  check_index([&] { return UNWRAP(dfs::storage::open_lmdb_index(folder / "index", 1 << 20)); });
}

TEST(BlockIndex, the_log_keeps_what_was_committed) {
  sim::World world(1);
  sim::SimDisk disk(world);
  check_index([&] { return UNWRAP(dfs::testing::open_log_index(disk)); });
}
