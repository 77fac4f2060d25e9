// SPDX-License-Identifier: Apache-2.0
// gestalt-dfs-storage's HTTP interface (9095): status, scrub.
#pragma once

#include "common/rest/route.h"
#include "dfs/storage/scrubber.h"

namespace dfs::storage {

// What the handlers work on; empty only while the table is described.
struct Api {
  StorageServer* server = nullptr;
  Device* device = nullptr;
  Scrubber* scrubber = nullptr;
  std::function<bool()> is_registered = [] { return false; };
};

void add_routes(rest::RouteTable& table, Api& api);
// For health: {"status": "ok" | "degraded", "reasons": [...]}.
base::Json health_of(const Api& api);

}  // namespace dfs::storage
