// SPDX-License-Identifier: GPL-2.0-only
// One iptables rule as the kernel wants it, built from a neutral rule, for one family.
//
// Part of the helper gestalt-netfw-iptc.
// 1. Every match has the highest revision that both this code and the kernel know.
// 2. Sizes and offsets are aligned with XT_ALIGN; the entry is one contiguous block.
// Source: linux/netfilter/x_tables.h, ip_tables.h, ip6_tables.h.
#pragma once

// The kernel's headers give way to the C library's only when these come first.
#include <net/if.h>
#include <netinet/in.h>

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "netfw/iptables/message.h"

namespace netfw::iptc {

// What the kernel supports, asked once per request.
struct KernelTraits {
  int set_revision = 4;  // 4 or 1
  std::map<std::string, std::uint16_t> set_indexes;
};

// 0, or an errno; `text` names what is missing. Asks for the revisions and for the index of each
// set that the rules name.
int probe_kernel(const Request& request, KernelTraits& traits, std::string& text);

// The entry's bytes: a struct ipt_entry or ip6t_entry with its matches and its target.
std::vector<char> build_entry(const WireRule& rule, int family, const KernelTraits& traits);
// A rule without matches that jumps to `chain`.
std::vector<char> build_jump(int family, const char* chain);

}  // namespace netfw::iptc
