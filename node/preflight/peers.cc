// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include "common/sys/handle.h"

namespace node::preflight {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kPatience{1000};
constexpr int kTries = 3;
constexpr std::size_t kHeader = 8;  // of both kinds of echo
constexpr std::size_t kSmall = 56;

struct Peer {
  sys::Fd socket;
  bool v6 = false;
  std::uint16_t sequence = 0;

  std::uint16_t id() const { return static_cast<std::uint16_t>(getpid()); }
};

// RFC 1071.
std::uint16_t checksum(const std::vector<std::uint8_t>& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const std::uint32_t low = i + 1 < bytes.size() ? bytes[i + 1] : 0;
    sum += static_cast<std::uint32_t>(bytes[i]) << 8 | low;
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::vector<std::uint8_t> make_echo(const Peer& peer, std::size_t payload) {
  std::vector<std::uint8_t> out(kHeader + payload);
  out[0] = peer.v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
  out[4] = static_cast<std::uint8_t>(peer.id() >> 8);
  out[5] = static_cast<std::uint8_t>(peer.id());
  out[6] = static_cast<std::uint8_t>(peer.sequence >> 8);
  out[7] = static_cast<std::uint8_t>(peer.sequence);
  if (peer.v6) return out;  // the kernel knows the pseudo header
  const std::uint16_t sum = checksum(out);
  out[2] = static_cast<std::uint8_t>(sum >> 8);
  out[3] = static_cast<std::uint8_t>(sum);
  return out;
}

// A raw socket of IPv4 gets the IP header as well, and every ICMP packet of that peer.
bool is_answer(const Peer& peer, const std::uint8_t* bytes, std::size_t size) {
  std::size_t skip = 0;
  if (!peer.v6) {
    if (size < sizeof(iphdr)) return false;
    skip = static_cast<std::size_t>(bytes[0] & 0x0f) * 4;
  }
  if (size < skip + kHeader) return false;
  const std::uint8_t* echo = bytes + skip;
  const std::uint8_t wanted = peer.v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
  return echo[0] == wanted && (echo[4] << 8 | echo[5]) == peer.id() &&
         (echo[6] << 8 | echo[7]) == peer.sequence;
}

std::optional<microseconds> echo(Peer& peer, std::size_t payload) {
  ++peer.sequence;
  const auto request = make_echo(peer, payload);
  const auto begin = Clock::now();
  if (send(peer.socket.get(), request.data(), request.size(), 0) < 0) return std::nullopt;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(begin + kPatience - Clock::now());
    pollfd readable = {peer.socket.get(), POLLIN, 0};
    if (left.count() <= 0 || poll(&readable, 1, static_cast<int>(left.count())) <= 0) {
      return std::nullopt;
    }
    std::array<std::uint8_t, 2048> answer{};
    const ssize_t size = recv(peer.socket.get(), answer.data(), answer.size(), 0);
    if (size > 0 && is_answer(peer, answer.data(), static_cast<std::size_t>(size))) {
      return std::chrono::duration_cast<microseconds>(Clock::now() - begin);
    }
  }
}

int find_mtu(Peer& peer) {
  const int whole = IP_PMTUDISC_DO;  // never in pieces
  const int level = peer.v6 ? IPPROTO_IPV6 : IPPROTO_IP;
  const int discover = peer.v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER;
  if (setsockopt(peer.socket.get(), level, discover, &whole, sizeof whole) != 0) return 0;
  const std::size_t headers = (peer.v6 ? 40 : 20) + kHeader;
  if (echo(peer, static_cast<std::size_t>(kMtuWanted) - headers)) return kMtuWanted;
  int known = 0;
  socklen_t size = sizeof known;
  const int option = peer.v6 ? IPV6_MTU : IP_MTU;
  const bool told = getsockopt(peer.socket.get(), level, option, &known, &size) == 0;
  // A path that swallows large packets in silence is worse than a small one that says so.
  return told && known < kMtuWanted ? known : 0;
}

std::string address_text(const addrinfo& info) {
  std::array<char, NI_MAXHOST> text{};
  const int failed = getnameinfo(info.ai_addr, info.ai_addrlen, text.data(), text.size(), nullptr,
                                 0, NI_NUMERICHOST);
  return failed == 0 ? text.data() : "";
}

}  // namespace

std::optional<PeerAnswer> ask_peer(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_RAW;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &wanted, &found) != 0) return PeerAnswer{};
  const sys::Handle<addrinfo, freeaddrinfo> owner(found);
  PeerAnswer out;
  out.address = address_text(*found);
  Peer peer;
  peer.v6 = found->ai_family == AF_INET6;
  peer.socket = sys::Fd(socket(found->ai_family, SOCK_RAW | SOCK_CLOEXEC,
                               peer.v6 ? static_cast<int>(IPPROTO_ICMPV6) : IPPROTO_ICMP));
  if (!peer.socket.is_open()) return std::nullopt;
  if (connect(peer.socket.get(), found->ai_addr, found->ai_addrlen) != 0) return out;
  for (int i = 0; i < kTries; ++i) {
    const auto took = echo(peer, kSmall);
    if (took && (!out.round_trip || *took < *out.round_trip)) out.round_trip = took;
  }
  if (out.round_trip) out.mtu = find_mtu(peer);
  return out;
}

}  // namespace node::preflight
