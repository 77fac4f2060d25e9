// SPDX-License-Identifier: Apache-2.0
// Health and readiness checks of a definition, completed with defaults. Used by make_app() only.
#pragma once

#include <string>
#include <vector>

#include "node/master/app.h"

namespace node::master {

// `ports` are the app's. What is wrong goes to `problems`.
base::Json read_health_check(const base::Json& check, const std::string& pointer,
                             const std::vector<PortSlot>& ports, Problems& problems);
base::Json read_readiness_check(const base::Json& check, const std::string& pointer,
                                const std::vector<PortSlot>& ports, Problems& problems);

}  // namespace node::master
