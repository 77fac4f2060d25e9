// SPDX-License-Identifier: Apache-2.0
// What must hold for a resource that is about to be written, and what is written beside it.
//
// Used by the changes of meta only.
#pragma once

#include <vector>

#include "services/meta/config/lattice.h"
#include "services/meta/work.h"

namespace services::meta {

// Links lead to resources that there are, of the type that the property refers to. Errors:
// invalid_argument link_unknown.
base::Result<void> check_links(const Work& work, const Resource& resource,
                               const ResourceType& type);
// Its configuration can be read and sets nothing that is final above. Errors: config_invalid,
// config_final.
base::Result<void> check_config(const Work& work, const Resource& resource);
// The configuration that it says keeps to the rules of its place and of all above; the verdict is
// explained and audited. In policy_stage.cc. Errors: failed_precondition policy_denied.
base::Result<void> check_config_rules(const Work& work, const Resource& resource,
                                      const std::vector<config::Entry>& own);
// Whether counts are of what is there, or of what will be with one more.
enum class Adds { none, one };
// What a call does elsewhere than at its target, or with other values than its body has: neither is
// known to the stage, which judges calls before they are carried out.
struct Elsewhere {
  std::string_view place;            // the rules of this resource and of all above it count
  std::vector<std::string> actions;  // by any of these names
  Adds adds = Adds::none;
  std::string_view but = {};  // a path: rules of resources in it are left out
};
// The limit rules there. In policy_stage.cc. Errors: failed_precondition policy_denied.
base::Result<void> check_rules_at(const Work& work, const Elsewhere& elsewhere,
                                  const base::Json& payload);
// Who gives a container another provider than `before` (properties; null for a new one) may see
// it. Errors: permission_denied entitlement_missing.
base::Result<void> check_provider(const Work& work, const base::Json& before, const Resource& next);
// Somebody who may own a resource: a person or a group. Errors: invalid_argument owner_unknown.
base::Result<Link> find_owner(const Work& work, std::string_view id);
// The rule's record beside its resource, by which policy finds it; nothing for other types. Errors:
// rule_invalid.
base::Result<void> write_rule(const Work& work, const Resource& resource);
base::Result<void> drop_rule(const Work& work, const Stored& stored);
// A resource that defines a type: the catalogue with it can be made. Errors: type_invalid.
base::Result<void> write_type(const Work& work, const Resource& resource);

}  // namespace services::meta
