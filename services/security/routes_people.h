// SPDX-License-Identifier: Apache-2.0
// Accounts and groups as several action tables make and search them.
//
// Used by the routes of services/security.
#pragma once

#include "services/security/routes.h"

namespace security {

// ?username=, ?email=, ?phoneNumber=.
AccountQuery account_query(const services::Call& call);
bool fits_query(const AccountRecord& account, const AccountQuery& query);

// Creates what the body asks for. `app` is where the rights go, nullptr when they are not taken;
// `group` is a store that the account joins by itself.
// Errors: directory_read_only for one that somebody else keeps.
base::Result<services::Reply> make_account_in(Security& self, services::Call& call,
                                              const DirectoryRecord& directory,
                                              const AppRecord* app,
                                              const GroupRecord* group = nullptr);
base::Result<services::Reply> make_group_in(Security& self, services::Call& call,
                                            const DirectoryRecord& directory, const AppRecord* app);

// The directory that the path of a call names, read for itself: for steps outside of a transaction.
base::Result<std::optional<DirectoryRecord>> directory_of_path(Security& self,
                                                               services::Call& call);

// Prepare steps of searches: what the external directories concerned hold becomes shadows first.
base::Result<void> prepare_directory_search(Security& self, services::Call& call);
base::Result<void> prepare_directory_group_search(Security& self, services::Call& call);
base::Result<void> prepare_app_search(Security& self, services::Call& call);

}  // namespace security
