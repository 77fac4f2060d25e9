// SPDX-License-Identifier: Apache-2.0
// Entitlements: who may do what to a resource, computed along the way to the root.
//
// Used by the Authorizer stage, the entitlement routes and lists.
// 1. Only explicit grants are stored: for a resource and an action the ids of people and groups.
// The nearest resource with a grant for the action decides, whether it allows or not.
// 2. Where no grant stands, a resource's owner may do everything to it and below it.
// 3. A superuser of an organisation (right `**` there) passes for all that stands in it or below.
// 4. A grant taken away above is taken away below, as nothing is copied.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/store.h"
#include "services/framework/caller.h"
#include "services/framework/stages.h"
#include "services/meta/catalogue.h"
#include "services/meta/resource.h"

namespace services::meta {

// Whether `id` is the caller or a group of his.
bool names(const Caller& caller, std::string_view id);

struct Level {
  std::string id;
  std::string owner;
  std::string name;
};
// A resource's ancestors and itself, the resource first.
base::Result<std::vector<Level>> levels_of(store::Reader& reader, std::string_view id);

// The explicit grant at a resource, nullopt when there is none.
base::Result<std::optional<std::vector<std::string>>> find_grant(store::Reader& reader,
                                                                 std::string_view resource,
                                                                 std::string_view action);
// An empty list is a grant too: nobody.
base::Result<void> put_grant(store::Writer& writer, std::string_view resource,
                             std::string_view action, const std::vector<std::string>& identities);

base::Result<Decision> is_entitled(store::Reader& reader, const Caller& caller,
                                   std::string_view resource, std::string_view action);

// Internal callers may. Errors: permission_denied entitlement_missing, with why it is refused.
base::Result<void> need_entitlement(store::Reader& reader, const Caller& caller,
                                    std::string_view resource, std::string_view action);

// Whom the entitlement names in the end: the deciding grant, and the owners up to it.
base::Result<std::vector<std::string>> effective_identities(store::Reader& reader,
                                                            const std::vector<Level>& levels,
                                                            std::string_view action);

// The id of the entitlement for an action on a resource; the same whether it is granted or not.
std::string entitlement_id(std::string_view resource, std::string_view action);

}  // namespace services::meta
