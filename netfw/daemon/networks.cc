// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/networks.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/handle.h"

namespace netfw {
namespace {

void free_addresses(ifaddrs* list) noexcept { freeifaddrs(list); }

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out;
  std::size_t at = 0;
  while ((at = line.find_first_not_of(" \t", at)) != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
    out.push_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

bool parse_number(std::string_view text, int base, std::uint32_t& out) {
  const auto done = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return done.ec == std::errc() && done.ptr == text.data() + text.size();
}

// The address and the mask as a network; the mask has its bits in front.
IpNet to_net(const sockaddr* address, const sockaddr* mask) {
  IpNet out;
  const std::uint8_t* bytes = nullptr;
  const std::uint8_t* bits = nullptr;
  if (address->sa_family == AF_INET) {
    bytes = reinterpret_cast<const std::uint8_t*>(
        &reinterpret_cast<const sockaddr_in*>(address)->sin_addr);
    bits = reinterpret_cast<const std::uint8_t*>(
        &reinterpret_cast<const sockaddr_in*>(mask)->sin_addr);
  } else {
    out.base.family = Family::v6;
    bytes = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr.s6_addr;
    bits = reinterpret_cast<const sockaddr_in6*>(mask)->sin6_addr.s6_addr;
  }
  for (std::size_t i = 0; i < out.base.bits() / 8; ++i) {
    out.base.bytes[i] = bytes[i] & bits[i];
    out.prefix += static_cast<unsigned>(__builtin_popcount(bits[i]));
  }
  return out;
}

std::vector<Attached> read_attached() {
  std::vector<Attached> out;
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) return out;
  const sys::Handle<ifaddrs, free_addresses> list(raw);
  for (const ifaddrs* item = raw; item != nullptr; item = item->ifa_next) {
    if (item->ifa_addr == nullptr || item->ifa_netmask == nullptr) continue;
    if ((item->ifa_flags & IFF_UP) == 0 || (item->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const auto family = item->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    out.push_back({item->ifa_name, if_nametoindex(item->ifa_name),
                   to_net(item->ifa_addr, item->ifa_netmask)});
  }
  return out;
}

bool is_link_local(const IpNet& net) {
  static const IpNet kV4 = *IpNet::parse("169.254.0.0/16");
  static const IpNet kV6 = *IpNet::parse("fe80::/10");
  return kV4.contains(net.base) || kV6.contains(net.base);
}

std::string choose_interface(const std::vector<Attached>& attached,
                             const std::vector<DefaultRoute>& routes) {
  const auto route = std::min_element(
      routes.begin(), routes.end(), [](const DefaultRoute& a, const DefaultRoute& b) {
        return std::pair(a.family, a.metric) < std::pair(b.family, b.metric);
      });
  if (route != routes.end()) return route->interface;
  const auto first =
      std::min_element(attached.begin(), attached.end(),
                       [](const Attached& a, const Attached& b) { return a.index < b.index; });
  return first == attached.end() ? "" : first->interface;
}

std::vector<DefaultRoute> read_routes() {
  // Kernel files of unknown size: one line for each route.
  constexpr std::size_t kRoutesMax = 4 << 20;
  std::vector<DefaultRoute> out;
  if (const auto text = base::read_file("/proc/net/route", kRoutesMax)) out = parse_routes4(*text);
  if (const auto text = base::read_file("/proc/net/ipv6_route", kRoutesMax)) {
    const auto more = parse_routes6(*text);
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

}  // namespace

std::vector<DefaultRoute> parse_routes4(std::string_view text) {
  constexpr std::size_t kInterface = 0, kDestination = 1, kFlags = 3, kMetric = 6, kMask = 7;
  constexpr std::uint32_t kUp = 1, kReject = 0x200;
  std::vector<DefaultRoute> out;
  for (const std::string_view line : base::split(text, '\n')) {
    const auto row = words(line);
    std::uint32_t flags = 0;
    DefaultRoute route;
    if (row.size() <= kMask || row[kDestination] != "00000000" || row[kMask] != "00000000")
      continue;
    if (!parse_number(row[kFlags], 16, flags) || !parse_number(row[kMetric], 10, route.metric)) {
      continue;
    }
    if ((flags & kUp) == 0 || (flags & kReject) != 0) continue;
    route.interface = row[kInterface];
    out.push_back(std::move(route));
  }
  return out;
}

std::vector<DefaultRoute> parse_routes6(std::string_view text) {
  constexpr std::size_t kDestination = 0, kPrefix = 1, kMetric = 5, kFlags = 8, kInterface = 9;
  constexpr std::uint32_t kUp = 1, kReject = 0x200;
  std::vector<DefaultRoute> out;
  for (const std::string_view line : base::split(text, '\n')) {
    const auto row = words(line);
    std::uint32_t flags = 0;
    DefaultRoute route{.interface = {}, .family = Family::v6};
    if (row.size() <= kInterface || row[kPrefix] != "00") continue;
    if (row[kDestination].find_first_not_of('0') != std::string_view::npos) continue;
    if (!parse_number(row[kFlags], 16, flags) || !parse_number(row[kMetric], 16, route.metric)) {
      continue;
    }
    if ((flags & kUp) == 0 || (flags & kReject) != 0) continue;
    route.interface = row[kInterface];
    out.push_back(std::move(route));
  }
  return out;
}

std::vector<IpNet> choose_networks(const std::vector<Attached>& attached,
                                   const std::vector<DefaultRoute>& routes,
                                   std::string_view configured) {
  const std::string interface =
      configured.empty() ? choose_interface(attached, routes) : std::string(configured);
  std::vector<IpNet> out;
  for (const Attached& item : attached) {
    if (item.interface != interface || is_link_local(item.net)) continue;
    if (item.net.prefix != item.net.base.bits()) out.push_back(item.net);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<IpNet> find_management_networks(std::string_view configured) {
  return choose_networks(read_attached(), read_routes(), configured);
}

}  // namespace netfw
