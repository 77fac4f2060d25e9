// SPDX-License-Identifier: Apache-2.0
#include "services/security/config.h"

#include "services/security/model/names.h"

namespace security {

base::Result<Config> read_config(const base::Json& json) {
  Config out;
  base::Fields fields(json);
  constexpr std::int64_t kDay = 86'400;
  fields.optional("tokenLifetimeSeconds", out.token_lifetime_s, {.min = 60, .max = 30 * kDay});
  fields.optional("jwtLifetimeSeconds", out.jwt_lifetime_s, {.min = 60, .max = kDay});
  fields.optional("refreshLifetimeSeconds", out.refresh_lifetime_s, {.min = 60, .max = 366 * kDay});
  fields.optional("keyRotationSeconds", out.key_rotation_s, {.min = 3600, .max = 3660 * kDay});
  fields.optional("directorySyncSeconds", out.directory_sync_s, {.min = 0, .max = 30 * kDay});
  fields.optional("issuer", out.issuer, {.length_min = 1, .length_max = 256});
  fields.optional("bootstrap", out.bootstrap);
  fields.optional("adminName", out.admin_name, {.length_min = 1, .length_max = kNameMax});
  fields.optional("credentialsFile", out.credentials_file, {.length_min = 1, .length_max = 1024});
  if (const base::Json* login = fields.find_object("login")) {
    base::Fields inner(*login, fields.pointer_of("login"));
    inner.optional("windowSeconds", out.login.window_s, {.min = 1, .max = 3600});
    inner.optional("attemptsMax", out.login.attempts_max, {.min = 1, .max = 100'000});
    inner.optional("failuresMax", out.login.failures_max, {.min = 1, .max = 100'000});
    inner.optional("lockSeconds", out.login.lock_s, {.min = 1, .max = kDay});
    inner.optional("lockMaxSeconds", out.login.lock_max_s, {.min = 1, .max = 7 * kDay});
    const base::Result<void> done = inner.finish(base::UnknownFields::refuse);
    if (!done) fields.reject(done.error());
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  while (out.issuer.ends_with('/')) out.issuer.pop_back();
  TRY(check_username(out.admin_name));
  return out;
}

}  // namespace security
