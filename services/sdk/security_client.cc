// SPDX-License-Identifier: Apache-2.0
#include "services/sdk/security_client.h"

#include <algorithm>

#include "common/base/json.h"
#include "common/base/text.h"
#include "common/rest/auth.h"
#include "common/sys/tls.h"

namespace sdk {

namespace {

constexpr std::chrono::seconds kCacheMost{30};
constexpr std::chrono::seconds kRefusedFor{1};

base::Error refused() {
  return {base::Code::unauthenticated, "the credentials are not valid", "credentials_invalid"};
}

std::string member(const base::Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
}

void read_lists(const base::Json& groups, const base::Json& rights, Principal& out) {
  for (const base::Json& each : groups) {
    if (each.is_object()) out.group_ids.push_back(member(each, "id"));
  }
  for (const base::Json& each : rights) {
    if (!each.is_object()) continue;
    security::Grant grant{member(each, "grantName"), {}};
    if (each.contains("grantValue")) grant.value = member(each, "grantValue");
    out.rights.push_back(std::move(grant));
  }
}

base::Result<Principal> read_principal(const base::Json& json, const char* account,
                                       const char* groups, const char* rights, const char* org) {
  const auto found = json.find(account);
  if (found == json.end() || !found->is_object()) return refused();
  Principal out;
  out.account_id = member(*found, "id");
  out.username = member(*found, "username");
  out.org_id = member(json, org);
  read_lists(json.value(groups, base::Json::array()), json.value(rights, base::Json::array()), out);
  if (out.account_id.empty()) return refused();
  return out;
}

}  // namespace

base::Result<void> Principal::require(std::string_view right) const {
  if (security::has_matching_grant(rights, right)) return {};
  return base::Error{base::Code::permission_denied, username + " lacks " + std::string(right),
                     "right_missing"};
}

SecurityClient::SecurityClient(Options options) : options_(std::move(options)) {
  options_.cache_for = std::min(options_.cache_for, kCacheMost);
  while (options_.url.ends_with('/')) options_.url.pop_back();
}

base::Result<Principal> SecurityClient::authenticate(std::string_view authorization) {
  if (authorization.empty()) {
    return base::Error{base::Code::unauthenticated, "no credentials were presented",
                       "credentials_missing"};
  }
  const std::string key = sys::sha256(authorization);
  const base::Instant now = options_.clock->now();
  if (const auto at = cache_.find(key); at != cache_.end() && now < at->second.until) {
    return at->second.outcome;
  }
  base::Result<Principal> outcome = ask(authorization);
  // A service that does not answer is asked again by the next call.
  if (!outcome && outcome.error().code != base::Code::unauthenticated) return outcome;
  if (cache_.size() >= options_.cache_max) cache_.clear();
  const std::chrono::seconds kept = outcome ? options_.cache_for : kRefusedFor;
  cache_.insert_or_assign(key, Entry{outcome, now + kept});
  return outcome;
}

base::Result<sys::HttpReply> SecurityClient::post(const std::string& path,
                                                  const std::string& authorization,
                                                  const std::string& form) {
  sys::HttpCall call;
  call.method = "POST";
  call.url = options_.url + path;
  call.ca_file = options_.ca_file;
  call.headers["Authorization"] = authorization;
  call.headers["Accept"] = "application/json";
  if (!form.empty()) {
    call.headers["Content-Type"] = "application/x-www-form-urlencoded";
    call.body = form;
  }
  return http_.send(call);
}

base::Result<Principal> SecurityClient::ask(std::string_view authorization) {
  const auto shown = rest::parse_authorization(std::string(authorization));
  if (!shown) return refused();
  const bool is_key = !shown->id.empty();
  const std::string own = "Basic " + base::to_base64url(options_.api_key + ":" +
                                                        std::string(options_.api_secret.reveal()));
  const std::string form =
      is_key ? std::string() : "token=" + base::percent_encode(shown->token.reveal());
  const sys::HttpReply reply = TRY(
      post(is_key ? "/auth" : "/oauth/inspect", is_key ? std::string(authorization) : own, form));
  if (reply.status == 401 || reply.status == 403) return refused();
  const auto json = base::parse_json(reply.body);
  if (reply.status != 200 || !json || !json->is_object()) {
    return base::Error{base::Code::unavailable,
                       "the security service answered " + std::to_string(reply.status),
                       "remote_refused"};
  }
  if (is_key) return read_principal(*json, "account", "groups", "rights", "orgId");
  if (!json->contains("active") || (*json)["active"] != true) return refused();
  return read_principal(*json, "gestalt_account", "gestalt_groups", "gestalt_rights",
                        "gestalt_org_id");
}

}  // namespace sdk
