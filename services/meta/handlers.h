// SPDX-License-Identifier: Apache-2.0
// The handlers that rows of several tables of meta share.
#pragma once

#include "services/meta/work.h"

namespace services::meta {

// ---- any resource (resource_handlers.cc)
base::Result<Reply> list_resources(Meta& meta, Call& call);
base::Result<Reply> show_resource(Meta& meta, Call& call);
// Hashes the password of somebody new.
base::Result<void> prepare_user(Meta& meta, Call& call);
base::Result<Reply> make_resource(Meta& meta, Call& call);
base::Result<Reply> put_resource(Meta& meta, Call& call);
base::Result<Reply> alter_resource(Meta& meta, Call& call);
base::Result<Reply> remove_resource(Meta& meta, Call& call);

// ---- containers (container_changes.cc)
base::Result<Reply> scale_container(Meta& meta, Call& call);
base::Result<Reply> migrate_container(Meta& meta, Call& call);
base::Result<Reply> promote_container(Meta& meta, Call& call);
// The container, and what is done where it goes.
base::Result<Target> resolve_migration(Meta& meta, Call& call);
base::Result<Target> resolve_promotion(Meta& meta, Call& call);
// What a call that changed containers answers: the header Gestalt-Task leads to the task that makes
// it so; with `Prefer: respond-async` the answer is 202 and the task itself.
base::Result<Reply> with_task(Call& call, Reply reply);

// The name by which the operator's configuration knows the provider of these properties of a
// container, or why there is none.
struct ProviderName {
  std::string name;
  std::string problem;
};
// A provider of some organisation's own does not pass for the operator's of the same name.
base::Result<ProviderName> provider_name(store::Reader& reader, const base::Json& properties);

// ---- POST of an item with ?action= (action_handlers.cc)
base::Result<Reply> act_on_resource(Meta& meta, Call& call);
void add_action_runner(Meta& meta, Host& host);

// ---- entitlements (entitlement_handlers.cc)
base::Result<Reply> list_entitlements(Meta& meta, Call& call);
base::Result<Reply> show_entitlement(Meta& meta, Call& call);
base::Result<Reply> put_entitlement(Meta& meta, Call& call);

// ---- by criteria, ?NAME=VALUE (search.cc)
base::Result<Reply> search_identities(Meta& meta, Call& call);
base::Result<Reply> search_type(Meta& meta, Call& call);

// ---- groups and who is in them (member_handlers.cc)
base::Result<Reply> list_members(Meta& meta, Call& call);
base::Result<Reply> list_groups_of_user(Meta& meta, Call& call);
base::Result<Reply> add_members(Meta& meta, Call& call);
base::Result<Reply> remove_members(Meta& meta, Call& call);

// Adds the rows of each part to the table.
void add_resource_rows(Meta& meta, ActionTable& table);
void add_special_rows(Meta& meta, ActionTable& table);
void add_type_rows(Meta& meta, ActionTable& table);
void add_entitlement_rows(Meta& meta, ActionTable& table);
void add_any_rows(Meta& meta, ActionTable& table);       // any_handlers.cc
void add_provider_rows(Meta& meta, ActionTable& table);  // provider_handlers.cc

}  // namespace services::meta
