// SPDX-License-Identifier: Apache-2.0
#include "tests/support/postgres_server.h"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

namespace {

// The newest that is installed.
std::string find_programs() {
  std::string found;
  for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql")) {
    const std::string programs = (version.path() / "bin").string();
    if (std::filesystem::exists(programs + "/initdb")) found = std::max(found, programs);
  }
  CHECK_THAT(!found.empty());  // Debian's package postgresql is in tools/packages.txt
  return found;
}

// PostgreSQL refuses to run as root.
std::vector<std::string> as_postgres(std::vector<std::string> argv) {
  argv.insert(argv.begin(), {"/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres",
                             "--clear-groups", "--pdeathsig=KILL", "--"});
  return argv;
}

}  // namespace

PostgresServer::PostgresServer(const std::vector<std::string>& settings)
    : programs_(find_programs()) {
  const passwd* user = getpwnam("postgres");
  CHECK_THAT(user != nullptr && chown(folder_.path().c_str(), user->pw_uid, user->pw_gid) == 0);
  ChildProcess made(
      as_postgres({programs_ + "/initdb", "--pgdata=" + (folder_ / "data").string(), "--auth=trust",
                   "--no-instructions", "--no-sync", "--encoding=UTF8", "--locale=C"}));
  CHECK_THAT(made.wait() == 0);
  std::ofstream file(folder_ / "data" / "postgresql.conf", std::ios::app);
  file << "listen_addresses = ''\nunix_socket_directories = '" << folder_.path().string()
       << "'\nlogging_collector = on\n";
  for (const std::string& setting : settings) file << setting << '\n';
  file.close();
  start();
}

PostgresServer::~PostgresServer() { kill(); }

std::string PostgresServer::connection() const {
  return "host=" + folder_.path().string() + " dbname=postgres user=postgres connect_timeout=5";
}

bool PostgresServer::is_ready() const {
  ChildProcess asked({programs_ + "/pg_isready", "--quiet", "--host=" + folder_.path().string()});
  return asked.wait() == 0;
}

void PostgresServer::run(const std::string& statement) {
  ChildProcess psql({"/usr/bin/psql", "--no-psqlrc", "--quiet", "--dbname=" + connection(),
                     "--command=" + statement});
  CHECK_THAT(psql.wait() == 0);
}

void PostgresServer::start() {
  server_ = std::make_unique<ChildProcess>(
      as_postgres({programs_ + "/postgres", "-D", (folder_ / "data").string()}));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!is_ready()) CHECK_THAT(std::chrono::steady_clock::now() < deadline);
}

void PostgresServer::kill() {
  if (!server_) return;
  // Its processes notice by themselves that the first one has gone; a new one starts once they
  // have.
  server_->kill();
  server_->wait();
  server_.reset();
}
