// SPDX-License-Identifier: Apache-2.0
// Ordered tables of bytes: what an engine gives to the part of the store that all engines share.
//
// 1. Keys are 1 to 511 bytes and in byte order. Views live until the transaction changes the table
// or ends.
// 2. Which table holds what is decided by Layout, from the options alone.
// Threads: that of the transaction.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/store.h"

namespace store {

using TableNumber = std::size_t;

class Tables {
 public:
  // Returns false to end the scan.
  using Visit = std::function<base::Result<bool>(std::string_view key, std::string_view value)>;
  virtual ~Tables() = default;
  virtual base::Result<std::optional<std::string_view>> find(TableNumber table,
                                                             std::string_view key) const = 0;
  // Entries whose key is not less than `from`, in order. Requires: `visit` changes no table.
  virtual base::Result<void> scan(TableNumber table, std::string_view from,
                                  const Visit& visit) const = 0;
};

class WritableTables : public Tables {
 public:
  virtual base::Result<void> put(TableNumber table, std::string_view key,
                                 std::string_view value) = 0;
  virtual base::Result<void> erase(TableNumber table, std::string_view key) = 0;
  virtual base::Result<void> clear(TableNumber table) = 0;
};

struct IndexLayout {
  Index index;
  TableNumber table = 0;
};

struct CollectionLayout {
  std::string name;
  TableNumber records = 0;
  std::vector<IndexLayout> indexes;
  bool in_feed = true;
};

struct Layout {
  explicit Layout(const Options& options);
  static constexpr TableNumber kState = 0;
  static constexpr TableNumber kChanges = 1;
  std::vector<std::string> tables;  // their names
  std::vector<CollectionLayout> collections;
  std::uint64_t changes_kept;
};

// Fills the indexes that are new in the options and forgets those that are no longer there, so
// that each index is complete whenever it is declared. Returns whether anything had to be done.
// O(records) for a new index, else O(indexes).
base::Result<bool> refresh_indexes(const Layout& layout, WritableTables& tables);
// So that the next refresh_indexes() fills all of them.
base::Result<void> forget_indexes(WritableTables& tables);
// Whether a table, or an entry of the state, belongs to an index.
bool is_index(std::string_view name);

}  // namespace store
