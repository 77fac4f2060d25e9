// SPDX-License-Identifier: Apache-2.0
#include "services/front.h"

#include "common/sys/tls.h"

namespace services {

namespace {

constexpr std::string_view kMetrics = "metrics:read";

}  // namespace

base::Result<rest::Principal> Front::authenticate(const rest::Credentials& credentials) {
  rest::Principal principal{.name = "anonymous", .scopes = {"services:call", "health:read"}};
  if (credentials.peer) {
    principal.name = "uid:" + std::to_string(credentials.peer->uid);
    if (credentials.peer->uid == 0) principal.scopes.emplace(kMetrics);
  }
  if (!credentials.authorization.empty()) {
    // A name for counting requests, so that callers do not use up each other's; it grants nothing.
    principal.name = "credential:" + sys::sha256_hex(credentials.authorization).substr(0, 16);
    // The node's tokens open nothing else here.
    if (credentials.scope != kMetrics) return principal;
    const auto node = tokens_.authenticate(credentials);
    if (node && node->has(kMetrics)) principal.scopes.emplace(kMetrics);
  }
  return principal;
}

}  // namespace services
