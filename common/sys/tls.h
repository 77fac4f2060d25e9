// SPDX-License-Identifier: Apache-2.0
// Keys and certificates (OpenSSL 3): what a node makes for itself, and digests.
// Threads: any.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace sys {

std::string sha256(std::string_view bytes);      // 32 raw bytes
std::string sha256_hex(std::string_view bytes);  // 64 lower-case digits

struct KeyPair {
  base::Secret key_pem;  // PKCS #8, P-256
  std::string certificate_pem;
};

// A self-signed certificate for the given DNS names and IP addresses; TLS server use only.
base::Result<KeyPair> make_self_signed(const std::string& common_name,
                                       const std::vector<std::string>& names,
                                       std::chrono::hours lifetime);

// A server's certificate with its chain and key, as a file that an operator made holds them.
struct ServerCertificate {
  base::Secret pem;                // certificate, chain, key, in this order and without empty lines
  std::string sha1;                // of the certificate, 40 upper-case digits
  std::vector<std::string> names;  // DNS names that it is for, in lower case
  std::chrono::seconds left{};     // until it expires; negative afterwards
};
// The first certificate is the server's; the key may stand anywhere and has no password.
// Errors: invalid_argument certificate_unusable: none, no key, or they do not belong together.
base::Result<ServerCertificate> read_server_certificate(std::string_view text);

}  // namespace sys
