// SPDX-License-Identifier: Apache-2.0
// Readers of parts of an application definition: constraints and checks. Used by make_app() only.
//
// Each notes what is wrong in `problems` under `pointer`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/master/app.h"

namespace node::master {

// ["hostname", "UNIQUE"], ["rack", "GROUP_BY", "3"]. Nothing when it is wrong.
std::optional<Constraint> read_constraint(const base::Json& entry, const std::string& pointer,
                                          Problems& problems);
// The check with every default filled in. `ports` are the app's.
base::Json read_health_check(const base::Json& check, const std::string& pointer,
                             const std::vector<PortSlot>& ports, Problems& problems);
base::Json read_readiness_check(const base::Json& check, const std::string& pointer,
                                const std::vector<PortSlot>& ports, Problems& problems);

}  // namespace node::master
