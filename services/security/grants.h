// SPDX-License-Identifier: Apache-2.0
// Tokens: issuing, refreshing, revoking; what the OAuth routes of the original and of OpenID
// Connect share.
//
// Used by routes_tokens.cc and routes_oidc.cc.
// 1. A refresh token and a code serve once. Who shows one again ends all that came of the login:
// tokens that were stolen and tokens that were not.
// 2. A refusal is a reply and no error, so that what it changed (a family revoked) is committed.
#pragma once

#include "services/security/routes.h"

namespace security {

services::Reply oauth_error(std::string_view error, std::string_view description, int status = 400);
services::Reply oauth_reply(const base::Json& value);

struct GrantedToken {
  std::string account = {}, org = {};
  std::string api_key = {}, client = {};
  std::string family = {};  // empty: a new one when there is a refresh token
  std::vector<std::string> scopes = {}, actors = {};
  bool refresh = false;
  bool jwt = false;
  std::string nonce = {};           // of an ID token
  std::int64_t lifetime_max_s = 0;  // 0: that of the configuration
};
// Writes the tokens and gives the reply's members.
base::Result<base::Json> issue_token(Security& self, services::Call& call,
                                     const GrantedToken& wanted);
// Deletes every token of a family; the epoch moves.
base::Result<void> revoke_family(store::Writer& writer, std::string_view family);
// Errors: those of the store; a refusal is a reply.
base::Result<services::Reply> refresh_token(Security& self, services::Call& call,
                                            std::string_view client);

// A member of a form, empty when absent.
std::string form_value(const services::Call& call, std::string_view name);
// The API key that the request shows, nullopt for anything else.
base::Result<std::optional<ApiKeyRecord>> shown_key(Security& self, services::Call& call);
std::vector<std::string> split_scope(std::string_view scope);

}  // namespace security
