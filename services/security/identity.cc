// SPDX-License-Identifier: Apache-2.0
// The Identity stage: from what a request presents to a Caller, through the cache.
#include <algorithm>

#include <map>

#include "common/rest/auth.h"
#include "common/sys/tls.h"
#include "services/framework/host.h"
#include "services/security/service.h"
#include "services/security/token/secret_token.h"

namespace security {

namespace {

constexpr std::string_view kEpochKey = "epoch";
constexpr std::string_view kRootUser = "uid:0";

base::Error refused() {
  return {base::Code::unauthenticated, "the credentials are not valid", "credentials_invalid"};
}

}  // namespace

std::int64_t seconds_of(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

base::Result<std::uint64_t> epoch(store::Reader& reader) {
  const auto record = TRY(reader.find(Stored<StateRecord>::collection(), kEpochKey));
  return record ? record->version : 0;
}

base::Result<void> touch_epoch(store::Writer& writer) {
  return put(writer, StateRecord{.key = std::string(kEpochKey)});
}

base::Result<std::shared_ptr<services::Caller>> Security::caller_of(store::Reader& reader,
                                                                    std::string_view id) {
  const AccountRecord account = TRY(need_account(reader, id));
  if (account.disabled) return refused();
  auto caller = std::make_shared<services::Caller>();
  caller->account_id = account.id;
  caller->name = account.username;
  caller->group_ids = TRY(groups_of(reader, account.id));
  std::vector<std::string> subjects = caller->group_ids;
  subjects.push_back(account.id);
  std::map<std::string, std::string> scopes;  // app → what its rights are rights in
  for (const std::string& subject : subjects) {
    for (const RightRecord& right : TRY(find_by<RightRecord>(reader, "subject", subject))) {
      auto [scope, is_new] = scopes.try_emplace(right.app);
      if (is_new) {
        const auto app = TRY(find<AppRecord>(reader, right.app));
        if (app) scope->second = app->service ? app->org : app->id;
      }
      // Between rights with and without a value the empty text is no difference elsewhere; here an
      // empty value is a value, so it is left out rather than taken for none.
      if (right.value && right.value->empty()) continue;
      caller->rights.insert({scope->second, right.name, right.value.value_or("")});
    }
  }
  return caller;
}

base::Result<Principal> Security::principal_of_key(store::Reader& reader, const std::string& id,
                                                   std::string_view secret) {
  const auto key = TRY(find<ApiKeyRecord>(reader, id));
  if (!key || key->disabled || !base::equal_constant_time(key->secret_sha256, token_hash(secret))) {
    return refused();
  }
  auto caller = caller_of(reader, key->account);
  if (!caller) return refused();
  (*caller)->org_id = key->org;
  (*caller)->credential = services::CredentialKind::api_key;
  (*caller)->credential_id = key->id;
  return Principal{.caller = *caller, .expires = INT64_MAX};
}

base::Result<Principal> Security::principal_of_token(store::Reader& reader, std::string_view token,
                                                     std::int64_t now) {
  std::string key;
  if (looks_like_jwt(token)) {
    const auto keys = TRY(key_set(reader));
    const auto claims = keys->verify(
        token, {.type = kAccessTokenType, .issuer = config_.issuer, .audience = {}, .now = now});
    if (!claims || !claims->contains("jti") || !(*claims)["jti"].is_string()) return refused();
    // What was signed is also in the store, so that it can be revoked.
    key = token_hash((*claims)["jti"].get_ref<const std::string&>());
  } else {
    if (token_kind(token) != TokenKind::access) return refused();
    key = token_hash(token);
  }
  const auto record = TRY(find<TokenRecord>(reader, key));
  if (!record || record->kind != "access" || record->expires <= now) return refused();
  auto caller = caller_of(reader, record->account);
  if (!caller) return refused();
  (*caller)->org_id = record->org;
  (*caller)->credential = services::CredentialKind::token;
  (*caller)->credential_id = record->id;
  (*caller)->on_behalf = record->actors;
  (*caller)->scopes = record->scopes;
  return Principal{.caller = *caller, .expires = record->expires};
}

base::Result<Principal> Security::read_principal(store::Reader& reader,
                                                 std::string_view authorization, std::int64_t now) {
  const rest::PresentedToken shown = TRY(rest::parse_authorization(std::string(authorization)));
  if (!shown.id.empty()) return principal_of_key(reader, shown.id, shown.token.reveal());
  return principal_of_token(reader, shown.token.reveal(), now);
}

base::Result<services::CallerPtr> Security::authenticate(store::Reader& reader,
                                                         const services::Presented& shown) {
  const std::int64_t now = seconds_of(host_->clock().wall());
  if (shown.authorization.empty()) {
    if (!shown.peer_uid || *shown.peer_uid != 0) {
      return base::Error{base::Code::unauthenticated, "no credentials were presented",
                         "credentials_missing"};
    }
    const std::uint64_t current = TRY(epoch(reader));
    if (auto cached = TRY(callers_.find(reader, std::string(kRootUser), current, now))) {
      return *std::move(cached);
    }
    const auto state = TRY(find<StateRecord>(reader, "admin"));
    if (!state) {
      TRY(root_org(reader));
      return refused();
    }
    auto caller = TRY(caller_of(reader, state->value));
    caller->credential = services::CredentialKind::peer;
    caller->credential_id = kRootUser;
    caller->org_id = TRY(root_org(reader)).id;
    callers_.put(std::string(kRootUser), current, caller, INT64_MAX);
    return services::CallerPtr(std::move(caller));
  }
  const std::string hash = sys::sha256(shown.authorization);
  const std::uint64_t current = TRY(epoch(reader));
  if (auto cached = TRY(callers_.find(reader, hash, current, now))) return *std::move(cached);
  base::Result<Principal> principal = read_principal(reader, shown.authorization, now);
  if (!principal) {
    // Before the first boot nobody can be known, which is another thing than being unknown.
    if (principal.error().code == base::Code::unauthenticated) TRY(root_org(reader));
    return std::move(principal).error();
  }
  callers_.put(hash, current, principal->caller, principal->expires);
  return principal->caller;
}

}  // namespace security
