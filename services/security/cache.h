// SPDX-License-Identifier: Apache-2.0
// What was worked out from the store, kept until the epoch moves or it expires.
//
// Used by the Identity and Orgs stages and by token inspection, for snapshots only: the epoch of a
// transaction that is rolled back comes again with other content.
// 1. An entry counts only for readers that see the epoch it was made in; one made from an older
// snapshot than others have seen is dropped.
// 2. Bounded: a full cache starts anew.
// Threads: any.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace security {

template <class V>
class EpochCache {
 public:
  explicit EpochCache(std::size_t entries_max) : entries_max_(entries_max) {}

  std::optional<V> find(const std::string& key, std::uint64_t epoch, std::int64_t now) {
    const std::lock_guard lock(mutex_);
    if (epoch != epoch_) return std::nullopt;
    const auto at = entries_.find(key);
    if (at == entries_.end() || at->second.expires <= now) return std::nullopt;
    return at->second.value;
  }
  void put(const std::string& key, std::uint64_t epoch, V value, std::int64_t expires) {
    const std::lock_guard lock(mutex_);
    if (epoch < epoch_) return;
    if (epoch > epoch_ || entries_.size() >= entries_max_) entries_.clear();
    epoch_ = epoch;
    entries_.insert_or_assign(key, Entry{std::move(value), expires});
  }

 private:
  struct Entry {
    V value;
    std::int64_t expires;  // seconds since 1970
  };
  const std::size_t entries_max_;
  std::mutex mutex_;
  std::uint64_t epoch_ = 0;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace security
