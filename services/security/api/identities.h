// SPDX-License-Identifier: Apache-2.0
// What the meta service reads of security and changes in it: organisations, people and groups.
//
// Used by services/meta, which mirrors them as resources.
#pragma once

#include <memory>

#include "services/framework/service.h"
#include "services/meta/api/identities.h"

namespace security {

// Requires: `security` is the security service, and outlives what is returned.
std::unique_ptr<services::meta::Identities> make_identities(services::Service& security);

}  // namespace security
