// SPDX-License-Identifier: Apache-2.0
#include "node/agent/bridge.h"

#include <arpa/inet.h>

#include <array>

#include "common/base/text.h"

namespace node::agent {

namespace {

using Bytes = std::array<std::uint8_t, 16>;

base::Error invalid(const std::string& network, const std::string& why) {
  return {base::Code::invalid_argument, network + " " + why, "field_invalid"};
}

struct Net {
  int family = AF_INET;
  Bytes bytes = {};
  std::size_t size = 4;
  std::int64_t prefix = 0;

  // The address `number` of the network.
  std::string address(std::uint64_t number) const {
    Bytes out = bytes;
    for (std::size_t i = size; i-- > 0 && number > 0; number >>= 8) {
      number += out[i];
      out[i] = static_cast<std::uint8_t>(number);
    }
    char text[INET6_ADDRSTRLEN] = {};
    inet_ntop(family, out.data(), text, sizeof text);
    return text;
  }
};

base::Result<Net> parse_net(const std::string& text, int family) {
  Net out;
  out.family = family;
  out.size = family == AF_INET ? 4 : 16;
  const std::size_t slash = text.find('/');
  const auto bits = static_cast<std::int64_t>(out.size * 8);
  const auto prefix = slash == std::string::npos ? base::parse_int("", 0, 0)
                                                 : base::parse_int(text.substr(slash + 1), 8, bits);
  if (!prefix || inet_pton(family, text.substr(0, slash).c_str(), out.bytes.data()) != 1) {
    return invalid(text, "is not a network");
  }
  out.prefix = *prefix;
  for (std::int64_t bit = out.prefix; bit < bits; ++bit) {
    const auto byte = static_cast<std::size_t>(bit / 8);
    if ((out.bytes[byte] >> (7 - bit % 8) & 1) != 0) return invalid(text, "has bits set behind it");
  }
  return out;
}

// The last address of an IPv4 network is its broadcast address.
bool has_room(const Net& net, std::int64_t number) {
  const std::int64_t bits = static_cast<std::int64_t>(net.size * 8) - net.prefix;
  return bits >= 32 || number < (std::int64_t{1} << bits) - 1;
}

}  // namespace

base::Result<BridgeAddresses> bridge_addresses(const BridgeConfig& config, std::int64_t number) {
  const Net v4 = TRY(parse_net(config.network_v4, AF_INET));
  const Net v6 = TRY(parse_net(config.network_v6, AF_INET6));
  if (!has_room(v4, number + 2)) return invalid(config.network_v4, "has too few addresses");
  if (!has_room(v6, number + 2)) return invalid(config.network_v6, "has too few addresses");
  const auto own = static_cast<std::uint64_t>(number + 2);
  return BridgeAddresses{v4.address(own) + "/" + std::to_string(v4.prefix),
                         v6.address(own) + "/" + std::to_string(v6.prefix), v4.address(1),
                         v6.address(1)};
}

base::Result<std::vector<std::string>> bridge_options(const Record& record,
                                                      const BridgeConfig& config,
                                                      std::int64_t port_first,
                                                      const std::string& socket_proxy) {
  const auto& ports = record.status.ports;
  const auto& specs = record.spec->ports;
  const auto refuse = [](const char* why) {
    return base::Error{base::Code::unsupported, why, "network_unsupported"};
  };
  if (ports.empty()) return refuse("bridge networking needs a port mapping");
  const BridgeAddresses own = TRY(bridge_addresses(config, ports[0] - port_first));
  std::vector<std::string> out{"--bridge",   config.name,    "--address",  own.v4,
                               "--gateway",  own.gateway_v4, "--address6", own.v6,
                               "--gateway6", own.gateway_v6, "--proxy",    socket_proxy};
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const api::PortSpec spec = i < specs.size() ? specs[i] : api::PortSpec();
    if (spec.protocol != "tcp") return refuse("bridge networking forwards TCP ports only");
    const std::int64_t inside = spec.container_port == 0 ? ports[i] : spec.container_port;
    out.push_back("--forward");
    out.push_back(std::to_string(ports[i]) + ":" + std::to_string(inside));
  }
  return out;
}

}  // namespace node::agent
