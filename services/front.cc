// SPDX-License-Identifier: Apache-2.0
#include "services/front.h"

namespace services {

base::Result<rest::Principal> Front::authenticate(const rest::Credentials& credentials) {
  rest::Principal principal{.name = "anonymous", .scopes = {"services:call", "health:read"}};
  if (credentials.peer) {
    principal.name = "uid:" + std::to_string(credentials.peer->uid);
    if (credentials.peer->uid == 0) principal.scopes.insert("metrics:read");
  } else if (!credentials.authorization.empty()) {
    const auto node = tokens_.authenticate(credentials);
    if (node && node->has("metrics:read")) principal.scopes.insert("metrics:read");
  }
  return principal;
}

}  // namespace services
