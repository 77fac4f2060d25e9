// SPDX-License-Identifier: Apache-2.0
// Organisations, people and groups of security as resources of meta.
//
// Used by the service (subscription, first start) and by POST /sync.
#pragma once

#include "services/meta/work.h"

namespace services::meta {

// Subscribes to security's events and mirrors everything once.
base::Result<void> start_sync(Meta& meta, Host& host);

struct SyncResult {
  std::size_t created = 0;
  std::size_t updated = 0;
  std::size_t deleted = 0;
};
// Everything, in the call's transaction.
base::Result<SyncResult> sync_all(const Work& work);
// One of them, by id, whatever it is: written, or removed when security does not have it.
base::Result<void> sync_one(const Work& work, std::string_view id);

base::Result<Stored> mirror_org(const Work& work, const IdentityOrg& org, SyncResult& result);
base::Result<Stored> mirror_user(const Work& work, const IdentityUser& user, SyncResult& result);
base::Result<Stored> mirror_group(const Work& work, const IdentityGroup& group, SyncResult& result);

}  // namespace services::meta
