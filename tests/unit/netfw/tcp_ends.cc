// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/netfw/tcp_ends.h"

#include <CppUTest/TestHarness.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netfw_test {
namespace {

constexpr int kPatienceMs = 500;

struct SocketName {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketName socket_name(const netfw::IpAddress& address, std::uint16_t port) {
  SocketName out;
  if (address.family == netfw::Family::v4) {
    auto& in = reinterpret_cast<sockaddr_in&>(out.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    memcpy(&in.sin_addr, address.bytes.data(), 4);
    out.size = sizeof in;
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(out.storage);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    memcpy(&in.sin6_addr, address.bytes.data(), 16);
    out.size = sizeof in;
  }
  return out;
}

sys::Fd open_socket(const netfw::IpAddress& address, int flags) {
  const int family = address.family == netfw::Family::v4 ? AF_INET : AF_INET6;
  sys::Fd out(socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  CHECK_TRUE(out.is_open());
  return out;
}

}  // namespace

TcpListener::TcpListener(const netfw::IpAddress& address, std::uint16_t port)
    : socket_(open_socket(address, 0)) {
  const int on = 1;
  setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const SocketName name = socket_name(address, port);
  CHECK_EQUAL(0, bind(socket_.get(), name.get(), name.size));
  CHECK_EQUAL(0, listen(socket_.get(), 64));
}

TcpClient::TcpClient(const netfw::IpAddress& address, std::uint16_t port)
    : socket_(open_socket(address, SOCK_NONBLOCK)) {
  connect_to(address, port);
}

TcpClient::TcpClient(const netfw::IpAddress& source, const netfw::IpAddress& address,
                     std::uint16_t port)
    : socket_(open_socket(address, SOCK_NONBLOCK)) {
  const SocketName name = socket_name(source, 0);
  CHECK_EQUAL(0, bind(socket_.get(), name.get(), name.size));
  connect_to(address, port);
}

void TcpClient::connect_to(const netfw::IpAddress& address, std::uint16_t port) {
  const SocketName name = socket_name(address, port);
  const int done = connect(socket_.get(), name.get(), name.size);
  CHECK_TRUE(done == 0 || errno == EINPROGRESS || errno == ECONNREFUSED);
  pollfd wait = {socket_.get(), POLLOUT, 0};
  if (poll(&wait, 1, kPatienceMs) != 1) return;
  int error = 0;
  socklen_t size = sizeof error;
  CHECK_EQUAL(0, getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size));
  is_open_ = error == 0;
}

bool TcpClient::is_heard() {
  if (send(socket_.get(), "x", 1, MSG_NOSIGNAL) != 1) return false;
  for (int i = 0; i < 30; ++i) {
    int unheard = 0;
    CHECK_EQUAL(0, ioctl(socket_.get(), SIOCOUTQ, &unheard));
    if (unheard == 0) return true;
    usleep(10'000);  // the kernel tells nobody when an acknowledgement comes
  }
  return false;
}

std::string TcpClient::name() const {
  sockaddr_storage storage = {};
  socklen_t size = sizeof storage;
  CHECK_EQUAL(0, getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &size));
  netfw::Endpoint out;
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    memcpy(out.address.bytes.data(), &in.sin_addr, 4);
    out.port = ntohs(in.sin_port);
  } else {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(storage);
    out.address.family = netfw::Family::v6;
    memcpy(out.address.bytes.data(), &in.sin6_addr, 16);
    out.port = ntohs(in.sin6_port);
  }
  return out.text().substr(std::string("tcp ").size());
}

}  // namespace netfw_test
