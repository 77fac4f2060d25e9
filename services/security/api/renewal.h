// SPDX-License-Identifier: Apache-2.0
// Security as the host asks it who the caller of a held call is by now.
#pragma once

#include <memory>

#include "services/framework/renewal.h"
#include "services/framework/service.h"

namespace security {

// Requires: `security` is the security service, and outlives the result.
std::unique_ptr<services::Renewal> make_renewal(services::Service& security);

}  // namespace security
