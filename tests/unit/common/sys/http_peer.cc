// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/common/sys/http_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "common/base/check.h"

HttpPeer::HttpPeer(Handler handler, const std::string& unix_path) : handler_(std::move(handler)) {
  stop_ = sys::Fd(::eventfd(0, EFD_CLOEXEC));
  const int family = unix_path.empty() ? AF_INET : AF_UNIX;
  listener_ = sys::Fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (unix_path.empty()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    CHECK_THAT(::bind(listener_.get(), generic, size) == 0);
    CHECK_THAT(::getsockname(listener_.get(), generic, &size) == 0);
    port_ = ntohs(address.sin_port);
  } else {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, unix_path.c_str(), sizeof address.sun_path - 1);
    CHECK_THAT(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  CHECK_THAT(::listen(listener_.get(), 64) == 0);
  acceptor_ = std::thread([this] { accept_all(); });
}

HttpPeer::~HttpPeer() {
  ::eventfd_write(stop_.get(), 1);
  acceptor_.join();
  for (std::thread& server : servers_) server.join();
}

std::string HttpPeer::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

std::vector<std::string> HttpPeer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

int HttpPeer::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

HttpPeer::Answer HttpPeer::reply(const std::string& status, const std::string& body,
                                 const std::string& more_headers) {
  return {{"HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           more_headers + "\r\n" + body}};
}

bool HttpPeer::is_readable(int fd) const {
  pollfd fds[2] = {{fd, POLLIN, 0}, {stop_.get(), POLLIN, 0}};
  return ::poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

void HttpPeer::accept_all() {
  while (is_readable(listener_.get())) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    {
      const std::lock_guard lock(mutex_);
      ++connections_;
    }
    servers_.emplace_back([this, fd] { serve(fd); });
  }
}

void HttpPeer::serve(int number) {
  const sys::Fd fd(number);
  std::string read;
  while (is_readable(fd.get())) {
    char buffer[4096];
    const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return;
    read.append(buffer, static_cast<std::size_t>(got));
    const std::size_t head = read.find("\r\n\r\n");
    if (head == read.npos) continue;
    const std::size_t length = read.find("Content-Length: ");
    std::size_t whole = head + 4;
    if (length < head) whole += std::stoul(read.substr(length + 16));
    if (read.size() < whole) continue;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(read.substr(0, whole));
    }
    const Answer answer = handler_(read.substr(0, whole));
    read.erase(0, whole);
    for (const std::string& piece : answer.pieces) {
      ::send(fd.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    }
    if (answer.after == After::close) return;
    if (answer.after == After::hang) {
      pollfd stopped = {stop_.get(), POLLIN, 0};
      ::poll(&stopped, 1, -1);
      return;
    }
  }
}
