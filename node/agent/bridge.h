// SPDX-License-Identifier: Apache-2.0
// Bridge networking: which addresses an instance has on the node's bridge.
//
// An instance's first port is its own on the node, so its number makes the addresses: nothing needs
// to be handed out, remembered or given back. The first address of a network is the bridge's.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "node/agent/record.h"

namespace node::agent {

struct BridgeConfig {
  std::string name = "gestalt0";
  std::string network_v4 = "100.127.240.0/20";
  std::string network_v6 = "fd67:6573:7461::/64";
};

struct BridgeAddresses {
  std::string v4;  // with the length of the prefix: "100.127.240.7/20"
  std::string v6;
  std::string gateway_v4;
  std::string gateway_v6;
};

// Errors: invalid_argument field_invalid: a network is none, or is too small for `number` + 2.
base::Result<BridgeAddresses> bridge_addresses(const BridgeConfig& config, std::int64_t number);

// What gestalt-oci-start needs to know. Errors: those of bridge_addresses; unsupported
// network_unsupported: no port, or one that is not TCP.
base::Result<std::vector<std::string>> bridge_options(const Record& record,
                                                      const BridgeConfig& config,
                                                      std::int64_t port_first,
                                                      const std::string& socket_proxy);

}  // namespace node::agent
