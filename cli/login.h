// SPDX-License-Identifier: Apache-2.0
// `gestalt login`, `logout`, `whoami`, and the login that other commands to the services use.
//
// 1. The token is kept in one file below the caller's home, readable by him alone; the password is
// read from the terminal without echo, or from a file, never from the command line.
// 2. A stored token is sent to the address it was given by and to no other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/session.h"
#include "common/base/secret.h"

namespace cli {

struct LoginOptions {
  std::string org = "root";
  std::string username = {};
  std::string password_file = {};  // "-" is standard input
  std::string key_file = {};       // a file with apiKey and apiSecret instead of a password
};

struct StoredLogin {
  std::string url;  // of the services, as `--url` names it; "unix:…" for a socket
  std::string org, username;
  std::string href;  // of the token
  base::Secret token;
  base::Secret refresh;
};

// $GESTALT_LOGIN_FILE, or .config/gestalt/login.json below $HOME.
std::filesystem::path login_file();
// nullopt without a login. Errors: those of reading; invalid_argument login_file_invalid.
base::Result<std::optional<StoredLogin>> read_login();

Status login(const Session& session, const LoginOptions& options);
Status logout(const Session& session);
Status whoami(const Session& session);

}  // namespace cli
