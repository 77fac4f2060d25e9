// SPDX-License-Identifier: Apache-2.0
// What TCP clients do to the server; UDP and what is answered are in body_test.cc, with dig.
#include "netfw/dns/server.h"

#include <CppUTest/TestHarness.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "tests/support/check_result.h"
#include "tests/unit/netfw/haproxy_fixture.h"

using namespace netfw;
using namespace netfw::dns;

namespace {

constexpr std::uint16_t kPort = 5300;

// For "mesos", kind SOA, with its length before it.
std::string framed_query() { return {"\0\x17\x12\x34\1\0\0\1\0\0\0\0\0\0\5mesos\0\0\6\0\1", 25}; }

TEST_GROUP(DnsServer) {
  netfw_test::OwnNetwork network;
  std::unique_ptr<sys::EventLoop> loop;
  std::unique_ptr<Server> server;
  std::thread thread;

  void setup() override {
    loop = UNWRAP(sys::EventLoop::make());
    server = std::make_unique<Server>(
        *loop, Server::Options{.listen = {UNWRAP(IpAddress::parse("127.0.0.1"))}, .port = kPort});
    std::vector<Problem> problems;
    server->publish(Zone::make({}, {}, {}, 1, problems));
    server->start();
    CHECK_EQUAL(0u, server->problems().size());
    thread = std::thread([this] { CHECK_OK(loop->run()); });
  }
  void teardown() override {
    loop->stop();
    thread.join();
    server.reset();
  }
  sys::Fd connected() {
    sys::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(kPort);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_EQUAL(0, ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to));
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
  }
  void send(const sys::Fd& fd, const std::string& bytes) {
    CHECK_EQUAL(static_cast<ssize_t>(bytes.size()),
                ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }
  // The answer without its length; empty when the server has cut the connection.
  std::string receive(const sys::Fd& fd) {
    const auto take = [&](std::size_t size) {
      std::string bytes(size, '\0');
      const ssize_t got = ::recv(fd.get(), bytes.data(), size, MSG_WAITALL);
      return got == static_cast<ssize_t>(size) ? bytes : std::string();
    };
    const std::string head = take(2);
    if (head.empty()) return "";
    return take(static_cast<unsigned char>(head[0]) * 256u + static_cast<unsigned char>(head[1]));
  }
};

TEST(DnsServer, a_query_may_come_in_pieces_and_several_at_once) {
  const sys::Fd fd = connected();
  for (const char byte : framed_query()) send(fd, std::string(1, byte));
  CHECK(receive(fd).starts_with("\x12\x34"));
  send(fd, framed_query() + framed_query());
  CHECK(receive(fd).starts_with("\x12\x34"));
  CHECK(receive(fd).starts_with("\x12\x34"));
  CHECK_EQUAL(3u, server->answered());
}

TEST(DnsServer, what_is_no_query_ends_the_connection_and_no_other) {
  const sys::Fd good = connected();
  const sys::Fd long_one = connected();
  send(long_one, "\xff\xff");
  STRCMP_EQUAL("", receive(long_one).c_str());
  const sys::Fd reply = connected();
  std::string bytes = framed_query();
  bytes[4] = static_cast<char>(0x80);
  send(reply, bytes);
  STRCMP_EQUAL("", receive(reply).c_str());
  send(good, framed_query());
  CHECK_FALSE(receive(good).empty());
}

TEST(DnsServer, of_more_connections_than_there_may_be_the_oldest_go) {
  const sys::Fd first = connected();
  send(first, framed_query());
  CHECK_FALSE(receive(first).empty());
  std::vector<sys::Fd> others;
  for (std::size_t i = 0; i < kConnectionsMax; ++i) {
    others.push_back(connected());
    send(others.back(), framed_query());
    CHECK_FALSE(receive(others.back()).empty());
  }
  STRCMP_EQUAL("", receive(first).c_str());
  send(others.front(), framed_query());
  CHECK_FALSE(receive(others.front()).empty());
}

}  // namespace
