// SPDX-License-Identifier: Apache-2.0
#include "services/security/token/secret_token.h"

#include <array>
#include <cstdio>

#include "common/base/crc32c.h"
#include "common/sys/tls.h"

namespace security {

namespace {

constexpr std::size_t kPrefix = 5, kBody = 43, kSum = 8;
constexpr std::array kKinds = {TokenKind::access,     TokenKind::refresh,       TokenKind::code,
                               TokenKind::api_secret, TokenKind::client_secret, TokenKind::form};

std::string checksum(std::string_view text) {
  std::array<char, 16> out{};
  std::snprintf(out.data(), out.size(), "%08x", base::crc32c(text));
  return out.data();
}

}  // namespace

std::string_view token_prefix(TokenKind kind) {
  switch (kind) {
    case TokenKind::access: return "gsta_";
    case TokenKind::refresh: return "gstr_";
    case TokenKind::code: return "gstc_";
    case TokenKind::api_secret: return "gsts_";
    case TokenKind::client_secret: return "gsto_";
    case TokenKind::form: return "gstf_";
  }
  return "gstx_";
}

base::Secret make_token(TokenKind kind, base::Rng& rng) {
  std::string text = std::string(token_prefix(kind)) + rng.token(32);
  text += checksum(text);
  return base::Secret(std::move(text));
}

std::optional<TokenKind> token_kind(std::string_view text) {
  if (text.size() != kPrefix + kBody + kSum) return std::nullopt;
  if (checksum(text.substr(0, kPrefix + kBody)) != text.substr(kPrefix + kBody)) {
    return std::nullopt;
  }
  for (const TokenKind kind : kKinds) {
    if (text.starts_with(token_prefix(kind))) return kind;
  }
  return std::nullopt;
}

std::string token_hash(std::string_view text) { return sys::sha256_hex(text); }

}  // namespace security
