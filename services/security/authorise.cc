// SPDX-License-Identifier: Apache-2.0
// The stages Orgs and Authorizer: paths of organisations, and what a right reaches.
#include <algorithm>

#include "services/framework/host.h"
#include "services/security/model/names.h"
#include "services/security/service.h"

namespace security {

namespace {

using services::Caller;
using services::Decision;

// A narrowed token does what its scopes name, and everything with the scope `gestalt`.
bool scopes_allow(const Caller& caller, std::string_view right) {
  if (caller.scopes.empty()) return true;
  return std::any_of(caller.scopes.begin(), caller.scopes.end(), [&](const std::string& scope) {
    return scope == "gestalt" || matches_grant(scope, right).value_or(false);
  });
}

base::Result<std::string> root_id(store::Reader& reader) { return TRY(root_org(reader)).id; }

base::Error missing_right(std::string_view right) {
  return {base::Code::permission_denied,
          "Forbidden. API credentials did not correspond to the parent organization or the account "
          "did not have sufficient permissions (" +
              std::string(right) + ")",
          "right_missing"};
}

// The scopes where a subject is superuser.
base::Result<std::vector<std::string>> superuser_scopes(store::Reader& reader,
                                                        const std::vector<std::string>& subjects) {
  std::vector<std::string> out;
  for (const std::string& subject : subjects) {
    for (const RightRecord& right : TRY(find_by<RightRecord>(reader, "subject", subject))) {
      if (right.name != kSuperuser || right.value) continue;
      const auto app = TRY(find<AppRecord>(reader, right.app));
      if (app) out.push_back(app->service ? app->org : app->id);
    }
  }
  return out;
}

base::Result<Decision> judge(store::Reader& reader, const Caller& caller, std::string_view scope,
                             std::string_view right) {
  if (caller.is_internal()) return Decision{true, "the service acts by itself"};
  if (!scopes_allow(caller, right)) {
    return Decision{false, "the token's scopes do not include " + std::string(right)};
  }
  if (caller.holds(scope, right)) return Decision{true, "granted " + std::string(right)};
  if (caller.holds(scope, kSuperuser)) return Decision{true, "granted **"};
  const std::string root = TRY(root_id(reader));
  if (caller.holds(root, kSuperuser)) return Decision{true, "granted ** in root"};
  return Decision{false, "no right " + std::string(right) + " without a value, and no **"};
}

services::Org to_org(const OrgRecord& record) { return {record.id, record.fqon}; }

}  // namespace

base::Result<std::optional<services::Org>> Security::find_fqon(store::Reader& reader,
                                                               std::string_view fqon) {
  if (!is_fqon(fqon)) return std::optional<services::Org>();
  const std::string key(fqon);
  const bool may_keep = reader.is_snapshot();
  const std::uint64_t current = may_keep ? TRY(epoch(reader)) : 0;
  if (may_keep) {
    if (auto kept = orgs_.find(key, current, 0)) return kept;
  }
  const auto found = TRY(find_one<OrgRecord>(reader, "fqon", fqon));
  if (!found) return std::optional<services::Org>();
  if (may_keep) orgs_.put(key, current, to_org(*found), INT64_MAX);
  return std::optional(to_org(*found));
}

base::Result<std::optional<services::Org>> Security::find_id(store::Reader& reader,
                                                             std::string_view id) {
  const auto found = TRY(find<OrgRecord>(reader, id));
  return found ? std::optional(to_org(*found)) : std::nullopt;
}

base::Result<std::vector<services::Org>> Security::lineage(store::Reader& reader,
                                                           std::string_view id) {
  std::vector<services::Org> out;
  for (std::string at(id); !at.empty();) {
    const OrgRecord org = TRY(need_org(reader, at));
    out.push_back(to_org(org));
    at = org.parent;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

base::Result<Decision> Security::decide(store::Reader& reader, const services::Question& question,
                                        services::Call& call) {
  std::string scope = question.target.org.id;
  if (scope.empty()) scope = question.caller.org_id;
  const Decision decision = TRY(judge(reader, question.caller, scope, question.access.name()));
  if (call.explaining()) {
    base::Json held = base::Json::array();
    for (const services::Right& right : question.caller.rights) {
      held.push_back(
          {{"scope", right.scope_id}, {"grantName", right.name}, {"grantValue", right.value}});
    }
    call.explain("authorise", {{"right", question.access.name()},
                               {"scope", scope},
                               {"held", std::move(held)},
                               {"allowed", decision.allowed},
                               {"because", decision.because}});
  }
  return decision;
}

base::Result<void> Security::require(services::Call& call, std::string_view scope,
                                     std::string_view right) {
  const Decision decision = TRY(judge(call.read(), call.caller(), scope, right));
  if (!decision.allowed) return missing_right(right);
  return {};
}

base::Result<bool> Security::is_member(store::Reader& reader, const Caller& caller,
                                       std::string_view org) {
  if (caller.is_internal()) return true;
  if (caller.holds(TRY(root_id(reader)), kSuperuser)) return true;
  const auto account = TRY(find<AccountRecord>(reader, caller.account_id));
  const auto app = TRY(find_one<AppRecord>(reader, "service", org));
  if (!account || !app) return false;
  return belongs_to_app(reader, *account, app->id);
}

base::Result<void> Security::require_member(services::Call& call, std::string_view org) {
  if (TRY(is_member(call.read(), call.caller(), org))) return {};
  return missing_right("membership");
}

base::Result<void> Security::require_no_less(services::Call& call, std::string_view subject) {
  if (call.caller().is_internal()) return {};
  std::vector<std::string> subjects = TRY(groups_of(call.read(), subject));
  subjects.emplace_back(subject);
  for (const std::string& scope : TRY(superuser_scopes(call.read(), subjects))) {
    const Decision decision = TRY(judge(call.read(), call.caller(), scope, kSuperuser));
    if (!decision.allowed) return missing_right("** that the other one has");
  }
  return {};
}

base::Result<void> Security::require_superuser_if(services::Call& call, std::string_view grant,
                                                  const AppRecord& app) {
  if (grant != kSuperuser) return {};
  return require(call, app.service ? app.org : app.id, kSuperuser);
}

}  // namespace security
