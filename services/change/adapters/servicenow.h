// SPDX-License-Identifier: Apache-2.0
// Registers the adapter "servicenow" of the kind "change".
//
// Used by service.cc and the contract test. Threads: as AdapterRegistry.
#pragma once

#include "services/framework/adapter.h"

namespace services::change {

void add_servicenow(AdapterRegistry& registry);

}  // namespace services::change
