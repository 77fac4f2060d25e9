// SPDX-License-Identifier: Apache-2.0
// Changes to resources, each whole within the call's transaction: create, replace, patch, delete,
// restore.
//
// Used by the handlers of meta and by the synchronisation with security.
// 1. A change writes the resource, its history, its counts, its rules and its event together.
// 2. A resource's parent never changes; an organisation's name neither, as it is an address.
// 3. Deleting asks links for permission: restrict refuses, nullify takes the link away, cascade
// deletes the holder.
// Errors: those of properties.h, resource.h, tree.h, rule.h and lattice.h; failed_precondition
// children_left, link_held, parent_fixed, org_name_fixed; invalid_argument link_unknown,
// type_abstract, parent_unfit.
#pragma once

#include <string>
#include <string_view>

#include "services/meta/work.h"

namespace services::meta {

// A resource under `parent`. `type` is that of the address; the body may name one that extends it.
base::Result<Stored> create_resource(const Work& work, const Stored& parent,
                                     const ResourceType& type, const Input& input);

// What a change rests on: If-Match is compared with it, and ETag set.
base::Result<Stored> replace_resource(const Work& work, const Stored& before, const Input& input);
base::Result<Stored> patch_resource(const Work& work, const Stored& before,
                                    const base::Json& patch);
// Writes properties that clients cannot: states and what meta itself knows.
base::Result<Stored> rewrite_resource(const Work& work, const Stored& before, Resource next,
                                      std::string verb);

enum class Force { no, yes };
base::Result<void> delete_resource(const Work& work, const Stored& before, Force force);
// As it was in `version`; also after it was deleted, while its parent is there.
base::Result<Stored> restore_resource(const Work& work, std::string_view id, std::uint64_t version);

// "meta.container.created" and the resource.
base::Result<void> emit_change(const Work& work, const Resource& resource, const ResourceType& type,
                               std::string_view what);

// The body of a request as an Input whose type is known. Errors: those of read_input; type_unknown,
// type_unfit.
base::Result<const ResourceType*> input_type(const Work& work, const ResourceType& of_address,
                                             const Input& input);

}  // namespace services::meta
