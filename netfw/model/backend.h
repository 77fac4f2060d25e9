// SPDX-License-Identifier: Apache-2.0
// What the daemon needs of a packet filter, whichever one the kernel has.
//
// Implemented by iptables/backend.h (libiptc and ipset). The daemon and the guardian are the users.
// 1. apply() makes the kernel equal to the IR and writes nothing when it is already.
// 2. Each state on the way is open for no packet that neither the old nor the new IR lets through.
// 3. Rules of others are never changed.
// Threads: one at a time; calls block for milliseconds, or until the deadline when another program
// holds the lock.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "netfw/model/firewall.h"

namespace netfw {

struct FirewallApplied {
  std::size_t elements_written = 0;
  bool rules_written = false;
  std::size_t rules = 0;
  std::size_t foreign_rules = 0;
};

enum class Scope : std::uint8_t { all_sets, policy_sets };

class FwBackend {
 public:
  virtual ~FwBackend() = default;
  virtual std::string name() const = 0;
  // `scope` policy_sets leaves the sets that follow the instances as they are.
  // Errors: timed_out firewall_lock_held; conflict firewall_foreign_changed; unsupported
  // firewall_unsupported; os errors.
  virtual base::Result<FirewallApplied> apply(const FirewallIr& wanted, Scope scope,
                                              std::chrono::milliseconds deadline) = 0;
  // The fast path: members only, removals before additions. Requires: apply() has succeeded once.
  virtual base::Result<void> change(const std::vector<SetChange>& changes) = 0;
  // What the kernel holds now. Errors: not_found firewall_sets_absent.
  virtual base::Result<FirewallSets> read_sets() = 0;
  // Takes all own rules and sets away; for tests and for removing the package.
  virtual base::Result<void> remove() = 0;
};

}  // namespace netfw
