// SPDX-License-Identifier: Apache-2.0
// A real ZooKeeper of a test's own on a loopback port: data in a temporary folder, gone at the end.
#pragma once

#include <memory>
#include <string>

#include "tests/support/child_process.h"
#include "tests/support/temp_folder.h"

class ZookeeperServer {
 public:
  ZookeeperServer();  // returns once it answers
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void kill() { server_.reset(); }  // SIGKILL
  void start();

 private:
  TempFolder folder_;
  int port_ = 0;
  std::unique_ptr<ChildProcess> server_;
};
