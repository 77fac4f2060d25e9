// SPDX-License-Identifier: Apache-2.0
// Neutral rules as nf_tables expressions, and whether the kernel has the same.
//
// Used by the nftables backend.
// 1. Each rule ends in a counter and a verdict, and carries the rule's name as nft's comment.
// 2. Registers are numbered as the kernel lists them, so that what was sent equals what is read.
// Threads: any. Source: linux/netfilter/nf_tables.h; compared with what `nft --debug=netlink` says.
#pragma once

#include <string>
#include <string_view>

#include "netfw/model/firewall.h"
#include "netfw/nftables/attributes.h"

namespace netfw::nft {

inline constexpr char kTable[] = "gestalt";

// "management4"; port sets serve both families: "public-tcp".
std::string nft_set_name(SetId id, Family family);

struct RenderedRule {
  Attributes expressions;
  std::string userdata;
};
RenderedRule render_rule(const Rule& rule, Family family);
// Packets of the family go on in `chain`.
RenderedRule render_jump(Family family, std::string_view chain);

// Whether the listed expressions are the rendered ones. Counters differ and do not matter; what the
// kernel lists beyond what was sent must be zero.
bool is_same_rule(const RenderedRule& rendered, std::string_view listed_expressions);

}  // namespace netfw::nft
