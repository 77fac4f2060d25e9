// SPDX-License-Identifier: Apache-2.0
// A small epoll HTTP server: one thread, bounded connections, a clean end.
//
// 1. At most kConnectionsMax connections and one request of each in memory.
// 2. stop() closes the listener and idle connections; a request under way is answered first.
// Threads: one. Source: epoll(7).
#pragma once

#include <functional>
#include <map>
#include <string>

#include "samples/guestbook/http.h"

namespace guestbook {

inline constexpr std::size_t kConnectionsMax = 2000;

class Server {
 public:
  using Answer = std::function<HttpResponse(const HttpRequest&)>;
  explicit Server(Answer answer) : answer_(std::move(answer)) {}
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // On all addresses, IPv6 and IPv4. False when the kernel refuses; errno says why.
  bool listen(int port);
  // Serves until SIGTERM or SIGINT came and the last connection is closed.
  void run();

 private:
  struct Connection {
    std::string in;
    std::string out;
    bool closing = false;
  };
  void accept_all();
  void stop();
  void serve(int fd, unsigned events);
  bool read_all(int fd, Connection& connection);
  void answer_all(Connection& connection);
  bool write_all(int fd, Connection& connection);
  void drop(int fd);

  Answer answer_;
  int epoll_ = -1;
  int listener_ = -1;
  int signals_ = -1;
  bool stopping_ = false;
  std::map<int, Connection> connections_;
};

}  // namespace guestbook
