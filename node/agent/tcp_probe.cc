// SPDX-License-Identifier: Apache-2.0
#include "node/agent/tcp_probe.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/sys/handle.h"

namespace node::agent {

namespace {

struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

bool make_address(const std::string& text, std::uint16_t port, Address& out) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.length = sizeof *v4;
    return true;
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) != 1) return false;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  out.length = sizeof *v6;
  return true;
}

class TcpProbe final : public sys::Watch {
 public:
  TcpProbe(sys::EventLoop& loop, std::function<void(std::string)> done)
      : loop_(loop), done_(std::move(done)) {}

  void start(const std::string& text, std::uint16_t port, std::chrono::milliseconds timeout) {
    Address address;
    if (!make_address(text, port, address)) return finish_later("not an IP address: " + text);
    fd_ = sys::Fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_.is_open()) return finish_later(strerror(errno));
    const int made =
        connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length);
    if (made == 0) return finish_later("");
    if (errno != EINPROGRESS) return finish_later(strerror(errno));
    auto watch = loop_.watch_fd(fd_.get(), EPOLLOUT, [this](std::uint32_t) { connected(); });
    if (!watch) return finish_later(watch.error().detail);
    watch_ = *std::move(watch);
    timer_ = loop_.after(timeout, [this] { finish("no answer in time"); });
  }

 private:
  void connected() {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    finish(error == 0 ? "" : strerror(error));
  }
  void finish_later(std::string failure) {
    timer_ =
        loop_.after(base::Duration(0), [this, failure = std::move(failure)] { finish(failure); });
  }
  void finish(std::string failure) {
    watch_.reset();
    timer_.reset();
    // `done` may drop the handle, and with it this object.
    auto done = std::move(done_);
    done(std::move(failure));
  }

  sys::EventLoop& loop_;
  std::function<void(std::string)> done_;
  sys::Fd fd_;
  sys::WatchHandle watch_;
  sys::WatchHandle timer_;
};

base::Result<void> try_bind(int family, std::uint16_t port) {
  const sys::Fd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return {};  // the machine does not have this family
  const int on = 1;
  // With it only a listener is in the way, not connections that are still being closed.
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  Address address;
  make_address(family == AF_INET ? "0.0.0.0" : "::", port, address);
  const int bound =
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length);
  if (bound == 0 || errno != EADDRINUSE) return {};
  return base::Error{base::Code::failed_precondition,
                     "port " + std::to_string(port) + " is in use by another process",
                     "port_in_use"};
}

}  // namespace

sys::WatchHandle probe_tcp(sys::EventLoop& loop, const std::string& address, std::uint16_t port,
                           std::chrono::milliseconds timeout,
                           std::function<void(std::string)> done) {
  auto probe = std::make_unique<TcpProbe>(loop, std::move(done));
  probe->start(address, port, timeout);
  return probe;
}

base::Result<void> check_port_free(std::uint16_t port) {
  TRY(try_bind(AF_INET, port));
  return try_bind(AF_INET6, port);
}

}  // namespace node::agent
