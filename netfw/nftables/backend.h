// SPDX-License-Identifier: Apache-2.0
// FwBackend on nf_tables: one table of ours, changed by one transaction at a time.
//
// 1. Rules, sets and members of both families change in one step; a refused transaction changes
// nothing. When the difference to what is there cannot be written, the table is replaced as a
// whole, in one step as well.
// 2. Tables of others are never written. A drop of theirs is final: our accept cannot take it back.
// Layout: chains input and forward lead to input4, input6, forward4 and forward6.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "netfw/model/backend.h"
#include "netfw/nftables/socket.h"

namespace netfw {

class NftablesBackend final : public FwBackend {
 public:
  // Errors: unsupported firewall_unsupported when the kernel has no nf_tables.
  static base::Result<std::unique_ptr<FwBackend>> make();

  std::string name() const override { return "nftables"; }
  base::Result<FirewallApplied> apply(const FirewallIr& wanted, Scope scope,
                                      std::chrono::milliseconds deadline) override;
  base::Result<void> change(const std::vector<SetChange>& changes) override;
  base::Result<FirewallSets> read_sets() override;
  base::Result<void> remove() override;

 private:
  // What our table holds. Chains by name with the expressions of their rules.
  struct Observed {
    bool table = false;
    std::map<std::string, std::vector<std::string>> chains;
    std::map<std::string, bool> sets;
    FirewallSets members;
    std::size_t foreign_rules = 0;
  };
  explicit NftablesBackend(nft::Socket socket) : socket_(std::move(socket)) {}
  base::Result<Observed> read();
  base::Result<void> read_members(Observed& out);

  nft::Socket socket_;
};

}  // namespace netfw
