// SPDX-License-Identifier: Apache-2.0
// Questions to the store: what exists, who belongs to what, who has which rights.
//
// Used by the handlers and stages of services/security; everything reads one snapshot.
// 1. An account belongs to an app when one of the app's account stores holds it: its directory, or
// a group it is in. It belongs to an organisation when it belongs to the organisation's own app.
// 2. A disabled account belongs to nothing, and a disabled group gives nothing.
// Threads: that of the reader. Errors: not_found *_unknown; those of the store.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "services/security/api/grant.h"
#include "services/security/data/records.h"

namespace security {

base::Result<OrgRecord> need_org(store::Reader& reader, std::string_view id);
base::Result<DirectoryRecord> need_directory(store::Reader& reader, std::string_view id);
base::Result<AccountRecord> need_account(store::Reader& reader, std::string_view id);
base::Result<GroupRecord> need_group(store::Reader& reader, std::string_view id);
base::Result<AppRecord> need_app(store::Reader& reader, std::string_view id);
base::Result<StoreRecord> need_store(store::Reader& reader, std::string_view id);
base::Result<RightRecord> need_right(store::Reader& reader, std::string_view id);
// The app whose rights are the organisation's own.
base::Result<AppRecord> service_app(store::Reader& reader, std::string_view org);
base::Result<OrgRecord> root_org(store::Reader& reader);

// The organisation that owns something.
base::Result<std::string> org_of_account(store::Reader& reader, std::string_view id);
base::Result<std::string> org_of_group(store::Reader& reader, std::string_view id);

// What the groups that come with an organisation are called.
std::string admins_name(const OrgRecord& org);
std::string users_name(const OrgRecord& org);

// The organisation and everything below it, parents first, by fqon within a level.
base::Result<std::vector<OrgRecord>> org_tree(store::Reader& reader, const OrgRecord& top);

// The groups that came with the organisation: its admins, in their maker's directory, and its
// users.
base::Result<std::vector<GroupRecord>> own_groups(store::Reader& reader, const OrgRecord& org);

// Ids of the enabled groups an account is in.
base::Result<std::vector<std::string>> groups_of(store::Reader& reader, std::string_view account);
base::Result<std::vector<AccountRecord>> members_of(store::Reader& reader, std::string_view group);

base::Result<bool> belongs_to_app(store::Reader& reader, const AccountRecord& account,
                                  std::string_view app);
// Enabled accounts that belong to the app, each once, by username.
base::Result<std::vector<AccountRecord>> accounts_of_app(store::Reader& reader,
                                                         std::string_view app);
// Groups of the app's directories and the groups that are stores themselves.
base::Result<std::vector<GroupRecord>> groups_of_app(store::Reader& reader, std::string_view app);
base::Result<bool> group_in_app(store::Reader& reader, const GroupRecord& group,
                                std::string_view app);

// The app's default store. Errors: invalid_argument default_store_missing.
base::Result<StoreRecord> default_account_store(store::Reader& reader, std::string_view app);
base::Result<DirectoryRecord> default_group_store(store::Reader& reader, std::string_view app);
// The directory that a store puts accounts into.
base::Result<DirectoryRecord> directory_of(store::Reader& reader, const StoreRecord& store);
// An account by name in the default account store. Errors: not_found account_unknown.
base::Result<AccountRecord> account_by_name(store::Reader& reader, std::string_view app,
                                            std::string_view username);

// Rights of one subject, or of an account with its groups, within an app.
base::Result<std::vector<RightRecord>> rights_of_subject(store::Reader& reader,
                                                         std::string_view app,
                                                         std::string_view subject);
base::Result<std::vector<RightRecord>> rights_of_account(store::Reader& reader,
                                                         std::string_view app,
                                                         std::string_view account);
// Errors: not_found right_unknown.
base::Result<RightRecord> right_by_name(store::Reader& reader, std::string_view app,
                                        std::string_view subject, std::string_view name);

}  // namespace security
