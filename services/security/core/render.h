// SPDX-License-Identifier: Apache-2.0
// Records as the JSON that clients of the original expect: field by field its shapes, absent fields
// left out, secrets never in.
//
// Used by the handlers of services/security.
// Threads: that of the reader. Errors: those of the store.
#pragma once

#include "common/base/json.h"
#include "services/security/core/lookup.h"

namespace security {

base::Json link_json(std::string_view id, std::string_view name, std::string_view collection);
base::Result<base::Json> org_json(store::Reader& reader, const OrgRecord& org);
enum class ConfigShown { yes, no };
// Password fields of the configuration are masked.
base::Json directory_json(const DirectoryRecord& directory, ConfigShown config);
base::Result<base::Json> account_json(store::Reader& reader, const AccountRecord& account);
base::Result<base::Json> accounts_json(store::Reader& reader,
                                       const std::vector<AccountRecord>& accounts);
base::Result<base::Json> group_json(store::Reader& reader, const GroupRecord& group);
base::Result<base::Json> groups_json(store::Reader& reader, const std::vector<GroupRecord>& groups);
base::Json app_json(const AppRecord& app);
base::Json store_json(const StoreRecord& store);
base::Json right_json(const RightRecord& right);
base::Json rights_json(const std::vector<RightRecord>& rights);
base::Json account_links(const std::vector<AccountRecord>& accounts);
// {account, groups, rights, orgId}: who an account is to an app.
base::Result<base::Json> auth_json(store::Reader& reader, const AccountRecord& account,
                                   const AppRecord& app);
// Groups of an account as links.
base::Result<base::Json> group_links(store::Reader& reader, std::string_view account);

}  // namespace security
