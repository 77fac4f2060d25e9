// SPDX-License-Identifier: Apache-2.0
// Who calls and what is called upon: a caller, an organisation, the target of an action.
//
// Made by the Identity and Orgs stages (security); read by every stage, handler and rule.
// 1. A Caller is immutable and shared: the Identity stage hands out the same one from its cache.
// 2. `anonymous()` has no account; only rows whose access is `anonymous` see it.
#pragma once

#include <compare>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace services {

enum class CredentialKind { none, api_key, token, peer, internal };
std::string_view credential_name(CredentialKind kind);

// A right as the original has it: granted within an organisation's (or an app's) scope.
struct Right {
  std::string scope_id;  // id of the organisation or app it was granted in
  std::string name;      // "createOrg", "event:orders:read", with the wildcards of services.md 6.3
  std::string value;
  friend auto operator<=>(const Right&, const Right&) = default;
};

struct Caller {
  std::string account_id;  // empty for anonymous and internal callers
  std::string name;        // user name; "anonymous"; "internal:SERVICE"
  std::string org_id;      // the organisation of the credential
  std::vector<std::string> group_ids;
  std::set<Right> rights;  // who has made thousands of organisations has as many
  CredentialKind credential = CredentialKind::none;
  std::string credential_id;           // of the API key or token, never the secret
  std::vector<std::string> on_behalf;  // token exchange: account ids, who acts first
  std::vector<std::string> scopes;     // of a narrowed token; empty means not narrowed

  // Granted without a value.
  bool holds(std::string_view scope_id, std::string_view right) const {
    return rights.contains({std::string(scope_id), std::string(right), ""});
  }
  bool is_anonymous() const { return credential == CredentialKind::none; }
  bool is_internal() const { return credential == CredentialKind::internal; }
};
using CallerPtr = std::shared_ptr<const Caller>;  // shared: cache and calls under way

CallerPtr anonymous_caller();
// A service acting by itself (timers, synchronisation): passes every authorisation, is audited.
CallerPtr internal_caller(std::string_view service);

struct Org {
  std::string id;
  std::string fqon;  // "root", "acme.eng"
};

// An action by the name that rules, the gate and freezes know, and whose it is.
struct Deed {
  Org org;
  std::string action;
};

// What an action is done to. Without a resource the organisation itself is the target.
struct Target {
  Org org;                  // empty when the action has none (POST /oauth/issue)
  std::string resource_id;  // "" or the id of an environment, a channel, …
  std::string type;         // the resource's type when the resolver knows it
  // What the call is called when its row serves resources of several types: instead of the row's
  // name, and of its entitlement, everywhere. Empty: the row's.
  std::string action = {};
  // What the call does besides, maybe in other organisations: promoting a container makes one where
  // it leads. The gate asks for each of them as for the call itself.
  std::vector<Deed> also = {};
};

}  // namespace services
