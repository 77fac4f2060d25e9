// SPDX-License-Identifier: Apache-2.0
// Primitives of OpenSSL 3 for what services sign, seal and hash: scrypt, HMAC, ES256, AES-256-GCM.
//
// Used by services/security, which says what the bytes mean.
// 1. Nothing here chooses parameters or formats; callers do, and name them.
// 2. Signatures are the 64 bytes r‖s of RFC 7515, not DER.
// Threads: any. Errors: internal tls_failed when OpenSSL refuses for a reason that is not the
// input's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace sys {

struct ScryptCost {
  std::uint64_t n = 1 << 15;  // a power of two
  std::uint32_t r = 8;
  std::uint32_t p = 3;
};
// RFC 7914. Needs 128 * n * r bytes while it runs. Errors: also invalid_argument
// password_cost_invalid when the cost is none or needs more than 256 MiB.
base::Result<std::string> scrypt(std::string_view password, std::string_view salt, ScryptCost cost,
                                 std::size_t length);

std::string hmac_sha256(std::string_view key, std::string_view text);  // 32 raw bytes

// A P-256 key. Verifying needs only the public half.
class EcKey {
 public:
  static base::Result<EcKey> generate();
  // PKCS #8 without a password. Errors: invalid_argument key_invalid.
  static base::Result<EcKey> from_private_pem(std::string_view pem);
  // Coordinates of 32 bytes each, as in a JWK; a point that is not on the curve is refused.
  // Errors: invalid_argument key_invalid.
  static base::Result<EcKey> from_point(std::string_view x, std::string_view y);
  EcKey(EcKey&&) noexcept;
  EcKey& operator=(EcKey&&) noexcept;
  ~EcKey();

  base::Result<base::Secret> private_pem() const;
  struct Point {
    std::string x, y;  // 32 bytes each
  };
  base::Result<Point> point() const;
  base::Result<std::string> sign(std::string_view text) const;  // 64 bytes
  bool verify(std::string_view text, std::string_view signature) const;

 private:
  struct State;
  explicit EcKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// AES-256-GCM. The result is nonce(12) ‖ ciphertext ‖ tag(16); `context` is authenticated, not
// stored. Requires: `key` has 32 bytes, `nonce` 12 that were never used with this key.
base::Result<std::string> seal(std::string_view key, std::string_view nonce,
                               std::string_view context, std::string_view text);
// Errors: corrupt seal_broken when the key, the context or a byte differs.
base::Result<base::Secret> unseal(std::string_view key, std::string_view context,
                                  std::string_view sealed);

}  // namespace sys
