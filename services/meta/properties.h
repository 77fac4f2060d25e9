// SPDX-License-Identifier: Apache-2.0
// Properties of a resource against its type: what is missing, unknown or of the wrong kind.
//
// Used when resources are created, replaced and patched. Pure.
// Errors: invalid_argument property_missing, property_unknown, property_invalid, property_sealed,
// each with a pointer "/properties/NAME".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/meta/type.h"

namespace services::meta {

bool is_uuid(std::string_view text);

// Checks what a client sent, drops what only meta sets, and fills in defaults.
base::Result<base::Json> accept_new(const ResourceType& type, const base::Json& sent);

// As accept_new, for a resource that has `current` properties: those set by meta stay as they are,
// encrypted ones that come back masked keep their value, sealed ones may not change.
base::Result<base::Json> accept_change(const ResourceType& type, const base::Json& current,
                                       const base::Json& sent);

inline constexpr std::string_view kMask = "********";
// Replaces encrypted values with the mask.
base::Json masked(const ResourceType& type, base::Json properties);

// A link of the graph: a property that leads to another resource.
struct Edge {
  std::string property;
  std::string target;
  OnDelete on_delete = OnDelete::restricted;
};
std::vector<Edge> edges_of(const ResourceType& type, const base::Json& properties);

// `properties` without what leads to `target` through `property`.
base::Json without_link(base::Json properties, std::string_view property, std::string_view target);

}  // namespace services::meta
