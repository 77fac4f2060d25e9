// SPDX-License-Identifier: Apache-2.0
// The ids of a partition's last events, to notice one that comes again.
//
// Used by both engines. At most `most` ids are kept.
// Threads: its owner's lock.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "services/event/event.h"

namespace services::event {

class RecentIds {
 public:
  explicit RecentIds(std::size_t most) : most_(most) {}
  std::optional<Offset> find(const std::string& id) const {
    const auto found = offsets_.find(id);
    if (found == offsets_.end()) return std::nullopt;
    return found->second;
  }
  void add(const std::string& id, Offset offset) {
    if (!offsets_.insert_or_assign(id, offset).second) return;
    order_.push_back(id);
    if (order_.size() <= most_) return;
    offsets_.erase(order_.front());
    order_.pop_front();
  }
  std::size_t size() const { return order_.size(); }

 private:
  const std::size_t most_;
  std::deque<std::string> order_;  // oldest first
  std::unordered_map<std::string, Offset> offsets_;
};

}  // namespace services::event
