// SPDX-License-Identifier: Apache-2.0
#include "samples/guestbook/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace guestbook {

namespace {

void watch(int epoll, int operation, int fd, unsigned events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll, operation, fd, &event);
}

}  // namespace

Server::~Server() {
  for (const auto& [fd, connection] : connections_) ::close(fd);
  for (const int fd : {listener_, signals_, epoll_}) {
    if (fd >= 0) ::close(fd);
  }
}

bool Server::listen(int port) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = ::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  listener_ = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (signals_ < 0 || epoll_ < 0 || listener_ < 0) return false;
  const int on = 1;
  const int off = 0;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(listener_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_any;
  address.sin6_port = htons(static_cast<in_port_t>(port));
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, SOMAXCONN) != 0) {
    return false;
  }
  watch(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN);
  watch(epoll_, EPOLL_CTL_ADD, signals_, EPOLLIN);
  return true;
}

void Server::run() {
  std::array<epoll_event, 64> events{};
  while (!stopping_ || !connections_.empty()) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == signals_) {
        stop();
      } else if (event.data.fd == listener_) {
        accept_all();
      } else {
        serve(event.data.fd, event.events);
      }
    }
  }
}

void Server::accept_all() {
  while (listener_ >= 0 && connections_.size() < kConnectionsMax) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_[fd] = {};
    watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN);
  }
  // Full: the rest waits in the kernel's queue until a connection ends (see drop()).
  if (listener_ >= 0) watch(epoll_, EPOLL_CTL_MOD, listener_, 0);
}

void Server::stop() {
  signalfd_siginfo info{};
  if (::read(signals_, &info, sizeof info) != sizeof info || stopping_) return;
  stopping_ = true;
  // What the kernel has accepted already is served; the listener's end would reset it.
  accept_all();
  ::close(listener_);
  listener_ = -1;
  for (auto it = connections_.begin(); it != connections_.end();) {
    const int fd = (it++)->first;
    serve(fd, EPOLLIN);
  }
}

void Server::serve(int fd, unsigned events) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if ((events & EPOLLIN) != 0 && !read_all(fd, connection)) return drop(fd);
  answer_all(connection);
  if (!write_all(fd, connection)) return drop(fd);
  const bool idle = connection.in.empty() && connection.out.empty();
  if (idle && (connection.closing || stopping_)) return drop(fd);
  watch(epoll_, EPOLL_CTL_MOD, fd, connection.out.empty() ? EPOLLIN : EPOLLOUT);
}

// False when the other side is gone.
bool Server::read_all(int fd, Connection& connection) {
  std::array<char, 16 << 10> room{};
  while (connection.in.size() <= kHeadMax + kBodyMax) {
    const ssize_t got = ::recv(fd, room.data(), room.size(), 0);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    connection.in.append(room.data(), static_cast<std::size_t>(got));
  }
  return true;
}

void Server::answer_all(Connection& connection) {
  HttpRequest request;
  // A reader that does not take its answers gets no further ones made.
  while (!connection.closing && connection.out.empty()) {
    const Reading reading = read_request(connection.in, request);
    if (reading == Reading::incomplete) return;
    if (reading != Reading::complete) {
      connection.closing = true;
      connection.in.clear();
      const int status = reading == Reading::too_large ? 413 : 400;
      connection.out += write_response({.status = status, .type = "text/plain"}, false, false);
      return;
    }
    const bool keep = request.keep_alive && !stopping_;
    connection.closing = !keep;
    if (connection.closing) connection.in.clear();
    connection.out += write_response(answer_(request), keep, request.method == "HEAD");
  }
}

bool Server::write_all(int fd, Connection& connection) {
  while (!connection.out.empty()) {
    const ssize_t sent = ::send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    connection.out.erase(0, static_cast<std::size_t>(sent));
    if (connection.out.empty()) answer_all(connection);
  }
  return true;
}

void Server::drop(int fd) {
  connections_.erase(fd);
  ::close(fd);
  if (listener_ >= 0) watch(epoll_, EPOLL_CTL_MOD, listener_, EPOLLIN);
}

}  // namespace guestbook
