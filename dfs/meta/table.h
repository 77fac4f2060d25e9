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
#include "dfs/meta/records.h"

namespace dfs::meta {

class Table {
 public:
  explicit Table(BaseStore& store) : store_(store) {}

  std::optional<std::string_view> find(std::string_view key) const;
  void put(std::string_view key, std::string value);
  void erase(std::string_view key);

  // From here on, what a changed key of a versioned kind was is kept for this snapshot, unless it
  // or a later one has it already. 0: nothing is kept. `kept`: whether there may be versions at
  // all, of any volume.
  enum class Kept : std::uint8_t { none, some };
  void keep_for(VolumeNumber snapshot, Kept kept) {
    keeping_ = snapshot;
    kept_ = kept;
  }
  VolumeNumber keeping() const { return keeping_; }
  bool has_versions() const { return kept_ == Kept::some; }
  struct Version {
    VolumeNumber snapshot = 0;
    std::optional<std::string_view> value;
  };
  // The first one that was kept for `snapshot` or a later one.
  std::optional<Version> find_version(std::string_view key, VolumeNumber snapshot) const;
  // As the key was at the snapshot; 0: as it is.
  std::optional<std::string_view> find_at(std::string_view key, VolumeNumber snapshot) const;
  // What was under keys with the prefix, in order, from `from` on, until `take` says false.
  void walk_at(const std::string& prefix, const std::string& from, VolumeNumber snapshot,
               const std::function<bool(std::string_view key, std::string_view value)>& take) const;
  void put_version(std::string_view key, VolumeNumber snapshot, std::string kept);
  void erase_version(std::string_view key, VolumeNumber snapshot);

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
  void keep(std::string_view key);
  void put_now(std::string_view key, std::string value);
  void erase_now(std::string_view key);

  BaseStore& store_;
  VolumeNumber keeping_ = 0;
  Kept kept_ = Kept::none;
  Changes now_;
  // Shared with the thread that writes it.
  std::shared_ptr<const Changes> freezing_ = std::make_shared<const Changes>();
  std::size_t now_bytes_ = 0, freezing_bytes_ = 0;
  bool is_freezing_ = false;
};

}  // namespace dfs::meta
