// SPDX-License-Identifier: Apache-2.0
#include "netfw/dns/server.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/log.h"

namespace netfw::dns {

namespace {

constexpr std::chrono::seconds kRetryEvery{5};
constexpr std::chrono::seconds kIdleMax{10};
constexpr int kDatagramsAtOnce = 64;  // then the loop's others have their turn
constexpr int kBacklog = 32;
constexpr int kSendBuffer = 256 << 10;

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const IpAddress& address, std::uint16_t port) {
  SocketAddress out;
  if (address.family == Family::v4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data(), 4);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.size = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), 16);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.size = sizeof v6;
  }
  return out;
}

// Bound also while no interface has the address.
base::Result<sys::Fd> bind_socket(const IpAddress& address, std::uint16_t port, int type) {
  const bool is_v4 = address.family == Family::v4;
  sys::Fd fd(::socket(is_v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.is_open()) return base::os_error(errno, "open a socket");
  const int yes = 1;
  const int level = is_v4 ? int{IPPROTO_IP} : int{IPPROTO_IPV6};
  const int freebind = is_v4 ? IP_FREEBIND : IPV6_FREEBIND;
  if (::setsockopt(fd.get(), level, freebind, &yes, sizeof yes) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) {
    return base::os_error(errno, "prepare a socket");
  }
  if (!is_v4) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  SocketAddress place = socket_address(address, port);
  if (::bind(fd.get(), place.get(), place.size) != 0) return base::os_error(errno, "bind");
  if (type == SOCK_STREAM && ::listen(fd.get(), kBacklog) != 0) {
    return base::os_error(errno, "listen");
  }
  return fd;
}

}  // namespace

struct Server::Place {
  IpAddress address;
  sys::Fd udp = {};
  sys::Fd tcp = {};
  sys::WatchHandle udp_watch = {};
  sys::WatchHandle tcp_watch = {};
  std::string problem = {};
  bool is_open() const { return udp_watch != nullptr && tcp_watch != nullptr; }
};

struct Server::Connection {
  sys::Fd fd;
  base::Instant last;
  std::string received = {};
  sys::WatchHandle watch = {};
};

Server::Server(sys::EventLoop& loop, Options options) : loop_(loop), options_(std::move(options)) {}
Server::~Server() = default;

void Server::start() {
  for (const IpAddress& address : options_.listen) {
    places_.push_back(std::make_unique<Place>(Place{.address = address}));
  }
  open_all();
  sweep_ = loop_.every(kIdleMax / 2, [this] { cut_idle(); });
}

void Server::publish(std::shared_ptr<const Zone> zone) {
  const std::lock_guard lock(mutex_);
  zone_ = std::move(zone);
}

std::vector<std::string> Server::problems() const {
  const std::lock_guard lock(mutex_);
  return problems_;
}

void Server::open_all() {
  std::vector<std::string> problems;
  for (const auto& place : places_) {
    if (place->is_open()) continue;
    const base::Result<void> opened = open(*place);
    if (opened) {
      place->problem.clear();
      continue;
    }
    const std::string problem = place->address.text() + " port " + std::to_string(options_.port) +
                                ": " + opened.error().detail;
    if (problem != place->problem) {
      base::log::warning("NETFW_DNS_NOT_SERVED", "names are not served there, trying again",
                         {{"address", place->address.text()}}, opened.error());
    }
    place->problem = problem;
    problems.push_back(problem);
  }
  retry_.reset();
  if (!problems.empty()) retry_ = loop_.after(kRetryEvery, [this] { open_all(); });
  const std::lock_guard lock(mutex_);
  problems_ = std::move(problems);
}

base::Result<void> Server::open(Place& place) {
  place.udp_watch.reset();
  place.tcp_watch.reset();
  place.udp = TRY(bind_socket(place.address, options_.port, SOCK_DGRAM));
  place.tcp = TRY(bind_socket(place.address, options_.port, SOCK_STREAM));
  place.udp_watch = TRY(
      loop_.watch_fd(place.udp.get(), EPOLLIN, [this, &place](auto) { take_datagrams(place); }));
  place.tcp_watch = TRY(
      loop_.watch_fd(place.tcp.get(), EPOLLIN, [this, &place](auto) { take_connections(place); }));
  return {};
}

std::string Server::reply_to(std::string_view message, bool over_tcp) {
  const auto query = read_query(message);
  if (!query) return "";
  std::shared_ptr<const Zone> zone;
  {
    const std::lock_guard lock(mutex_);
    zone = zone_;
  }
  const Answer answer = zone ? zone->find(*query) : Answer{.rcode = Rcode::refused};
  answered_.fetch_add(1, std::memory_order_relaxed);
  return write_reply(*query, answer, over_tcp ? kMessageMax : query->udp_size);
}

void Server::take_datagrams(Place& place) {
  std::array<char, kQueryMax + 1> room;
  for (int i = 0; i < kDatagramsAtOnce; ++i) {
    SocketAddress from;
    from.size = sizeof from.storage;
    const ssize_t size =
        ::recvfrom(place.udp.get(), room.data(), room.size(), 0, from.get(), &from.size);
    if (size < 0) return;  // none left, or an error of an earlier answer
    const std::string reply =
        reply_to(std::string_view(room.data(), static_cast<std::size_t>(size)), false);
    // An answer that the network does not take is lost, as any datagram may be.
    if (!reply.empty()) {
      static_cast<void>(
          ::sendto(place.udp.get(), reply.data(), reply.size(), 0, from.get(), from.size));
    }
  }
}

void Server::take_connections(Place& place) {
  while (true) {
    sys::Fd fd(::accept4(place.tcp.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.is_open()) return;
    if (connections_.size() >= kConnectionsMax) connections_.pop_front();  // the oldest
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
    auto made = std::make_unique<Connection>(
        Connection{.fd = std::move(fd), .last = base::system_clock().now()});
    Connection& connection = *made;
    auto watch = loop_.watch_fd(connection.fd.get(), EPOLLIN,
                                [this, &connection](auto) { take_stream(connection); });
    if (!watch) return;
    connection.watch = *std::move(watch);
    connections_.push_back(std::move(made));
  }
}

void Server::take_stream(Connection& connection) {
  std::array<char, 4096> room;
  const ssize_t size = ::recv(connection.fd.get(), room.data(), room.size(), 0);
  const bool waits = size < 0 && (errno == EAGAIN || errno == EINTR);
  bool goes_on = size > 0 || waits;
  if (size > 0) {
    connection.last = base::system_clock().now();
    connection.received.append(room.data(), static_cast<std::size_t>(size));
    goes_on = answer_stream(connection);
  }
  if (goes_on) return;
  std::erase_if(connections_, [&](const auto& each) { return each.get() == &connection; });
}

bool Server::answer_stream(Connection& connection) {
  std::string& received = connection.received;
  while (received.size() >= 2) {
    const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(received[0]))
                                 << 8 |
                             static_cast<unsigned char>(received[1]);
    if (size > kQueryMax) return false;
    if (received.size() < 2 + size) break;
    const std::string reply = reply_to(std::string_view(received).substr(2, size), true);
    received.erase(0, 2 + size);
    if (reply.empty()) return false;
    std::string framed;
    framed += static_cast<char>(reply.size() >> 8);
    framed += static_cast<char>(reply.size() & 0xff);
    framed += reply;
    const ssize_t sent =
        ::send(connection.fd.get(), framed.data(), framed.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != static_cast<ssize_t>(framed.size())) return false;
  }
  return true;
}

void Server::cut_idle() {
  const base::Instant now = base::system_clock().now();
  std::erase_if(connections_, [&](const auto& each) { return now - each->last > kIdleMax; });
}

}  // namespace netfw::dns
