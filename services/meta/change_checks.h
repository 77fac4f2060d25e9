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
// The limit rules about making a `type` at the resource `place`, for calls that make something
// elsewhere than at their target, which the stage has judged. In policy_stage.cc. Errors:
// failed_precondition policy_denied.
base::Result<void> check_creation_rules(const Work& work, std::string_view place,
                                        const ResourceType& type, const base::Json& payload);
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
