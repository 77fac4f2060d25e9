// SPDX-License-Identifier: Apache-2.0
// Opaque tokens, authorisation codes and API secrets: made here, stored as SHA-256, recognised by
// their prefix.
//
// Used by services/security and its SDK.
// 1. "gsta_" ‖ 43 characters of base64url (256 random bits) ‖ 8 hex digits CRC-32C of what stands
// before: a scanner can find a leaked one, and a mistyped one is refused without a look-up.
// 2. The checksum is no secret; only the hash in the store decides.
// Threads: any (pure).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/secret.h"

namespace security {

enum class TokenKind { access, refresh, code, api_secret, client_secret, form };

std::string_view token_prefix(TokenKind kind);
base::Secret make_token(TokenKind kind, base::Rng& rng);
// The kind of a well-formed token, nullopt for anything else.
std::optional<TokenKind> token_kind(std::string_view text);
// What the store keeps: SHA-256 in hex.
std::string token_hash(std::string_view text);

}  // namespace security
