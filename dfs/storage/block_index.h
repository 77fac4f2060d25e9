// SPDX-License-Identifier: Apache-2.0
// What a storage device holds, as keys with values: the checksums of blocks, and how far each group
// has come. Used by ObjectStore and Device; engines: LMDB, and a log on a simulated disk (tests).
//
// 1. A commit is whole and durable when it returns, or has no effect. One that fails has an unknown
// effect: the owner ends the process.
// Threads: find and at_or_after on the loop; commit on any one thread, also beside them. What reads
// see of a commit that is under way is the state before or after it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace dfs::storage {

class BlockIndex {
 public:
  struct Change {
    std::string key;
    std::optional<std::string> value;  // nullopt: the key goes
  };
  using Pair = std::pair<std::string, std::string>;

  virtual ~BlockIndex() = default;
  virtual base::Result<std::optional<std::string>> find(std::string_view key) = 0;
  // The first key that is not less; nullopt behind the last.
  virtual base::Result<std::optional<Pair>> at_or_after(std::string_view key) = 0;
  virtual base::Result<void> commit(const std::vector<Change>& changes) = 0;
};

// `map_bytes` bounds it; the file grows as needed. Errors: those of LmdbEnv::open.
base::Result<std::unique_ptr<BlockIndex>> open_lmdb_index(const std::filesystem::path& folder,
                                                          std::size_t map_bytes);

}  // namespace dfs::storage
