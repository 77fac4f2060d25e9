// SPDX-License-Identifier: Apache-2.0
// Clients of OpenID Connect: what they are, who they prove to be, where they may be sent back to.
//
// Used by routes_clients.cc, routes_authorize.cc and routes_oidc.cc.
// 1. A redirect URI is compared as text, whole; it is https, or http on loopback, or an app's own
// scheme with a dot in it, and has no fragment.
// 2. A public client has no secret and is held to PKCE, like all others.
// Threads: any. Errors: invalid_argument client_invalid, redirect_invalid.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/security/routes.h"

namespace security {

base::Result<void> check_redirect_uri(std::string_view uri);
bool may_redirect(const ClientRecord& client, std::string_view uri);
bool may_grant(const ClientRecord& client, std::string_view grant);

// RFC 7636 with S256 alone: whether the verifier is the one the challenge was made from.
bool is_challenge(std::string_view text);
bool fits_challenge(std::string_view verifier, std::string_view challenge);

// The client that a token request comes from, by its secret or, for a public one, its id alone.
// nullopt: nobody. `client_secret_basic` and `client_secret_post`, never both.
base::Result<std::optional<ClientRecord>> shown_client(services::Call& call);

void add_client_actions(services::ActionTable& table, Security& self);
void add_authorize_actions(services::ActionTable& table, Security& self);
void add_oidc_actions(services::ActionTable& table, Security& self);
void add_saml_actions(services::ActionTable& table, Security& self);

}  // namespace security
