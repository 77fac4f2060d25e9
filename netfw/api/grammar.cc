// SPDX-License-Identifier: Apache-2.0
#include "netfw/api/grammar.h"

#include <arpa/inet.h>

#include "common/base/text.h"

namespace netfw {
namespace {

constexpr std::size_t kIdMax = 255;
constexpr std::size_t kHostMax = 253;
constexpr std::size_t kLabelMax = 63;
constexpr std::size_t kPathMax = 1024;

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_id(std::string_view text, std::string_view punctuation) {
  if (text.empty() || text.size() > kIdMax) return false;
  for (const char c : text) {
    if (!is_alnum(c) && punctuation.find(c) == std::string_view::npos) return false;
  }
  return true;
}

base::Error bad(std::string_view reason, std::string detail) {
  return {.code = base::Code::invalid_argument, .detail = std::move(detail), .reason = reason};
}

bool is_host_label(std::string_view label) {
  if (label.empty() || label.size() > kLabelMax) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  for (const char c : label) {
    if (!is_alnum(c) && c != '-') return false;
  }
  return true;
}

bool bit_is_set(const IpAddress& address, unsigned bit) {
  return (address.bytes[bit / 8] & (0x80U >> (bit % 8))) != 0;
}

}  // namespace

base::Result<ServiceId> parse_service_id(std::string_view text) {
  if (!is_id(text, "/._-"))
    return bad("id_invalid", "a service id is 1 to 255 of A-Z a-z 0-9 / . _ -");
  return ServiceId(std::string(text));
}

base::Result<InstanceId> parse_instance_id(std::string_view text) {
  if (!is_id(text, "._-:")) {
    return bad("id_invalid", "an instance id is 1 to 255 of A-Z a-z 0-9 . _ - :");
  }
  return InstanceId(std::string(text));
}

base::Result<NodeName> parse_node_name(std::string_view text) {
  if (!is_id(text, "._-")) return bad("id_invalid", "a node name is 1 to 255 of A-Z a-z 0-9 . _ -");
  return NodeName(std::string(text));
}

base::Result<Vhost> Vhost::parse(std::string_view text) {
  const std::string name = base::lower(text);
  std::string_view rest = name;
  if (rest.starts_with("*.")) rest.remove_prefix(2);
  if (name.size() > kHostMax) return bad("vhost_invalid", "a host name has at most 253 bytes");
  for (const std::string_view label : base::split(rest, '.')) {
    if (!is_host_label(label)) {
      return bad("vhost_invalid",
                 "a host name is labels of a-z 0-9 - joined by dots, perhaps after one '*.'");
    }
  }
  return Vhost(name);
}

base::Result<UrlPath> UrlPath::parse(std::string_view text) {
  constexpr std::string_view kOther = "/-._~!$&()*+,=:@%";
  if (text.empty() || text.front() != '/' || text.size() > kPathMax) {
    return bad("path_invalid", "a path starts with '/' and has at most 1024 bytes");
  }
  for (const char c : text) {
    if (!is_alnum(c) && kOther.find(c) == std::string_view::npos) {
      return bad("path_invalid", "a path is made of A-Z a-z 0-9 and " + std::string(kOther));
    }
  }
  return UrlPath(std::string(text));
}

base::Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  IpAddress out;
  // An embedded NUL would end the text early for inet_pton.
  if (copy.find('\0') == std::string::npos) {
    if (inet_pton(AF_INET, copy.c_str(), out.bytes.data()) == 1) return out;
    out.family = Family::v6;
    if (inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1) {
      constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
      if (std::equal(kMapped.begin(), kMapped.end(), out.bytes.begin())) {
        return bad("address_invalid", "write an IPv4-mapped address as IPv4");
      }
      return out;
    }
  }
  return bad("address_invalid", "not an IPv4 or IPv6 address");
}

std::string IpAddress::text() const {
  char out[INET6_ADDRSTRLEN] = {};
  inet_ntop(family == Family::v4 ? AF_INET : AF_INET6, bytes.data(), out, sizeof out);
  return out;
}

base::Result<IpNet> IpNet::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return bad("net_invalid", "a network is an address or address/prefix");
  IpNet out{*address, address->bits()};
  if (slash != std::string_view::npos) {
    const auto prefix = base::parse_int(text.substr(slash + 1), 0, address->bits());
    if (!prefix) return bad("net_invalid", "the prefix is not a number within the address");
    out.prefix = static_cast<unsigned>(*prefix);
  }
  for (unsigned bit = out.prefix; bit < out.base.bits(); ++bit) {
    if (bit_is_set(out.base, bit)) return bad("net_invalid", "bits behind the prefix are set");
  }
  return out;
}

std::string IpNet::text() const { return base.text() + "/" + std::to_string(prefix); }

bool IpNet::contains(const IpAddress& address) const {
  if (address.family != base.family) return false;
  for (unsigned bit = 0; bit < prefix; ++bit) {
    if (bit_is_set(address, bit) != bit_is_set(base, bit)) return false;
  }
  return true;
}

std::string Endpoint::text() const {
  const std::string host =
      address.family == Family::v4 ? address.text() : "[" + address.text() + "]";
  return (transport == Transport::tcp ? "tcp " : "udp ") + host + ":" + std::to_string(port);
}

}  // namespace netfw
