// SPDX-License-Identifier: Apache-2.0
#include "services/framework/service.h"

#include <nlohmann/json.hpp>

namespace services {

base::Json Service::health() { return base::Json{{"status", "ok"}}; }

}  // namespace services
