// SPDX-License-Identifier: Apache-2.0
// The store's logic over an engine's tables: versions, conditions, indexes, the change feed.
//
// 1. A record lies under its key with its version in front and a checksum around it.
// 2. An index table has a key "TERM\0KEY" per term of a record; terms have no zero byte.
// 3. The feed's keys are the sequence numbers; the state record names the oldest and the newest.
// Threads: that of the engine's transaction.
#pragma once

#include "common/store/tables.h"

namespace store {

struct FeedState {
  std::uint64_t last = 0;     // sequence of the newest change, 0 before the first
  std::uint64_t trimmed = 0;  // sequence of the newest that is no longer kept
};

// A Writer when made with writable tables, else to be used as a Reader only.
class Transaction final : public Writer {
 public:
  Transaction(const Layout& layout, const Tables& tables) : layout_(layout), tables_(tables) {}
  Transaction(const Layout& layout, WritableTables& tables)
      : layout_(layout), tables_(tables), writable_(&tables) {}

  bool is_snapshot() const override { return writable_ == nullptr; }
  base::Result<std::optional<Record>> find(std::string_view collection,
                                           std::string_view key) override;
  base::Result<std::vector<Record>> list(std::string_view collection, const Range& range) override;
  base::Result<std::vector<Record>> find_by(std::string_view collection, std::string_view index,
                                            std::string_view term, const Range& keys) override;
  base::Result<std::vector<Change>> changes(std::uint64_t after, std::size_t limit) override;
  base::Result<std::uint64_t> last_change() override;
  base::Result<std::uint64_t> put(std::string_view collection, std::string_view key,
                                  std::string_view value,
                                  std::optional<std::uint64_t> expected) override;
  base::Result<void> remove(std::string_view collection, std::string_view key,
                            std::optional<std::uint64_t> expected) override;

  // Writes the feed's state and trims it. Called once, before the engine commits. False when
  // nothing was changed and there is nothing to commit.
  base::Result<bool> finish();

 private:
  base::Result<const CollectionLayout*> collection(std::string_view name) const;
  base::Result<std::optional<Record>> load(const CollectionLayout& collection,
                                           std::string_view key) const;
  base::Result<void> update_indexes(const CollectionLayout& collection, std::string_view key,
                                    const std::string* before, const std::string_view* after);
  base::Result<FeedState> feed() const;
  base::Result<void> record_change(const CollectionLayout& collection, std::string_view key,
                                   std::uint64_t version);

  const Layout& layout_;
  const Tables& tables_;
  WritableTables* writable_ = nullptr;
  std::optional<FeedState> pending_;  // the feed's state after our changes
};

}  // namespace store
