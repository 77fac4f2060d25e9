// SPDX-License-Identifier: Apache-2.0
// SAML 2.0 as a service provider: metadata, requests by redirect, responses by POST. Pure: state
// (requests under way, assertions seen) is the caller's.
//
// Used by routes_saml.cc.
// 1. Everything that is believed comes from an element that the identity provider's key signed.
// 2. A response is for us (destination, recipient, audience), from whom we asked (issuer, in
// response to a request of ours) and for now; one without a request of ours is refused.
// Threads: any. Errors: unauthenticated saml_invalid; invalid_argument directory_config_invalid.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace security {

inline constexpr std::string_view kSaml = "SAML";  // type of a directory

struct SamlConfig {
  std::string idp_entity, idp_sso_url, idp_certificate;  // the certificate in PEM
  std::string username_attribute = {};                   // empty: the NameID
  std::string email_attribute = "email", first_name_attribute = "givenName",
              last_name_attribute = "sn", groups_attribute = "groups";
};
base::Result<SamlConfig> read_saml_config(const base::Json& config);

// How we are known to the provider.
struct SamlParty {
  std::string entity_id, acs_url;
};

std::string saml_metadata(const SamlParty& party);
// Where to send the browser: the provider's URL with a request in it.
std::string saml_request_url(const SamlConfig& config, const SamlParty& party,
                             std::string_view request_id, std::string_view relay_state,
                             std::string_view issued);

struct SamlSubject {
  std::string assertion_id;
  std::string name_id;
  std::int64_t expires = 0;  // seconds since 1970: the assertion must be remembered until then
  std::map<std::string, std::vector<std::string>> attributes;
};
// `text` is the response's XML. `request_id` is the request that the browser was sent with.
base::Result<SamlSubject> read_saml_response(std::string_view text, const SamlConfig& config,
                                             const SamlParty& party, std::string_view request_id,
                                             std::int64_t now);

}  // namespace security
