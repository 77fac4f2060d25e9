// SPDX-License-Identifier: Apache-2.0
// Organisations made and deleted in a call, with what that leaves behind: the epoch that ends what
// callers have cached, and events of the organisation and of the groups that come and go with it.
//
// Used by the routes of security and by meta's view of it (identities.cc).
// Threads: those of the transactions. Errors: those of core/change.h.
#pragma once

#include <string_view>

#include "common/base/clock.h"
#include "services/framework/call.h"
#include "services/security/core/change.h"

namespace security {

// Its creator is the caller.
base::Result<OrgRecord> create_org(services::Call& call, base::Rng& rng, std::string_view parent,
                                   const NewOrg& wanted);
base::Result<void> delete_org(services::Call& call, const OrgRecord& org);

}  // namespace security
