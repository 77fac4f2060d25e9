// SPDX-License-Identifier: Apache-2.0
#include "common/sys/lmdb.h"
#include "dfs/storage/block_index.h"

namespace dfs::storage {
namespace {

using base::Result;

class LmdbIndex final : public BlockIndex {
 public:
  LmdbIndex(sys::LmdbEnv env, sys::LmdbDb table) : env_(std::move(env)), table_(table) {}

  Result<std::optional<std::string>> find(std::string_view key) override {
    const sys::LmdbReadTxn txn = TRY(sys::LmdbReadTxn::begin(env_));
    const std::optional<std::string_view> value = TRY(txn.find(table_, key));
    if (!value) return std::optional<std::string>();
    return std::optional<std::string>(*value);
  }

  Result<std::optional<Pair>> at_or_after(std::string_view key) override {
    const sys::LmdbReadTxn txn = TRY(sys::LmdbReadTxn::begin(env_));
    sys::LmdbCursor cursor = TRY(txn.cursor(table_));
    const auto found = TRY(cursor.seek(key));
    if (!found) return std::optional<Pair>();
    return std::optional<Pair>(Pair(found->first, found->second));
  }

  Result<void> commit(const std::vector<Change>& changes) override {
    sys::LmdbWriteTxn txn = TRY(sys::LmdbWriteTxn::begin(env_));
    for (const Change& change : changes) {
      if (change.value) {
        TRY(txn.put(table_, change.key, *change.value));
      } else {
        TRY(txn.erase(table_, change.key));
      }
    }
    return std::move(txn).commit();
  }

 private:
  sys::LmdbEnv env_;
  const sys::LmdbDb table_;
};

}  // namespace

Result<std::unique_ptr<BlockIndex>> open_lmdb_index(const std::filesystem::path& folder,
                                                    std::size_t map_bytes) {
  sys::LmdbEnv env = TRY(sys::LmdbEnv::open(folder, {.map_size_bytes = map_bytes}));
  const sys::LmdbDb table = TRY(env.database("blocks"));
  return std::unique_ptr<BlockIndex>(std::make_unique<LmdbIndex>(std::move(env), table));
}

}  // namespace dfs::storage
