// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/rules.h"

#include <algorithm>

namespace dfs::replication {

bool Configuration::has(const NodeId& node) const {
  return std::find(in_sync.begin(), in_sync.end(), node) != in_sync.end();
}

bool Rules::accepts(Epoch incoming, Epoch promised) const { return incoming >= promised; }

Index Rules::committable(const Configuration& configuration,
                         const std::map<NodeId, Index>& durable) const {
  Index least = UINT64_MAX;
  for (const NodeId& node : configuration.in_sync) {
    const auto at = durable.find(node);
    least = std::min(least, at == durable.end() ? 0 : at->second);
  }
  return configuration.in_sync.empty() ? 0 : least;
}

base::Instant Rules::lease_end(const Configuration& configuration, const NodeId& self,
                               const std::map<NodeId, base::Instant>& granted,
                               const LeaseTimes& times) const {
  base::Instant end{base::Duration::max()};
  for (const NodeId& node : configuration.in_sync) {
    if (node == self) continue;
    const auto at = granted.find(node);
    if (at == granted.end()) return base::Instant{};
    end = std::min(end, at->second + times.lease);
  }
  return end;
}

bool Rules::may_replace_primary(base::Instant now, base::Instant heard,
                                const LeaseTimes& times) const {
  return now - heard >= times.grace;
}

bool Rules::may_lead(const std::optional<Configuration>& asked, const Configuration& now) const {
  return asked == now;
}

bool Rules::enough_copies(const Configuration& configuration, std::size_t min_in_sync) const {
  return configuration.in_sync.size() >= min_in_sync;
}

bool Rules::caught_up(Index durable, Index last_index) const { return durable >= last_index; }

bool Rules::may_serve(Index committed, Index inherited) const { return committed >= inherited; }

}  // namespace dfs::replication
