// SPDX-License-Identifier: Apache-2.0
// Who calls: peer credentials on the unix socket, tokens on TCP. No route is open to a caller
// without credentials.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/rest/http.h"

namespace rest {

struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

struct Credentials {
  std::optional<PeerCredentials> peer;  // set on a unix socket
  std::string authorization;            // the header's value, empty when absent
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Errors: unauthenticated credentials_missing, credentials_invalid. Threads: loop thread; must
  // not block.
  virtual base::Result<Principal> authenticate(const Credentials& credentials) = 0;
};

// Tokens of one node, kept as SHA-256 in a file that only root reads:
// {"tokens":[{"id","sha256","scopes":[…]}]}. Accepts `Bearer T`, `token=T` (DC/OS clients) and
// `Basic base64(id:T)`. On a unix socket uid 0 and the daemon's own uid get every scope; other uids
// only what `peer_scopes` grants them. Re-reads the file when it changed.
class TokenFile final : public Authenticator {
 public:
  struct Options {
    std::filesystem::path file;
    std::map<uid_t, std::vector<std::string>> peer_scopes = {};
  };
  explicit TokenFile(Options options);
  base::Result<Principal> authenticate(const Credentials& credentials) override;

  // Makes a token, adds its hash to the file durably and returns the only copy of its text.
  static base::Result<base::Secret> mint(const std::filesystem::path& file, const std::string& id,
                                         const std::vector<std::string>& scopes, base::Rng& rng);

 private:
  struct Entry {
    std::string id;
    std::string sha256_hex;
    std::vector<std::string> scopes;
  };
  base::Result<void> reload_if_changed();
  Options options_;
  std::vector<Entry> entries_;
  long long modified_ns_ = -1;
};

}  // namespace rest
