// SPDX-License-Identifier: Apache-2.0
#include "tests/support/services/fake_security.h"

namespace services::test {

using base::Code;
using base::Error;
using base::Result;

Result<CallerPtr> FakeSecurity::authenticate(store::Reader&, const Presented& shown) {
  if (shown.peer_uid) {
    if (*shown.peer_uid == 0) return internal_caller("node");
    return Error{Code::unauthenticated, "this user has no account", "credentials_invalid"};
  }
  if (!shown.authorization.starts_with("Bearer ") || shown.authorization == "Bearer wrong") {
    return Error{Code::unauthenticated, "the credentials are not valid", "credentials_invalid"};
  }
  Caller caller;
  caller.account_id = caller.name = shown.authorization.substr(7);
  caller.credential = CredentialKind::token;
  for (const std::string& each : granted) {
    const std::size_t slash = each.find('/');
    const std::size_t at = each.find('@');
    if (at == std::string::npos || each.substr(0, slash) != caller.name) continue;
    caller.rights.insert({each.substr(at + 1), each.substr(slash + 1, at - slash - 1), ""});
    if (caller.org_id.empty()) caller.org_id = each.substr(at + 1);
  }
  return std::make_shared<const Caller>(std::move(caller));
}

Result<CallerPtr> FakeSecurity::renew(store::Reader&, const Caller& then) {
  if (gone.contains(then.account_id)) {
    return Error{Code::unauthenticated, "the account is gone", "caller_gone"};
  }
  return std::make_shared<const Caller>(then);
}

Result<std::optional<Org>> FakeSecurity::find_fqon(store::Reader&, std::string_view fqon) {
  if (fqon == "root") return std::optional<Org>(Org{kRootId, "root"});
  if (fqon == "acme") return std::optional<Org>(Org{kAcmeId, "acme"});
  return std::optional<Org>();
}

Result<std::optional<Org>> FakeSecurity::find_id(store::Reader& reader, std::string_view id) {
  if (id == kRootId) return find_fqon(reader, "root");
  if (id == kAcmeId) return find_fqon(reader, "acme");
  return std::optional<Org>();
}

Result<std::vector<Org>> FakeSecurity::lineage(store::Reader&, std::string_view id) {
  if (id == kRootId) return std::vector<Org>{{kRootId, "root"}};
  return std::vector<Org>{{kRootId, "root"}, {kAcmeId, "acme"}};
}

Result<Decision> FakeSecurity::decide(store::Reader&, const Question& question, Call&) {
  const std::string wanted = question.caller.name + "/" + std::string(question.access.name());
  const bool allowed = granted.contains(wanted) || granted.contains(question.caller.name + "/*") ||
                       granted.contains(wanted + "@" + question.target.org.id);
  return Decision{allowed, allowed ? "granted by the test" : "not granted by the test"};
}

}  // namespace services::test
