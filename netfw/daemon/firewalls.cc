// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/firewalls.h"

#include "common/base/log.h"
#include "netfw/iptables/backend.h"
#include "netfw/nftables/backend.h"

namespace netfw {

std::string_view kind_name(FirewallKind kind) {
  constexpr std::string_view kNames[] = {"auto", "iptables", "nftables", "off"};
  return kNames[static_cast<std::size_t>(kind)];
}

base::Result<FirewallKind> parse_kind(std::string_view text) {
  for (const FirewallKind kind : {FirewallKind::automatic, FirewallKind::iptables,
                                  FirewallKind::nftables, FirewallKind::off}) {
    if (text == kind_name(kind)) return kind;
  }
  return base::Error{.code = base::Code::invalid_argument,
                     .detail = "expected auto, iptables, nftables or off",
                     .reason = "field_invalid"};
}

base::Result<std::unique_ptr<FwBackend>> make_firewall(const FirewallOptions& options) {
  CHECK_THAT(options.kind != FirewallKind::off);
  if (options.kind == FirewallKind::nftables) return NftablesBackend::make();
  if (options.kind == FirewallKind::iptables) return IptablesBackend::make(options.iptables);
  const auto usable = IptablesBackend::probe(options.iptables);
  if (usable) return IptablesBackend::make(options.iptables);
  auto out = NftablesBackend::make();
  if (out) return out;
  return base::Error{.code = base::Code::unsupported,
                     .detail = "iptables: " + base::to_string(usable.error()) +
                               "; nf_tables: " + base::to_string(out.error()),
                     .reason = "firewall_unsupported"};
}

void remove_other_firewall(const FirewallOptions& options, const FwBackend& used) {
  FirewallOptions other = options;
  other.kind = used.name() == "iptables" ? FirewallKind::nftables : FirewallKind::iptables;
  if (other.kind == FirewallKind::iptables && !IptablesBackend::probe(options.iptables)) return;
  const auto backend = make_firewall(other);
  if (!backend) return;
  const auto done = (*backend)->remove();
  if (done) return;
  base::log::warning("NETFW_OTHER_FIREWALL_LEFT", "its rules count beside the new ones",
                     {{"backend", (*backend)->name()}}, done.error());
}

}  // namespace netfw
