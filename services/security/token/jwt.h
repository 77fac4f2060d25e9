// SPDX-License-Identifier: Apache-2.0
// JSON Web Tokens (RFC 7519) signed with ES256, and the key set they are verified with (RFC 7517).
//
// Used by services/security to sign and by its SDK to verify.
// 1. The algorithm is ours, not the token's: a header with any other `alg`, with `crit`, or without
// a known `kid` is refused, so `none`, HS256 with the public key and embedded keys are.
// 2. Verifying checks signature, type, issuer, audience, `exp`, `nbf` and `iat`, in this order.
// Threads: any. Errors: unauthenticated token_invalid, token_expired.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/sys/crypto.h"

namespace security {

inline constexpr std::size_t kJwtMax = 16 << 10;
inline constexpr std::string_view kAccessTokenType = "at+jwt";  // RFC 9068
inline constexpr std::string_view kIdTokenType = "JWT";

base::Result<std::string> sign_jwt(const sys::EcKey& key, std::string_view kid,
                                   std::string_view type, const base::Json& claims);

struct JwtExpectation {
  std::string_view type;
  std::string_view issuer;
  std::string_view audience;  // empty: not compared
  std::int64_t now = 0;       // seconds since 1970
  std::int64_t leeway_s = 30;
};

// Public keys by `kid`.
class KeySet {
 public:
  void add(std::string kid, sys::EcKey key);
  // {"keys":[{kty,crv,x,y,kid,…}]}; keys of other kinds are left out, at most 64 are kept.
  // Errors: invalid_argument key_invalid.
  static base::Result<KeySet> parse(const base::Json& jwks);
  base::Result<base::Json> to_json() const;
  // The claims of a token that is valid.
  base::Result<base::Json> verify(std::string_view token, const JwtExpectation& expected) const;
  bool empty() const { return keys_.empty(); }
  bool has(std::string_view kid) const { return keys_.contains(kid); }

 private:
  std::map<std::string, sys::EcKey, std::less<>> keys_;
};

// Three parts of base64url with dots between, as a JWT looks. For telling it from an opaque token.
bool looks_like_jwt(std::string_view text);
// The `kid` of its header, empty when there is none. Nothing is verified.
std::string jwt_key_id(std::string_view token);

}  // namespace security
