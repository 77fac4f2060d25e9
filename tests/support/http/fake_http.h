// SPDX-License-Identifier: Apache-2.0
// A foreign HTTP service for tests, where the real one cannot be had: the real HTTP server on a
// port of its own, whose answers the test computes, and which notes every request.
//
// 1. It says that it is a fake: every reply carries the header X-Fake.
// 2. What it is sent and does not expect it refuses; `complaints` says why, and must be empty at
// the end of a test. Threads: `answer` runs on the server's thread, one request at a time.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/rest/server.h"

class FakeHttp {
 public:
  using Answer = std::function<base::Result<rest::Response>(const rest::Request&)>;
  FakeHttp(std::string what, Answer answer);
  ~FakeHttp();
  FakeHttp(const FakeHttp&) = delete;
  FakeHttp& operator=(const FakeHttp&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // "METHOD /path?query" of every request so far.
  std::vector<std::string> asked() const;
  std::vector<std::string> complaints() const;
  // Notes why a request is refused, and refuses it.
  base::Error complain(const std::string& why);
  // While set, the service answers 503 to everything.
  void set_away(bool away);

 private:
  base::Result<rest::Response> reply(const rest::Request& request);

  const std::string what_;
  const Answer answer_;
  mutable std::mutex mutex_;
  std::vector<std::string> asked_;
  std::vector<std::string> complaints_;
  bool away_ = false;
  std::uint16_t port_ = 0;
  // Made by the thread; ends here, since who stops a loop still uses it.
  std::unique_ptr<sys::EventLoop> loop_;
  std::thread thread_;
};
