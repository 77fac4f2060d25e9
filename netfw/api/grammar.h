// SPDX-License-Identifier: Apache-2.0
// The values that may reach a firewall or load balancer, as types that cannot hold anything else.
//
// Used by every part of netfw. A text of foreign origin becomes one of these or is refused; the
// writers of HAProxy's configuration and commands accept these types only, so that a line break, a
// semicolon or a quote has no way in.
// 1. A value that exists is valid and canonical: equal values have equal text.
// Threads: any. Source: RFC 1123 section 2.1, RFC 3986 section 3.3, RFC 5952.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace netfw {

using ServiceId = base::Id<struct ServiceTag>;    // Marathon's application id, "/demo/web"
using InstanceId = base::Id<struct InstanceTag>;  // Marathon's task id
using NodeName = base::Id<struct NodeTag>;

// Errors: invalid_argument id_invalid.
base::Result<ServiceId> parse_service_id(std::string_view text);
base::Result<InstanceId> parse_instance_id(std::string_view text);
base::Result<NodeName> parse_node_name(std::string_view text);

// A host name in lower case: labels of letters, digits and inner hyphens, at most 253 bytes, and
// perhaps one leading "*.".
class Vhost {
 public:
  // Errors: invalid_argument vhost_invalid.
  static base::Result<Vhost> parse(std::string_view text);
  bool is_wildcard() const { return text_.starts_with("*."); }
  const std::string& text() const { return text_; }
  // What the host map is searched for: the name, or ".rest" for a wildcard.
  std::string map_key() const { return is_wildcard() ? text_.substr(1) : text_; }
  friend auto operator<=>(const Vhost&, const Vhost&) = default;

 private:
  explicit Vhost(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// A path prefix: '/' and then characters of RFC 3986 that mean nothing to HAProxy.
class UrlPath {
 public:
  // Errors: invalid_argument path_invalid.
  static base::Result<UrlPath> parse(std::string_view text);
  const std::string& text() const { return text_; }
  friend auto operator<=>(const UrlPath&, const UrlPath&) = default;

 private:
  explicit UrlPath(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

enum class Family : std::uint8_t { v4, v6 };
inline constexpr std::array<Family, 2> kFamilies = {Family::v4, Family::v6};

struct IpAddress {
  Family family = Family::v4;
  std::array<std::uint8_t, 16> bytes = {};  // IPv4 uses the first four; the rest is zero

  // Errors: invalid_argument address_invalid.
  static base::Result<IpAddress> parse(std::string_view text);
  std::string text() const;
  unsigned bits() const { return family == Family::v4 ? 32 : 128; }
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

struct IpNet {
  IpAddress base;  // host bits are zero
  unsigned prefix = 0;

  // "10.0.0.0/8", or an address for itself alone. Host bits that are set are refused: they are a
  // slip of the pen that would open more than was meant. Errors: invalid_argument net_invalid.
  static base::Result<IpNet> parse(std::string_view text);
  std::string text() const;
  bool contains(const IpAddress& address) const;
  friend auto operator<=>(const IpNet&, const IpNet&) = default;
};

enum class Transport : std::uint8_t { tcp, udp };

struct Endpoint {
  Transport transport = Transport::tcp;
  IpAddress address;
  std::uint16_t port = 0;
  std::string text() const;  // "tcp 10.0.0.2:3001", "tcp [fd00::2]:3001"
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

}  // namespace netfw
