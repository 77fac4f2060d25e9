// SPDX-License-Identifier: Apache-2.0
// Passwords: stored as scrypt, checked in constant time, re-hashed at login when the cost has
// grown.
//
// Used by services/security; runs on workers, never on the loop.
// 1. "$scrypt$ln=15,r=8,p=3$SALT$HASH" with 16 bytes of salt and 32 of hash, both base64url. The
// cost is OWASP's floor for 32 MiB; a stored cost outside of the limits is refused, so that a
// planted record cannot take the machine's memory.
// 2. There is no method for text in clear, and an account without a hash has no password.
// Threads: any. Errors: invalid_argument password_invalid; those of sys::scrypt.
#pragma once

#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace security {

inline constexpr std::size_t kPasswordMin = 8;
inline constexpr std::size_t kPasswordMax = 1024;

// Length only, as NIST SP 800-63B asks; any bytes that are UTF-8.
base::Result<void> check_password(std::string_view password);
base::Result<std::string> hash_password(std::string_view password, base::Rng& rng);

struct PasswordCheck {
  bool matches = false;
  bool outdated = false;  // hash it again
};
// A hash that is not one of ours matches nothing.
base::Result<PasswordCheck> verify_password(std::string_view password, std::string_view hash);
// Takes as long as a check and matches nothing: for names that do not exist.
base::Result<void> pretend_password(std::string_view password);

}  // namespace security
