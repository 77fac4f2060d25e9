// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/netfw/haproxy_fixture.h"

#include <CppUTest/TestHarness.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>

#include "tests/unit/netfw/netns.h"

namespace netfw_test {
namespace {

sockaddr_in local(std::uint16_t port) {
  sockaddr_in out = {};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

int connect_local(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience = {5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in address = local(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// One request and its answer on an open connection; status 0 when it broke.
HttpAnswer ask(int fd, const std::string& host, const std::string& path) {
  const std::string text = "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  HttpAnswer out;
  if (send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
    return out;
  }
  std::string all;
  char buffer[4096];
  std::size_t head_end = std::string::npos;
  std::size_t length = 0;
  for (;;) {
    if (head_end == std::string::npos) {
      head_end = all.find("\r\n\r\n");
      if (head_end != std::string::npos) {
        const std::size_t at = all.find("ontent-length: ") != std::string::npos
                                   ? all.find("ontent-length: ")
                                   : all.find("ontent-Length: ");
        length = at < head_end ? std::stoul(all.substr(at + 15)) : 0;
      }
    }
    if (head_end != std::string::npos && all.size() >= head_end + 4 + length) break;
    const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return out;
    all.append(buffer, static_cast<std::size_t>(got));
  }
  out.status = std::stoi(all.substr(9, 3));
  out.head = all.substr(0, head_end);
  out.body = all.substr(head_end + 4);
  return out;
}

}  // namespace

TempFolder::TempFolder() {
  char name[] = "/tmp/netfw-test-XXXXXX";
  CHECK_TRUE(mkdtemp(name) != nullptr);
  path_ = name;
}
TempFolder::~TempFolder() {
  if (getenv("NETFW_TEST_KEEP") == nullptr) std::filesystem::remove_all(path_);
}

OwnNetwork::OwnNetwork() : home_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  CHECK_EQUAL(0, unshare(CLONE_NEWNET));
  run_tool({"/sbin/ip", "link", "set", "lo", "up"});
}
OwnNetwork::~OwnNetwork() {
  setns(home_, CLONE_NEWNET);
  close(home_);
}

Haproxy::Haproxy(const std::filesystem::path& folder) : folder_(folder) { start(); }

void Haproxy::start() {
  const std::string config = (folder_ / "haproxy.cfg").string();
  const std::string master = (folder_ / "master.sock").string();
  std::vector<std::string> words = {"/usr/sbin/haproxy", "-W", "-S", master, "-f", config};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, (folder_ / "haproxy.log").c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0644);
  CHECK_EQUAL(0, posix_spawn(&pid_, argv[0], &actions, &attributes, argv.data(), environ));
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
}

void Haproxy::kill_hard() {
  if (pid_ < 0) return;
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Haproxy::~Haproxy() { kill_hard(); }

EchoServer::EchoServer(std::uint16_t port, std::string name)
    : name_(std::move(name)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = local(port);
  CHECK_EQUAL(0, bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  CHECK_EQUAL(0, listen(listener_, 128));
  acceptor_ = std::thread([this] { accept_all(); });
}

EchoServer::~EchoServer() {
  ending_ = true;
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& session : sessions_) session.join();
  close(listener_);
}

void EchoServer::accept_all() {
  while (!ending_) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    sessions_.emplace_back([this, fd] { serve(fd); });
  }
}

void EchoServer::serve(int fd) {
  std::string pending;
  char buffer[4096];
  while (!ending_) {
    pollfd wait = {fd, POLLIN, 0};
    if (poll(&wait, 1, 20) == 0) continue;
    const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    pending.append(buffer, static_cast<std::size_t>(got));
    const std::size_t end = pending.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    pending.erase(0, end + 4);
    while (slow && !ending_) usleep(1000);
    const std::string answer =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(name_.size()) + "\r\n\r\n" + name_;
    if (send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
    ++served_;
  }
  close(fd);
}

HttpAnswer http_get(std::uint16_t port, const std::string& host, const std::string& path) {
  const int fd = connect_local(port);
  if (fd < 0) return {};
  HttpAnswer out = ask(fd, host, path);
  close(fd);
  return out;
}

Load::Load(std::uint16_t port, std::string host, unsigned threads)
    : port_(port), host_(std::move(host)) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

void Load::run() {
  int fd = -1;
  for (unsigned on_this = 0; !ending_;) {
    if (fd < 0) {
      fd = connect_local(port_);
      on_this = 0;
    }
    const HttpAnswer answer = fd < 0 ? HttpAnswer{} : ask(fd, host_, "/");
    ++requests_;
    const bool closes = answer.head.find("connection: close") != std::string::npos;
    if (answer.status == 200) {
      ++on_this;
      if (!closes && on_this < 200) continue;
    } else if (answer.status != 0 || on_this == 0) {
      ++failures_;
    }
    // A kept-alive connection may be closed between two requests, as RFC 9112 section 9.6 says; the
    // request is sent again on a new one.
    if (fd >= 0) close(fd);
    fd = -1;
  }
  if (fd >= 0) close(fd);
}

void Load::stop() {
  ending_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    usleep(5000);
  }
  return false;
}

}  // namespace netfw_test
