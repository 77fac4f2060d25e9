// SPDX-License-Identifier: Apache-2.0
// Changes to what security keeps, each whole within the caller's transaction.
//
// Used by the handlers of services/security, the first boot and the adapters' synchronisation.
// 1. Names are unique where they are looked up: organisations below a parent, accounts by username,
// e-mail and phone within a directory, groups within a directory, rights by subject and app.
// 2. Removing something removes what hangs on it: members, rights, keys with their children,
// tokens, account stores, sub-organisations.
// Threads: that of the writer. Errors: invalid_argument, already_exists, failed_precondition with
// the reasons named below; those of lookup.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "services/security/core/lookup.h"
#include "services/security/model/patch.h"

namespace security {

struct NewRight {
  std::string name = {};
  std::optional<std::string> value = {};
};

struct NewOrg {
  std::string name = {};
  std::optional<std::string> description = {};
  bool default_users = false;   // a directory and a group of its own
  bool inherit_parent = false;  // the parent's account stores and rights, copied
};
// `creator` becomes the first of the new organisation's admins, unless it inherits. Errors:
// name_taken, name_invalid, org_invalid.
base::Result<OrgRecord> create_org(store::Writer& writer, base::Rng& rng, const OrgRecord& parent,
                                   const AccountRecord& creator, const NewOrg& wanted);
// The ids of the groups that came with it and what stands below it, and are gone. Errors:
// invalid_argument root_org_kept.
base::Result<std::vector<std::string>> delete_org(store::Writer& writer, const OrgRecord& org);

base::Result<DirectoryRecord> create_directory(store::Writer& writer, DirectoryRecord wanted);
base::Result<void> delete_directory(store::Writer& writer, const DirectoryRecord& directory);

// Checks and writes a new account of a directory. Errors: name_taken, email_taken, phone_taken.
base::Result<void> create_account(store::Writer& writer, AccountRecord& account);
base::Result<void> patch_account(store::Writer& writer, AccountRecord& account,
                                 std::span<const PatchOp> ops,
                                 const std::optional<std::string>& new_hash);
base::Result<void> delete_account(store::Writer& writer, const AccountRecord& account);
// Its tokens go; its keys stay but serve nobody while it is disabled.
base::Result<void> set_disabled(store::Writer& writer, AccountRecord account, bool disabled);

base::Result<void> create_group(store::Writer& writer, GroupRecord& group);
base::Result<void> patch_group(store::Writer& writer, GroupRecord& group,
                               std::span<const PatchOp> ops);
base::Result<void> delete_group(store::Writer& writer, const GroupRecord& group);
base::Result<void> add_member(store::Writer& writer, const GroupRecord& group,
                              const AccountRecord& account);
base::Result<bool> remove_member(store::Writer& writer, std::string_view group,
                                 std::string_view account);

base::Result<AppRecord> create_app(store::Writer& writer, AppRecord wanted);
base::Result<void> delete_app(store::Writer& writer, const AppRecord& app);

// Errors: account_store_exists, default_store_set, account_store_invalid.
base::Result<void> create_store(store::Writer& writer, const StoreRecord& store);
base::Result<void> patch_store(store::Writer& writer, StoreRecord& store,
                               std::span<const PatchOp> ops);

// Errors: right_exists, grant_invalid.
base::Result<RightRecord> add_right(store::Writer& writer, base::Rng& rng, std::string_view app,
                                    std::string_view subject, bool for_group,
                                    const NewRight& wanted);
base::Result<void> patch_right(store::Writer& writer, RightRecord& right,
                               std::span<const PatchOp> ops);

// The secret is returned once and stored as its hash.
struct MadeKey {
  ApiKeyRecord record;
  base::Secret secret;
};
base::Result<MadeKey> create_api_key(store::Writer& writer, base::Rng& rng, std::int64_t now,
                                     std::string_view account, std::string_view org,
                                     std::string_view parent);
// With its children and all tokens made with any of them.
base::Result<void> delete_api_key(store::Writer& writer, const ApiKeyRecord& key);

}  // namespace security
