// SPDX-License-Identifier: Apache-2.0
// Organisations, people and groups of security as resources of meta.
//
// Used by the service (subscription, first start) and by POST /sync.
#pragma once

#include "services/meta/work.h"

namespace services::meta {

// Subscribes to security's events and mirrors everything once.
base::Result<void> start_sync(Meta& meta, Host& host);

// Whether resources of the collection are security's.
bool is_identity(std::string_view rest);

struct SyncResult {
  std::size_t created = 0;
  std::size_t updated = 0;
  std::size_t deleted = 0;
};
// Everything, in the call's transaction.
base::Result<SyncResult> sync_all(const Work& work);
// Groups that were made in this transaction.
base::Result<void> mirror_groups(const Work& work, const std::vector<IdentityGroup>& groups);
// One of them, by id, whatever it is: written, or removed when security does not have it.
base::Result<void> sync_one(const Work& work, std::string_view id, SyncResult& result);

}  // namespace services::meta
