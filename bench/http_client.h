// SPDX-License-Identifier: Apache-2.0
// One keep-alive connection that sends requests one after another, and the loop that keeps many of
// them busy. Ends the program when anything is not as it should be: a benchmark of errors measures
// nothing.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <charconv>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/figures.h"
#include "common/base/check.h"
#include "common/sys/handle.h"

namespace bench {

class Connection {
 public:
  static Connection to_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CHECK_THAT(path.size() < sizeof address.sun_path);
    memcpy(address.sun_path, path.data(), path.size());
    return Connection(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  static Connection to_port(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Connection made(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address);
    const int on = 1;
    CHECK_THAT(setsockopt(made.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    return made;
  }

  int fd() const { return fd_.get(); }
  static std::string request(const std::string& path, const std::string& token) {
    std::string text = "GET " + path + " HTTP/1.1\r\nHost: bench\r\n";
    if (!token.empty()) text += "Authorization: Bearer " + token + "\r\n";
    return text + "\r\n";
  }
  void send(const std::string& request) const {
    CHECK_THAT(::send(fd(), request.data(), request.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(request.size()));
  }
  // Reads once, waiting for bytes. True when a whole answer is there; its body's size is returned
  // in `body_bytes`.
  bool receive() {
    char buffer[64 << 10];
    const ssize_t count = ::recv(fd(), buffer, sizeof buffer, 0);
    CHECK_THAT(count > 0);
    if (wanted_ == 0) {
      head_.append(buffer, static_cast<std::size_t>(count));
      const std::size_t end = head_.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      if (head_.compare(9, 3, expected_status) != 0) {
        std::fprintf(stderr, "expected %s: %s\n", expected_status.c_str(), head_.c_str());
        CHECK_THAT(head_.compare(9, 3, expected_status) == 0);
      }
      wanted_ = end + 4 + content_length(head_);
      received_ = head_.size();
      head_.clear();
    } else {
      received_ += static_cast<std::size_t>(count);
    }
    if (received_ < wanted_) return false;
    CHECK_THAT(received_ == wanted_);
    answer_bytes = std::exchange(wanted_, 0);
    return true;
  }
  void get(const std::string& request) {
    send(request);
    while (!receive()) {
    }
  }

  std::size_t answer_bytes = 0;  // of the last one
  std::string expected_status = "200";

 private:
  Connection(int family, const sockaddr* address, socklen_t size)
      : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    CHECK_THAT(fd_.get() >= 0 && ::connect(fd_.get(), address, size) == 0);
  }
  static std::size_t content_length(std::string_view head) {
    constexpr std::string_view kName = "\r\nContent-Length: ";
    const std::size_t at = head.find(kName);
    CHECK_THAT(at != std::string_view::npos);
    std::size_t value = 0;
    std::from_chars(head.data() + at + kName.size(), head.data() + head.size(), value);
    return value;
  }

  sys::Fd fd_;
  std::string head_;
  std::size_t wanted_ = 0;  // bytes of the answer; 0 before its head is there
  std::size_t received_ = 0;
};

struct Figures {
  std::size_t requests = 0;
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
};

// Keeps one request of `next` under way on each connection for so many seconds, or until `most`
// were answered.
inline Figures drive(std::vector<Connection>& connections,
                     const std::function<const std::string&()>& next, double seconds,
                     std::size_t most = SIZE_MAX) {
  const sys::Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  std::vector<std::chrono::steady_clock::time_point> begun(connections.size());
  std::size_t sent = 0;
  const Stopwatch watch;
  for (std::size_t i = 0; i < connections.size() && sent < most; ++i, ++sent) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    CHECK_THAT(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, connections[i].fd(), &event) == 0);
    begun[i] = std::chrono::steady_clock::now();
    connections[i].send(next());
  }
  std::vector<double> times;
  times.reserve(1 << 20);
  std::vector<epoll_event> events(connections.size());
  // What is under way at the end is waited for: its connection is used again.
  while (times.size() < sent) {
    const int count =
        ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), 30'000);
    CHECK_THAT(count > 0);
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64);
      if (!connections[at].receive()) continue;
      const auto now = std::chrono::steady_clock::now();
      times.push_back(to_us(now - begun[at]));
      if (watch.us() >= seconds * 1e6 || sent >= most) continue;
      begun[at] = now;
      connections[at].send(next());
      ++sent;
    }
  }
  return {times.size(), static_cast<double>(times.size()) / watch.us() * 1e6,
          percentile(times, 0.5), percentile(times, 0.99)};
}

}  // namespace bench
