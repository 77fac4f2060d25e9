// SPDX-License-Identifier: Apache-2.0
// How callers of gestalt-services come past the HTTP frame: the frame lets everybody through to the
// pipeline, which knows callers and rights; only /metrics stays behind the node's own tokens.
//
// Threads: the loop's.
#pragma once

#include <filesystem>

#include "common/rest/auth.h"

namespace services {

class Front final : public rest::Authenticator {
 public:
  explicit Front(std::filesystem::path tokens) : tokens_({.file = std::move(tokens)}) {}
  // Never refuses: the principal is "credential:HASH" when there are credentials, else "uid:N" on
  // the unix socket or "anonymous", with the scopes services:call, health:read and what a token of
  // the node grants.
  base::Result<rest::Principal> authenticate(const rest::Credentials& credentials) override;

 private:
  rest::TokenFile tokens_;
};

}  // namespace services
