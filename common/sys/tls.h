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

}  // namespace sys
