// SPDX-License-Identifier: Apache-2.0
// The TCP connections of this node, as the kernel lists them: the proof that a policy on trial lets
// somebody in.
//
// Used by the engine. A connection that lived before the trial proves nothing, since flows that are
// established go on under every policy; nor does one from the node itself, which the rule for
// loopback lets in.
// Threads: any. Source: proc_net_tcp (Documentation/networking of the kernel).
#pragma once

#include <set>
#include <string_view>

#include "netfw/api/wire.h"

namespace netfw {

struct Flow {
  Endpoint local;
  Endpoint remote;
  friend auto operator<=>(const Flow&, const Flow&) = default;
};
struct Flows {
  std::set<Flow> established;
  std::set<Flow> others;  // on their way up or down
};

// Adds what a text like /proc/net/tcp or tcp6 lists, but no listening socket; lines of another
// shape are passed over. An IPv4-mapped address becomes one of IPv4.
void add_flows(std::string_view text, Flows& flows);
// Of this network namespace. Errors: those of read_file. Cost: the kernel walks its table, some
// 100 ms for 100,000 connections.
base::Result<Flows> read_flows();

// The other end of a connection, "10.0.0.2:4711" or "[fd00::2]:4711", with a zone or IPv4-mapped as
// well. Errors: invalid_argument field_invalid.
base::Result<Endpoint> parse_remote(std::string_view text);

// That `remote` has a connection to SSH or to a management port of `policy`, which was not among
// those `before` and whose other end is not on this node.
// Errors: failed_precondition policy_unproven.
base::Result<void> check_new_flow(const Endpoint& remote, const Flows& before, const Flows& now,
                                  const Policy& policy);

}  // namespace netfw
