// SPDX-License-Identifier: Apache-2.0
// Placement constraints as Marathon writes them. Used by make_app() only.
#pragma once

#include <optional>
#include <string>

#include "node/master/app.h"

namespace node::master {

// ["hostname", "UNIQUE"], ["rack", "GROUP_BY", "3"]. Nothing when it is wrong: what, is in
// `problems`.
std::optional<Constraint> read_constraint(const base::Json& entry, const std::string& pointer,
                                          Problems& problems);

}  // namespace node::master
