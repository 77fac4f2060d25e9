// SPDX-License-Identifier: Apache-2.0
// LDAP and Active Directory as directories of security: search with the system account, then bind
// as who was found.
//
// Made in service.cc; used through DirectoryAdapter.
// 1. Who logs in is found by a search below accountSearchBase, not by a name pasted into a DN; more
// than one entry for a name is nobody.
// 2. At most four connections at a time, each with a timeout of five seconds.
// 3. Configuration: `url`, `systemUsername` (a DN, or with activeDirectory user@domain),
// `systemPassword`, `accountSearchBase`, `groupSearchBase`; optional `startTls`, `allowPlain`,
// `caFile`, `activeDirectory`, `userObjectClass`, `primaryField`, `firstNameField`,
// `lastNameField`, `emailField`, `phoneNumberField`, `descriptionField`, `groupObjectClass`,
// `groupField`, `groupDescriptionField`, `memberField`; `searchBase` stands for both bases.
// Threads: any, several at a time.
#pragma once

#include <memory>

#include "services/security/directory/adapter.h"

namespace security {

std::unique_ptr<DirectoryAdapter> make_ldap_adapter();

}  // namespace security
