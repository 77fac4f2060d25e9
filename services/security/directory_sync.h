// SPDX-License-Identifier: Apache-2.0
// What external directories say now of those who were once taken over from them: names and groups
// are brought up to date, and who is gone there is disabled here, tokens and keys with him.
//
// A login or a search brings single accounts up to date (shadow.cc); this goes through all, so that
// somebody who never comes again loses what he had. Used by a timer of the service and by
// POST /directories/{id}/sync.
// Threads: workers.
#pragma once

#include <span>
#include <vector>

#include "services/security/service.h"

namespace security {

// Somebody who was taken over, and what the directory says of him: nothing when he is gone there.
struct ShadowSeen {
  std::string account;
  std::optional<ExternalAccount> external;
};

// Asks the directory for everybody who was taken over from it and is not disabled. Errors: those of
// the adapter; failed_precondition directory_empty when it knows nobody of several, which is more
// likely a wrong search base than everybody's leave.
base::Result<std::vector<ShadowSeen>> look_up_shadows(Security& self,
                                                      const DirectoryRecord& directory);

struct SyncReport {
  std::size_t present = 0;
  std::size_t disabled = 0;  // are gone
};
base::Result<SyncReport> take_over(services::Call& call, const DirectoryRecord& directory,
                                   std::span<const ShadowSeen> seen);

// All external directories, one after the other; what fails is logged and stays as it is.
void sync_directories(Security& self);

}  // namespace security
