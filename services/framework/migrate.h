// SPDX-License-Identifier: Apache-2.0
// Versions of the services' records, and the way forward from one to the next.
//
// Used by the host, before any service starts.
// 1. A store that is new to a service is of its newest version; one with records and no version is
// of version 0.
// 2. There is no way back: a store that is newer than the program is refused before anything of it
// is changed.
// Threads: the starting one. Errors: failed_precondition store_newer; those of the migrations.
#pragma once

#include <memory>
#include <vector>

#include "services/framework/service.h"

namespace services {

store::Collection data_version_collection();
base::Result<void> migrate(store::Store& store,
                           const std::vector<std::unique_ptr<Service>>& services);

}  // namespace services
