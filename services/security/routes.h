// SPDX-License-Identifier: Apache-2.0
// The action tables of the security service, one per family of resources.
//
// Used by service.cc.
#pragma once

#include "services/security/service.h"

namespace security {

void add_org_actions(services::ActionTable& table, Security& self);
void add_directory_actions(services::ActionTable& table, Security& self);
void add_account_actions(services::ActionTable& table, Security& self);
void add_app_actions(services::ActionTable& table, Security& self);
void add_right_actions(services::ActionTable& table, Security& self);
void add_token_actions(services::ActionTable& table, Security& self);

// What several tables share.
base::Result<services::Target> target_of_org(store::Reader& reader, std::string_view org);
base::Result<services::Target> resolve_app(Security& self, services::Call& call);
base::Result<services::Target> resolve_account(Security& self, services::Call& call);
base::Result<services::Target> resolve_group(Security& self, services::Call& call);
base::Result<services::Target> resolve_directory(Security& self, services::Call& call);
base::Result<services::Target> resolve_own_org(Security& self, services::Call& call);

// The app of a call: {app} of its path, or the service app of its organisation.
base::Result<AppRecord> app_of(services::Call& call);
services::Reply ok(const base::Json& value);
services::Reply created(const base::Json& value, std::string_view collection);
services::Reply was_deleted(bool deleted);

// {grantName, grantValue?}
base::Result<NewRight> read_right(const base::Json& json, const std::string& pointer);

// What a new account is asked to be; the hash is made in `prepare`.
struct NewAccount {
  AccountRecord record;
  std::vector<std::string> groups;
  std::vector<NewRight> rights;
};
base::Result<NewAccount> read_account(const base::Json& body);
// `credential.password` of a body, if any. Errors: invalid_argument credential_invalid.
base::Result<std::optional<base::Secret>> read_password(const base::Json& body);
// A prepare step: hashes the password of the body and keeps std::string.
base::Result<void> prepare_password(Security& self, services::Call& call);

}  // namespace security
