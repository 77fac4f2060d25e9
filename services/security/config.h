// SPDX-License-Identifier: Apache-2.0
// The configuration of the security service: the part `services.security` of the file.
//
// Used by the host when it makes the service.
// Errors: those of base::Fields with a pointer within that part.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/json.h"
#include "services/security/token/limits.h"

namespace security {

struct Config {
  std::int64_t token_lifetime_s = 28'800;       // of opaque access tokens
  std::int64_t jwt_lifetime_s = 900;            // of access tokens that are JWT, and ID tokens
  std::int64_t refresh_lifetime_s = 2'592'000;  // of a refresh token; each use makes a new one
  std::int64_t key_rotation_s = 7'776'000;      // age at which a signing key is replaced
  std::string issuer = "http://127.0.0.1:9000/security";  // URL at which clients see the mount
  bool bootstrap = true;                                  // initialise an empty store at start
  std::string admin_name = "admin";                       // account that the first boot makes
  // Where the first boot leaves the admin's API key, readable by root alone.
  std::string credentials_file = "/var/lib/gestalt/credentials/services-admin.json";
  std::int64_t directory_sync_s = 900;  // between looks at external directories; 0: never
  LoginLimits login;
};

base::Result<Config> read_config(const base::Json& json);

}  // namespace security
