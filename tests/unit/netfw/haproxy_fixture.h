// SPDX-License-Identifier: Apache-2.0
// A real HAProxy in a fresh network namespace, and small HTTP servers and clients around it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "netfw/haproxy/config.h"

namespace netfw_test {

// A folder that goes with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Puts the calling thread into a namespace of its own with loopback up, and back at the end.
class OwnNetwork {
 public:
  OwnNetwork();
  ~OwnNetwork();
  OwnNetwork(const OwnNetwork&) = delete;
  OwnNetwork& operator=(const OwnNetwork&) = delete;

 private:
  int home_;
};

// `haproxy -W -S FOLDER/master.sock -f FOLDER/haproxy.cfg`, killed with its workers at the end.
class Haproxy {
 public:
  explicit Haproxy(const std::filesystem::path& folder);
  ~Haproxy();
  Haproxy(const Haproxy&) = delete;
  Haproxy& operator=(const Haproxy&) = delete;
  void kill_hard();  // SIGKILL for the whole group
  void start();

 private:
  std::filesystem::path folder_;
  pid_t pid_ = -1;
};

// Answers every request on 127.0.0.1:port with its name; several at once, keep-alive.
class EchoServer {
 public:
  EchoServer(std::uint16_t port, std::string name);
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  unsigned served() const { return served_; }
  // Holds answers back while set.
  std::atomic<bool> slow = false;

 private:
  void accept_all();
  void serve(int fd);
  std::string name_;
  int listener_;
  std::atomic<unsigned> served_ = 0;
  std::atomic<bool> ending_ = false;
  std::thread acceptor_;
  std::vector<std::thread> sessions_;
};

struct HttpAnswer {
  int status = 0;  // 0: no answer
  std::string body;
  std::string head;
};
// One GET on a connection of its own.
HttpAnswer http_get(std::uint16_t port, const std::string& host, const std::string& path);

// GETs without end on keep-alive connections from some threads, and what went wrong.
class Load {
 public:
  Load(std::uint16_t port, std::string host, unsigned threads);
  ~Load() { stop(); }
  void stop();
  unsigned requests() const { return requests_; }
  unsigned failures() const { return failures_; }

 private:
  void run();
  std::uint16_t port_;
  std::string host_;
  std::atomic<unsigned> requests_ = 0;
  std::atomic<unsigned> failures_ = 0;
  std::atomic<bool> ending_ = false;
  std::vector<std::thread> threads_;
};

// Waits until the condition holds, at most 5 seconds, and says whether it did.
bool eventually(const std::function<bool()>& condition);

}  // namespace netfw_test
