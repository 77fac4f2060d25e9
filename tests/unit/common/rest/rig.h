// SPDX-License-Identifier: Apache-2.0
// A running HTTP server for tests: loop thread, workers, a small table, callers "all" and "reader",
// and a client that sends raw bytes, so that tests can say what no HTTP library would.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "common/base/text.h"
#include "common/rest/server.h"
#include "tests/support/check_result.h"

namespace rest_test {

inline constexpr auto kPatience = std::chrono::seconds(10);

// "Bearer all" has every scope, "Bearer reader" app:read, a unix peer every scope.
class TestAuthenticator final : public rest::Authenticator {
 public:
  base::Result<rest::Principal> authenticate(const rest::Credentials& credentials) override {
    if (credentials.peer) return rest::Principal{"peer", {"*"}};
    const auto presented = rest::parse_authorization(credentials.authorization);
    if (!presented) return presented.error();
    if (presented->token.reveal() == "all") return rest::Principal{"token:all", {"*"}};
    if (presented->token.reveal() == "reader") return rest::Principal{"token:reader", {"app:read"}};
    return base::Error{base::Code::unauthenticated, "no", "credentials_invalid"};
  }
};

// Holds a worker until the test lets it go.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait_for(lock, kPatience, [this] { return open_; });
  }
  void wait_for_one() {
    std::unique_lock lock(mutex_);
    CHECK_TRUE(changed_.wait_for(lock, kPatience, [this] { return waiting_ > 0; }));
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

struct Reply {
  int status = 0;
  std::string head;  // status line and headers
  std::string body;
  bool has(const std::string& text) const {
    return base::lower(head).find(base::lower(text)) != std::string::npos;
  }
};

// Undoes the chunked coding; an incomplete body gives what was there.
inline std::string unchunk(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t end = text.find("\r\n");
    if (end == std::string_view::npos) return out;
    const std::size_t size = std::strtoul(std::string(text.substr(0, end)).c_str(), nullptr, 16);
    text.remove_prefix(end + 2);
    if (size == 0 || text.size() < size) return out;
    out += text.substr(0, size);
    text.remove_prefix(std::min(size + 2, text.size()));
  }
}

class RawClient {
 public:
  // `from`: the last number of the client's own address, 127.0.0.x.
  explicit RawClient(std::uint16_t port, std::uint32_t from = 1) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + from);
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_TRUE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    open(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  explicit RawClient(const std::string& unix_path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, unix_path.c_str(), sizeof address.sun_path - 1);
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    open(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  // False once the server has closed the connection.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  void shrink_receive_buffer() {
    const int bytes = 4096;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }

  // More bytes; false at the end of the connection. Fails the test when nothing comes.
  bool receive() {
    pollfd waiting{fd_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, std::chrono::milliseconds(kPatience).count());
    if (ready != 1) FAIL("nothing came from the server in time");
    char buffer[65536];
    const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }
  // Everything until the server closes.
  std::string receive_all() {
    while (receive()) {
    }
    return std::exchange(received_, "");
  }
  bool is_closed_by_server() {
    while (receive()) {
    }
    return true;
  }
  // One reply. `without_body`: to a HEAD request.
  Reply reply(bool without_body = false) {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return Reply{0, received_, ""};
    }
    Reply reply;
    reply.head = received_.substr(0, end + 2);
    received_.erase(0, end + 4);
    reply.status = std::atoi(reply.head.substr(9, 3).c_str());
    if (reply.status == 100) return this->reply(without_body);
    if (without_body || reply.status == 204) return reply;
    if (reply.has("transfer-encoding: chunked")) {
      while (received_.find("0\r\n\r\n") == std::string::npos && receive()) {
      }
      const std::size_t last = received_.find("0\r\n\r\n");
      reply.body = unchunk(received_.substr(0, last));
      received_.erase(0, last == std::string::npos ? last : last + 5);
      return reply;
    }
    const std::string head = base::lower(reply.head);
    const std::size_t length_at = head.find("content-length: ");
    const std::size_t length = length_at == std::string::npos
                                   ? 0
                                   : std::strtoul(head.c_str() + length_at + 16, nullptr, 10);
    while (received_.size() < length && receive()) {
    }
    reply.body = received_.substr(0, length);
    received_.erase(0, length);
    return reply;
  }
  Reply ask(const std::string& bytes) {
    send(bytes);
    return reply();
  }
  // What has come and was not taken yet, after waiting until it holds `text`.
  void wait_for(const std::string& text) {
    while (received_.find(text) == std::string::npos) {
      if (!receive()) FAIL("the connection ended too early");
    }
  }

 private:
  void open(const sockaddr* address, socklen_t length) {
    if (::connect(fd_, address, length) != 0) FAIL("cannot connect");
  }
  int fd_ = -1;
  std::string received_;
};

inline std::string get(const std::string& path, const std::string& token = "all") {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" +
         (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") + "\r\n";
}

inline std::string post(const std::string& path, const std::string& body,
                        const std::string& token = "all") {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" +
         (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Routes: GET /echo/{x} (peer, path, query), POST /echo (body, 1000 bytes at most), GET /slow and
// POST /slow (on a worker, behind the gate), GET /stream, GET /bug, GET /apps/{id...}, GET /big.
class Rig {
 public:
  explicit Rig(rest::ServerLimits limits = {}, std::vector<rest::ListenerOptions> listeners = {{}},
               std::size_t threads = 2)
      : loop(UNWRAP(sys::EventLoop::make())), workers({.threads = threads, .queue_max = 4}) {
    add_routes();
    server = UNWRAP(rest::Server::make({*loop, workers, authenticator, metrics}, table,
                                       std::move(listeners), limits));
    thread_ = std::thread([this] { CHECK_OK(loop->run()); });
  }
  ~Rig() {
    gate.open();
    // Always on the loop thread, as a daemon does it.
    on_loop([this] { server.reset(); });
    loop->stop();
    thread_.join();
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // Runs on the loop thread and waits for it.
  void on_loop(const std::function<void()>& work) {
    std::promise<void> done;
    loop->post([&] {
      work();
      done.set_value();
    });
    CHECK_TRUE(done.get_future().wait_for(kPatience) == std::future_status::ready);
  }
  // The stream that GET /stream made last.
  std::shared_ptr<rest::ByteStream> stream() {
    std::shared_ptr<rest::ByteStream> found;
    on_loop([&] { found = stream_; });
    return found;
  }
  std::string rendered() {
    std::string text;
    on_loop([&] { text = metrics.render(); });
    return text;
  }
  void wait_until(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    bool held = false;
    while (!held && std::chrono::steady_clock::now() < end) {
      on_loop([&] { held = holds(); });
      if (!held) ::poll(nullptr, 0, 5);
    }
    CHECK_TRUE(held);
  }
  RawClient client() { return RawClient(server->port()); }

  std::unique_ptr<sys::EventLoop> loop;
  rest::Metrics metrics;
  TestAuthenticator authenticator;
  rest::RouteTable table;
  Gate gate;
  std::atomic<int> slow_done{0};
  std::atomic<int> streams_closed{0};
  std::size_t stream_buffer_max = 1 << 16;
  sys::WorkerPool workers;
  std::unique_ptr<rest::Server> server;

 private:
  void add(rest::Method method, const char* path, const char* scope, rest::Run run,
           rest::Handler handler, rest::RouteLimits limits = {}) {
    table.add(rest::Row{method, path, rest::Scope(scope), run, std::move(handler), "", limits});
  }
  void add_routes();

  std::shared_ptr<rest::ByteStream> stream_;
  std::thread thread_;
};

}  // namespace rest_test
