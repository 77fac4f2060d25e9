// SPDX-License-Identifier: Apache-2.0
// What callers have gained lately, so that one in the cache need not be read anew for each
// organisation that somebody makes: its maker has as many groups and rights as organisations.
//
// Used by the Identity stage and by what makes organisations.
// 1. A gain moves the epoch as any change does. It is noted beside it only when nobody loses
// anything and one account gains one group with one right.
// 2. The record `state/gains` holds the last of them, without a gap up to its epoch; any other
// change leaves it behind the epoch, and what was cached before is read anew.
// Threads: those of the transactions; CallerCache any.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"
#include "common/store/store.h"
#include "services/framework/caller.h"
#include "services/security/data/records.h"

namespace security {

struct Gain {
  std::string account;
  std::string group;
  services::Right right;
};
// In place of touch_epoch().
base::Result<void> note_gain(store::Writer& writer, const Gain& gain);
// After create_org() with its creator as the first admin.
base::Result<void> note_new_org(store::Writer& writer, const OrgRecord& org,
                                std::string_view creator);
// All that has changed between two epochs; nullopt when that is more than gains, or too many.
base::Result<std::optional<std::vector<Gain>>> gains_between(store::Reader& reader,
                                                             std::uint64_t before,
                                                             std::uint64_t now);

// Callers by the hash of their credentials. Bounded: a full cache starts anew.
class CallerCache {
 public:
  explicit CallerCache(std::size_t entries_max) : entries_max_(entries_max) {}
  // As of `epoch`, which is that of `reader`, a snapshot.
  base::Result<std::optional<services::CallerPtr>> find(store::Reader& reader,
                                                        const std::string& key, std::uint64_t epoch,
                                                        std::int64_t now);
  void put(const std::string& key, std::uint64_t epoch, services::CallerPtr caller,
           std::int64_t expires);

 private:
  struct Entry {
    services::CallerPtr caller = {};
    std::uint64_t epoch = 0;
    std::int64_t expires = 0;  // seconds since 1970
  };
  const std::size_t entries_max_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace security
