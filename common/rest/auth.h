// SPDX-License-Identifier: Apache-2.0
// Who calls: peer credentials on the unix socket, tokens on TCP. No route is open to a caller
// without credentials but those whose scope is kPublic (route.h).
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
  std::string_view scope = {};          // of the route that is asked for, empty when there is none
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Errors: unauthenticated credentials_missing, credentials_invalid. Threads: loop thread; must
  // not block.
  virtual base::Result<Principal> authenticate(const Credentials& credentials) = 0;
};

// What an Authorization header holds.
struct PresentedToken {
  std::string id;  // of Basic only
  base::Secret token;
};
// Reads `Bearer T`, `token=T` (DC/OS clients) and `Basic base64(id:T)`.
// Errors: unauthenticated credentials_invalid.
base::Result<PresentedToken> parse_authorization(std::string_view header);

// Tokens of one node, kept as SHA-256 in a file that only root reads:
// {"tokens":[{"id","sha256","scopes":[…]}]}.
// 1. On a unix socket uid 0 and the daemon's own uid get every scope; other uids only what
// `peer_scopes` grants them, and a uid without an entry there is a caller without credentials.
// 2. A caller that presents a token is judged by the token alone, also on a unix socket.
// 3. The file is read again when it changed. While it is missing or wrong no token is valid.
class TokenFile final : public Authenticator {
 public:
  struct Options {
    std::filesystem::path file;
    std::map<uid_t, std::vector<std::string>> peer_scopes = {};
  };
  explicit TokenFile(Options options);
  base::Result<Principal> authenticate(const Credentials& credentials) override;

  // Makes a token, adds its hash to the file durably and returns the only copy of its text. The
  // file is made with mode 0640; an existing one keeps its group. Errors: already_exists
  // token_exists; invalid_argument field_invalid; those of reading and writing.
  static base::Result<base::Secret> mint(const std::filesystem::path& file, const std::string& id,
                                         const std::vector<std::string>& scopes, base::Rng& rng);

 private:
  struct Entry {
    std::string id;
    std::string sha256_hex;
    std::vector<std::string> scopes;
  };
  static base::Result<std::vector<Entry>> load(const std::filesystem::path& file);
  void reload_if_changed();
  base::Result<Principal> authenticate_token(const std::string& header);
  Options options_;
  std::vector<Entry> entries_;
  // Identity and age of the file that entries_ came from; all 0 when there was none.
  struct Stamp {
    long long modified_ns = 0;
    unsigned long long inode = 0;
    long long size = 0;
    bool operator==(const Stamp&) const = default;
  };
  std::optional<Stamp> stamp_;
};

}  // namespace rest
