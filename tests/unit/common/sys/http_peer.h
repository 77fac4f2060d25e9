// SPDX-License-Identifier: Apache-2.0
// The other end of an HTTP client's connections: records whole requests, answers with raw bytes.
// Threads: the handler runs on a thread of each connection.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/sys/handle.h"

class HttpPeer {
 public:
  enum class After { keep, close, hang };
  struct Answer {
    std::vector<std::string> pieces;  // sent one by one
    After after = After::keep;
  };
  // Gets head and body of one request.
  using Handler = std::function<Answer(const std::string& request)>;

  // On 127.0.0.1 when `unix_path` is empty.
  explicit HttpPeer(Handler handler, const std::string& unix_path = {});
  ~HttpPeer();
  HttpPeer(const HttpPeer&) = delete;
  HttpPeer& operator=(const HttpPeer&) = delete;

  std::string url(const std::string& path) const;
  std::vector<std::string> requests() const;
  int connections() const;

  static Answer reply(const std::string& status, const std::string& body,
                      const std::string& more_headers = {});

 private:
  void accept_all();
  void serve(int fd);
  bool is_readable(int fd) const;

  Handler handler_;
  sys::Fd listener_;
  sys::Fd stop_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;  // guarded by mutex_
  int connections_ = 0;                // guarded by mutex_
  std::vector<std::thread> servers_;   // accept thread only, until it is joined
  std::thread acceptor_;
};
