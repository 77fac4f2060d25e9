// SPDX-License-Identifier: Apache-2.0
// Which packet filter this node uses, and the way to it.
//
// Used by the daemon, its guardian and the boot.
// 1. `automatic` takes iptables where the kernel has its tables and sets and the helper is
// installed, else nf_tables: Enterprise Linux 10 has no legacy tables.
// 2. Rules are in one of them only: whoever applied a policy by one takes away what an earlier life
// left in the other.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "netfw/iptables/skeleton.h"
#include "netfw/model/backend.h"

namespace netfw {

enum class FirewallKind : std::uint8_t { automatic, iptables, nftables, off };

struct FirewallOptions {
  FirewallKind kind = FirewallKind::automatic;
  Skeleton::Options iptables = {.helper = "/usr/libexec/gestalt/gestalt-netfw-iptc"};
};

std::string_view kind_name(FirewallKind kind);  // "auto", "iptables", "nftables", "off"
// Errors: invalid_argument field_invalid.
base::Result<FirewallKind> parse_kind(std::string_view text);

// Requires: kind is not off. Errors: unsupported firewall_unsupported; os errors.
base::Result<std::unique_ptr<FwBackend>> make_firewall(const FirewallOptions& options);

// Takes our rules out of the filter that is not `used`. What the kernel does not have needs no
// removal.
void remove_other_firewall(const FirewallOptions& options, const FwBackend& used);

}  // namespace netfw
