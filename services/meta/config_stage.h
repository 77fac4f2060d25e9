// SPDX-License-Identifier: Apache-2.0
// Configuration of resources in the store: the levels from the root to a target, and what is in
// force there.
//
// Used by the config and env routes, the rules about configuration, what the launcher is told, and
// the check of changes.
#pragma once

#include <string_view>
#include <vector>

#include "common/store/store.h"
#include "services/meta/config/lattice.h"
#include "services/meta/resource.h"

namespace services::meta {

// Of the resources in `path`, root first.
base::Result<std::vector<config::Level>> read_levels(store::Reader& reader, std::string_view path);
// What selectors ask about a target: its own environment_type, location and labels.
config::Facts facts_of(const Resource& resource);
// In force for a resource: its ancestors' entries and its own.
base::Result<config::View> effective_config(store::Reader& reader, const Resource& target);

}  // namespace services::meta
