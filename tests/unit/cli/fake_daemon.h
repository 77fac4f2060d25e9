// SPDX-License-Identifier: Apache-2.0
// A daemon for tests of the command line: the real HTTP server on a unix socket, canned answers,
// and a list of what was asked.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/rest/server.h"

class FakeDaemon {
 public:
  explicit FakeDaemon(const std::filesystem::path& socket);
  ~FakeDaemon();
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  // The next answer to "METHOD /path" (without the query); the last one given stays.
  void answer(const std::string& what, const std::string& body, int status = 200);
  // The body of "GET /path" as an event stream that ends after `events`; `hold` keeps it open.
  enum class AtEnd { close, hold };
  void stream(const std::string& path, const std::string& events, AtEnd at_end = AtEnd::close);
  // "METHOD /path?query body" of every request so far, but the health of the daemon.
  std::vector<std::string> asked() const;

 private:
  struct Canned {
    std::string what;
    std::string body;
    int status;
    bool is_stream;
    AtEnd at_end;
  };
  base::Result<rest::Response> reply(const rest::Request& request);
  rest::Response open_stream(const Canned& canned);

  mutable std::mutex mutex_;
  std::vector<Canned> canned_;
  std::vector<std::string> asked_;
  std::vector<std::shared_ptr<rest::ByteStream>> held_;
  // Made by the thread; ends here, since who stops a loop still uses it.
  std::unique_ptr<sys::EventLoop> loop_;
  std::thread thread_;
};
