// SPDX-License-Identifier: Apache-2.0
// Ed25519 signatures (RFC 8032, OpenSSL 3): what the audit log signs its checkpoints with.
// Threads: any. Errors: internal tls_failed when OpenSSL refuses for no fault of the input.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace sys {

class Ed25519Key {
 public:
  static base::Result<Ed25519Key> generate();
  // PKCS #8 PEM without a password. Errors: invalid_argument key_invalid.
  static base::Result<Ed25519Key> from_private_pem(std::string_view pem);
  // The 32 bytes of a public key; such a key only verifies. Errors: invalid_argument key_invalid.
  static base::Result<Ed25519Key> from_public(std::string_view raw);
  Ed25519Key(Ed25519Key&&) noexcept;
  Ed25519Key& operator=(Ed25519Key&&) noexcept;
  ~Ed25519Key();

  base::Result<base::Secret> private_pem() const;
  base::Result<std::string> public_raw() const;                 // 32 bytes
  base::Result<std::string> sign(std::string_view text) const;  // 64 bytes
  bool verify(std::string_view text, std::string_view signature) const;

 private:
  struct State;
  explicit Ed25519Key(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sys
