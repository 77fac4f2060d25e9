// SPDX-License-Identifier: Apache-2.0
// The metadata state as the log's entries see it: the durable store with what was applied since
// then in memory above it.
//
// Used by state.h alone. Layers: `now` over `freezing` (while a checkpoint is being written) over
// the store.
// 1. Nothing here waits for a disk but the reads of the store's map.
// 2. Memory: what was changed since the last checkpoint; bytes() says how much.
// Views live until the next change or adopt(). Threads: the loop's; the frozen layer is read by the
// thread that writes it.
#pragma once

#include "dfs/meta/base_store.h"

namespace dfs::meta {

class Table {
 public:
  explicit Table(BaseStore& store) : store_(store) {}

  std::optional<std::string_view> find(std::string_view key) const;
  void put(std::string_view key, std::string value);
  void erase(std::string_view key);
  // Approximate memory of the layers.
  std::size_t bytes() const { return now_bytes_ + freezing_bytes_; }
  const BaseStore& store() const { return store_; }

  // What is to be written; null when a checkpoint is under way.
  std::shared_ptr<const Changes> freeze();
  void adopt();
  // The store was replaced as a whole: nothing above it counts.
  void forget();

  // Walks what exists, in byte order. Ends its life at the next change.
  class Walk {
   public:
    explicit Walk(const Table& table);
    // Returns whether there is one.
    bool seek(std::string_view key);
    bool next();
    std::string_view key() const { return key_; }
    std::string_view value() const { return value_; }

   private:
    using Iterator = Changes::const_iterator;
    bool settle();
    void pass(std::string_view key);

    const Table& table_;
    Iterator now_, freezing_;
    std::unique_ptr<BaseCursor> base_;
    bool has_base_ = false;
    std::string_view key_, value_;
  };

 private:
  BaseStore& store_;
  Changes now_;
  // Shared with the thread that writes it.
  std::shared_ptr<const Changes> freezing_ = std::make_shared<const Changes>();
  std::size_t now_bytes_ = 0, freezing_bytes_ = 0;
  bool is_freezing_ = false;
};

}  // namespace dfs::meta
