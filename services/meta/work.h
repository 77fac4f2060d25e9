// SPDX-License-Identifier: Apache-2.0
// What a handler of meta works with: the call, the catalogue, and the place that its path names.
//
// Used by the handlers and changes of meta.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "services/meta/service.h"

namespace services::meta {

struct Work {
  Meta& meta;
  Call& call;
  std::shared_ptr<const Catalogue> types;

  static base::Result<Work> begin(Meta& meta, Call& call);
  // The type of a stored resource. Errors: corrupt type_gone.
  base::Result<const ResourceType*> type_of(const Header& header) const;
  std::string now() const;
  Act act(std::string action) const;
  // The caller as a link, without an id for services acting by themselves.
  Link actor() const;
};

// The collection that a row's path ends with, or the one that a parameter {kind}/{child} names;
// empty when there is none. `/orgs/{org}/environments/{parent}/containers` gives "containers".
std::string collection_of(const Call& call);
// The parameter, or "" when the row's path has none of that name.
std::string_view parameter_or_empty(const Call& call, std::string_view name);

// What a row's path names: {id} below {parent} below the organisation. Target::resource_id is the
// resource, or the parent, or the organisation. Errors: not_found resource_unknown.
base::Result<Target> resolve_target(Meta& meta, Call& call);
// The same for what surrounds a resource (its history, its entitlements): also through {kind} rows
// of collections that have rows of their own.
base::Result<Target> resolve_around(Meta& meta, Call& call);
// Likewise, of a row whose name does not say what is done to which type: the gate is told.
base::Result<Target> resolve_named(Meta& meta, Call& call);

// The JSON text that clients see of a stored resource: encrypted values masked.
base::Result<std::string> shown(const Work& work, const Stored& stored);
base::Result<Link> link_of(const Work& work, const Stored& stored);

}  // namespace services::meta
