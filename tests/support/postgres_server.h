// SPDX-License-Identifier: Apache-2.0
// A real PostgreSQL of a test's own: data and socket in a temporary folder, no TCP port, gone at
// the end.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/temp_folder.h"

class PostgresServer {
 public:
  // Makes the data folder and starts the server; returns once it answers. `settings` are lines of
  // postgresql.conf.
  explicit PostgresServer(const std::vector<std::string>& settings = {});
  ~PostgresServer();
  std::string connection() const;
  // Runs one statement as the superuser, with psql.
  void run(const std::string& statement);
  void kill();   // SIGKILL of the server and all its processes
  void start();  // after kill(): recovers and returns once it answers

 private:
  bool is_ready() const;
  TempFolder folder_;
  std::string programs_;
  std::unique_ptr<ChildProcess> server_;
};
