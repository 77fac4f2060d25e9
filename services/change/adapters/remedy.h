// SPDX-License-Identifier: Apache-2.0
// Registers the adapter "remedy" of the kind "change".
//
// Used by service.cc and the contract test. Threads: as AdapterRegistry.
#pragma once

#include "services/framework/adapter.h"

namespace services::change {

void add_remedy(AdapterRegistry& registry);

}  // namespace services::change
