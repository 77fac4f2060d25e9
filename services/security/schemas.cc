// SPDX-License-Identifier: Apache-2.0
#include "services/security/schemas.h"

#include <iterator>

namespace security {

namespace {

using services::Schema;

#define REF(WHICH) R"({"$ref":"#/components/schemas/Security)" WHICH R"("})"
#define LIST(WHICH) R"({"type":"array","items":)" REF(WHICH) "}"
#define ID R"({"type":"string","format":"uuid"})"
#define TEXT R"({"type":"string"})"
#define NAME R"({"type":"string","minLength":1})"
#define BOOL R"({"type":"boolean"})"
#define NUMBER R"({"type":"integer","minimum":0})"
#define TEXTS R"({"type":"array","items":{"type":"string"}})"
#define URL R"({"type":"string","minLength":1})"

// ---- who and what there is: core/render.cc
constexpr Schema kOfRecords[] = {
    {"SecurityLink", R"({"type":"object","required":["id","name","href"],
      "additionalProperties":false,"properties":{"id":)" ID R"(,"name":)" NAME R"(,
      "href":{"type":"string","pattern":"^/"}}})"},
    {"SecurityOrg", R"({"type":"object","required":["id","name","fqon","children"],
      "additionalProperties":false,"properties":{"id":)" ID R"(,"name":)" NAME R"(,"fqon":)" NAME
                    R"(,"description":)" TEXT R"(,"parent":)" REF("Link") R"(,
      "children":)" LIST("Link") R"(}})"},
    // What is called a password in `config` is masked.
    {"SecurityDirectory", R"({"type":"object","required":["id","name","orgId","directoryType"],
      "additionalProperties":false,"properties":{"id":)" ID R"(,"name":)" NAME R"(,"orgId":)" ID
                          R"(,"directoryType":{"enum":["INTERNAL","LDAP","SAML"]},
      "description":)" TEXT R"(,"config":{"type":"object"}}})"},
    {"SecurityAccount", R"({"type":"object","required":["id","username","firstName","lastName",
      "directory"],"additionalProperties":false,"properties":{"id":)" ID R"(,"username":)" NAME
                        R"(,"firstName":)" TEXT R"(,"lastName":)" TEXT R"(,"description":)" TEXT
                        R"(,"email":)" TEXT R"(,"phoneNumber":)" TEXT R"(,
      "directory":)" REF("Directory") R"(}})"},
    {"SecurityGroup", R"({"type":"object","required":["id","name","directory","disabled",
      "accounts"],"additionalProperties":false,"properties":{"id":)" ID R"(,"name":)" NAME R"(,
      "directory":)" REF("Directory") R"(,"disabled":)" BOOL R"(,"description":)" TEXT R"(,
      "accounts":)" LIST("Link") R"(}})"},
    {"SecurityApp", R"({"type":"object","required":["id","name","orgId","isServiceApp"],
      "additionalProperties":false,"properties":{"id":)" ID R"(,"name":)" NAME R"(,"orgId":)" ID
                    R"(,"isServiceApp":)" BOOL R"(,"description":)" TEXT R"(}})"},
    {"SecurityAccountStore", R"({"type":"object","required":["id","name","description","storeType",
      "storeId","appId","isDefaultAccountStore","isDefaultGroupStore"],
      "additionalProperties":false,"properties":{"id":)" ID R"(,"name":)" TEXT R"(,
      "description":)" TEXT R"(,"storeType":{"enum":["DIRECTORY","GROUP"]},"storeId":)" ID R"(,
      "appId":)" ID R"(,"isDefaultAccountStore":)" BOOL R"(,"isDefaultGroupStore":)" BOOL R"(}})"},
    {"SecurityRight", R"({"type":"object","required":["id","grantName","appId"],
      "additionalProperties":false,"properties":{"id":)" ID R"(,"grantName":)" NAME R"(,
      "appId":)" ID R"(,"grantValue":)" TEXT R"(}})"},
    // auth_json(), and what the caller asked to have back.
    {"SecurityAuth", R"({"type":"object","required":["account","groups","rights","orgId"],
      "additionalProperties":false,"properties":{"account":)" REF("Account") R"(,
      "groups":)" LIST("Link") R"(,"rights":)" LIST("Right") R"(,"orgId":)" ID R"(,
      "extraData":{"type":"object"}}})"},
    // sync_orgs() of routes_orgs.cc.
    {"SecuritySync", R"({"type":"object","required":["accounts","groups","orgs"],
      "additionalProperties":false,"properties":{"accounts":)" LIST("Account") R"(,
      "groups":)" LIST("Group") R"(,"orgs":)" LIST("Org") R"(,"admin":)" REF("Link") R"(}})"},
};

// ---- what a call answers when it shows no record
constexpr Schema kOfCalls[] = {
    {"SecurityDeleted", R"({"type":"object","required":["wasDeleted"],
      "additionalProperties":false,"properties":{"wasDeleted":)" BOOL R"(}})"},
    {"SecuritySwitched", R"({"oneOf":[{"type":"object","required":["disabled"],
      "additionalProperties":false,"properties":{"disabled":{"const":true}}},
      {"type":"object","required":["enabled"],"additionalProperties":false,
      "properties":{"enabled":{"const":true}}}]})"},
    {"SecurityDirectorySync", R"({"type":"object","required":["present","disabled"],
      "additionalProperties":false,"properties":{"present":)" NUMBER R"(,
      "disabled":)" NUMBER R"(}})"},
    {"SecurityInfo", R"({"type":"object","required":["name","issuer"],
      "additionalProperties":false,"properties":{"name":)" NAME R"(,"issuer":)" URL R"(}})"},
    {"SecurityInitialised", R"({"type":"object","required":["initialized"],
      "additionalProperties":false,"properties":{"initialized":)" BOOL R"(}})"},
    // The one time that a secret is shown.
    {"SecurityApiKey", R"({"type":"object","required":["apiKey","apiSecret","accountId",
      "disabled"],"additionalProperties":false,"properties":{"apiKey":)" ID R"(,
      "apiSecret":)" NAME R"(,"accountId":)" ID R"(,"disabled":)" BOOL R"(}})"},
};

// ---- OAuth 2.0 and OpenID Connect: grants.cc, routes_tokens.cc, routes_clients.cc, routes_oidc.cc
#define CLIENT_REQUIRED \
  R"("id","name","orgId","redirectUris","grants","public","accessTokenFormat")"
#define CLIENT_FIELDS                                                                     \
  R"("id":)" ID R"(,"name":)" NAME R"(,"orgId":)" ID R"(,"redirectUris":)" TEXTS          \
  R"(,"grants":{"type":"array","items":{"enum":["authorization_code","refresh_token"]}})" \
  R"(,"public":)" BOOL R"(,"accessTokenFormat":{"enum":["jwt","opaque"]})"
constexpr Schema kOfTokens[] = {
    {"SecurityClient", R"({"type":"object","required":[)" CLIENT_REQUIRED R"(],
      "additionalProperties":false,"properties":{)" CLIENT_FIELDS R"(}})"},
    // A public client has no secret.
    {"SecurityNewClient", R"({"type":"object","required":[)" CLIENT_REQUIRED R"(],
      "additionalProperties":false,"properties":{)" CLIENT_FIELDS R"(,"secret":)" NAME R"(}})"},
    {"SecurityToken", R"({"type":"object","required":["access_token","token_type","expires_in",
      "gestalt_access_token_href"],"additionalProperties":false,"properties":{
      "access_token":)" NAME R"(,"token_type":{"const":"bearer"},"expires_in":)" NUMBER R"(,
      "gestalt_access_token_href":{"type":"string","pattern":"^/accessTokens/"},
      "scope":)" NAME R"(,"refresh_token":)" NAME R"(,"id_token":)" NAME R"(,
      "issued_token_type":)" NAME R"(}})"},
    {"SecurityInspection", R"({"oneOf":[{"type":"object","required":["active"],
      "additionalProperties":false,"properties":{"active":{"const":false}}},
      {"type":"object","required":["active","username","sub","iss","exp","iat","jti",
      "gestalt_token_href","gestalt_org_id","gestalt_account","gestalt_groups","gestalt_rights"],
      "additionalProperties":false,"properties":{"active":{"const":true},"username":)" NAME R"(,
      "sub":{"type":"string","pattern":"^/accounts/"},"iss":)" URL R"(,"exp":)" NUMBER R"(,
      "iat":)" NUMBER R"(,"jti":)" ID R"(,
      "gestalt_token_href":{"type":"string","pattern":"^/accessTokens/"},"gestalt_org_id":)" ID
                           R"(,"gestalt_account":)" REF("Account") R"(,
      "gestalt_groups":)" LIST("Link") R"(,"gestalt_rights":)" LIST("Right") R"(,
      "scope":)" TEXTS R"(,"client_id":)" ID R"(,"gestalt_actors":)" TEXTS R"(,
      "extra_data":{"type":"object"}}}]})"},
    {"SecurityUserInfo", R"({"type":"object","required":["sub","preferred_username"],
      "additionalProperties":false,"properties":{"sub":)" ID R"(,"preferred_username":)" NAME R"(,
      "given_name":)" TEXT R"(,"family_name":)" TEXT R"(,"email":)" TEXT R"(}})"},
    {"SecurityKeySet", R"({"type":"object","required":["keys"],"additionalProperties":false,
      "properties":{"keys":{"type":"array","minItems":1,"items":{"type":"object",
      "required":["kty","crv","use","alg","kid","x","y"],"additionalProperties":false,
      "properties":{"kty":{"const":"EC"},"crv":{"const":"P-256"},"use":{"const":"sig"},
      "alg":{"const":"ES256"},"kid":)" NAME R"(,"x":)" NAME R"(,"y":)" NAME R"(}}}}})"},
    {"SecurityDiscovery", R"({"type":"object","required":["issuer","authorization_endpoint",
      "token_endpoint","jwks_uri","userinfo_endpoint","revocation_endpoint",
      "introspection_endpoint","response_types_supported","response_modes_supported",
      "grant_types_supported","code_challenge_methods_supported","subject_types_supported",
      "id_token_signing_alg_values_supported","token_endpoint_auth_methods_supported",
      "scopes_supported","claims_supported","authorization_response_iss_parameter_supported"],
      "additionalProperties":false,"properties":{"issuer":)" URL R"(,
      "authorization_endpoint":)" URL R"(,"token_endpoint":)" URL R"(,"jwks_uri":)" URL R"(,
      "userinfo_endpoint":)" URL R"(,"revocation_endpoint":)" URL R"(,
      "introspection_endpoint":)" URL R"(,"response_types_supported":)" TEXTS R"(,
      "response_modes_supported":)" TEXTS R"(,"grant_types_supported":)" TEXTS R"(,
      "code_challenge_methods_supported":)" TEXTS R"(,"subject_types_supported":)" TEXTS R"(,
      "id_token_signing_alg_values_supported":)" TEXTS R"(,
      "token_endpoint_auth_methods_supported":)" TEXTS R"(,"scopes_supported":)" TEXTS R"(,
      "claims_supported":)" TEXTS R"(,
      "authorization_response_iss_parameter_supported":{"const":true}}})"},
};

}  // namespace

std::vector<Schema> reply_schemas() {
  std::vector<Schema> out(std::begin(kOfRecords), std::end(kOfRecords));
  out.insert(out.end(), std::begin(kOfCalls), std::end(kOfCalls));
  out.insert(out.end(), std::begin(kOfTokens), std::end(kOfTokens));
  return out;
}

}  // namespace security
