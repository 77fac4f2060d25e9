// SPDX-License-Identifier: Apache-2.0
// What a command needs of the outside: where to print, how, and how to reach the daemons.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>

#include "cli/table.h"
#include "common/base/json.h"
#include "common/base/result.h"
#include "common/rest/client.h"

namespace cli {

// Exit statuses of every command; docs/reference/cli.md lists them. `node preflight` alone gives 3
// for "warnings only" under --strict.
enum class Status {
  ok = 0,
  failed = 1,
  usage = 2,
  not_found = 3,
  unavailable = 4,  // the daemon does not answer
  refused = 5,      // no credentials, or not enough rights
  conflict = 6,     // the state forbids it: locked by a deployment, exists already
  timed_out = 7,
};

enum class Daemon { master, agent, netfw, dfs, storage, services };

std::string_view daemon_name(
    Daemon daemon);  // "masterd", "agentd", "netfwd", "dfs-meta", "dfs-storage", "services"

struct Session {
  std::ostream& out;
  std::ostream& err;
  Style style = {};
  bool json = false;
  bool progress = false;  // stderr is a terminal: rewrite one line instead of adding lines
  std::string url = {};   // empty: the daemon's unix socket
  std::string token = {};
  std::string token_file = {};
  std::string ca_file = {};
  std::filesystem::path run_folder = "/run/gestalt";

  // For the services a stored login (login.h) is used where no token is given: its address when
  // there is no --url, its token for that address alone. Errors: os errors of the token file;
  // invalid_argument option_invalid, login_file_invalid.
  base::Result<rest::Endpoint> endpoint(Daemon daemon) const;
  // The daemon of this node, whatever login is stored. With --url that address. Errors: likewise.
  base::Result<rest::Endpoint> own_endpoint(Daemon daemon) const;
  // The address as an error message names it.
  std::string address(Daemon daemon) const;

  void print_json(const base::Json& value) const;
  // One line of what is going on, on stderr; a terminal shows only the last.
  void show_progress(const std::string& line) const;
  void end_progress() const;
};

Status status_of(const base::Error& error);
// Prints "gestalt: …" and, where one is known, a second line "fix: …". Returns status_of(error).
Status report(const Session& session, Daemon daemon, const base::Error& error);
// The line after "fix: ", empty when there is nothing better than the error itself.
std::string advice(const Session& session, Daemon daemon, const base::Error& error);

}  // namespace cli
