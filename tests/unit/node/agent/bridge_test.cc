// SPDX-License-Identifier: Apache-2.0
#include "node/agent/bridge.h"

#include <algorithm>

#include "tests/support/check_result.h"

using node::agent::bridge_addresses;
using node::agent::bridge_options;
using node::agent::BridgeConfig;

TEST_GROUP(Bridge) {
  BridgeConfig config;
  node::api::RunSpec spec;
  node::agent::Record record;

  base::Result<std::vector<std::string>> options() {
    record.spec = std::make_shared<const node::api::RunSpec>(spec);
    return bridge_options(record, config, 3000, "/x/proxy");
  }
};

TEST(Bridge, each_port_of_the_node_has_addresses_of_its_own) {
  const auto first = UNWRAP(bridge_addresses(config, 0));
  STRCMP_EQUAL("100.127.240.2/20", first.v4.c_str());
  STRCMP_EQUAL("100.127.240.1", first.gateway_v4.c_str());
  STRCMP_EQUAL("fd67:6573:7461::2/64", first.v6.c_str());
  STRCMP_EQUAL("fd67:6573:7461::1", first.gateway_v6.c_str());
  // Over the end of a byte.
  STRCMP_EQUAL("100.127.241.0/20", UNWRAP(bridge_addresses(config, 254)).v4.c_str());
  STRCMP_EQUAL("100.127.243.234/20", UNWRAP(bridge_addresses(config, 1000)).v4.c_str());
  STRCMP_EQUAL("fd67:6573:7461::3ea/64", UNWRAP(bridge_addresses(config, 1000)).v6.c_str());
}

TEST(Bridge, a_network_must_be_one_and_have_room) {
  const struct {
    const char* v4;
    const char* v6;
    std::int64_t number;
    bool good;
  } cases[] = {
      {"10.0.0.0/24", "fd00::/64", 252, true},  {"10.0.0.0/24", "fd00::/64", 253, false},
      {"10.0.0.0/8", "fd00::/64", 65535, true}, {"10.0.0.1/24", "fd00::/64", 0, false},
      {"10.0.0.0", "fd00::/64", 0, false},      {"10.0.0.0/33", "fd00::/64", 0, false},
      {"10.0.0.0/0", "fd00::/64", 0, false},    {"10.0.0/24", "fd00::/64", 0, false},
      {"10.0.0.0/24", "fd00::1/64", 0, false},  {"10.0.0.0/24", "10.0.0.0/24", 0, false},
      {"10.0.0.0/24", "fd00::/120", 252, true}, {"10.0.0.0/20", "fd00::/120", 254, false},
      {"fd00::/64", "fd00::/64", 0, false},     {"", "", 0, false},
  };
  for (const auto& each : cases) {
    const auto read = bridge_addresses({"b", each.v4, each.v6}, each.number);
    CHECK_EQUAL_TEXT(each.good, read.has_value(), each.v4);
  }
}

TEST(Bridge, the_helper_is_told_addresses_and_forwards) {
  record.status.ports = {3005, 3006};
  spec.ports = {{"http", "tcp", 80}, {"admin", "tcp", 0}};
  const auto all = UNWRAP(options());
  const auto has = [&](const char* name, const char* value) {
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
      if (all[i] == name && all[i + 1] == value) return true;
    }
    return false;
  };
  CHECK(has("--bridge", "gestalt0"));
  CHECK(has("--address", "100.127.240.7/20"));
  CHECK(has("--forward", "3005:80"));
  CHECK(has("--forward", "3006:3006"));
}

TEST(Bridge, without_a_port_or_with_udp_there_is_no_bridge) {
  CHECK_ERROR(base::Code::unsupported, "network_unsupported", options());
  record.status.ports = {3005};
  spec.ports = {{"dns", "udp", 53}};
  CHECK_ERROR(base::Code::unsupported, "network_unsupported", options());
}
