// SPDX-License-Identifier: Apache-2.0
// FwBackend on legacy iptables: the rules through libiptc's helper, the members in ipsets.
#pragma once

#include <optional>

#include "netfw/iptables/ipset.h"
#include "netfw/iptables/skeleton.h"
#include "netfw/model/backend.h"

namespace netfw {

class IptablesBackend final : public FwBackend {
 public:
  static base::Result<std::unique_ptr<FwBackend>> make(Skeleton::Options options);

  // Whether the kernel has the tables and sets and the helper answers. Writes nothing.
  static base::Result<void> probe(const Skeleton::Options& options);

  std::string name() const override { return "iptables"; }
  base::Result<FirewallApplied> apply(const FirewallIr& wanted, Scope scope,
                                      std::chrono::milliseconds deadline) override;
  base::Result<void> change(const std::vector<SetChange>& changes) override;
  base::Result<FirewallSets> read_sets() override;
  base::Result<void> remove() override;

 private:
  IptablesBackend(IpsetSocket sets, Skeleton::Options options)
      : sets_(std::move(sets)), skeleton_(std::move(options)) {}
  base::Result<void> make_sets();

  IpsetSocket sets_;
  Skeleton skeleton_;
};

}  // namespace netfw
