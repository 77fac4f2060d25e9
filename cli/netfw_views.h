// SPDX-License-Identifier: Apache-2.0
// netfwd's answers as text for people. Pure.
#pragma once

#include <string>

#include "cli/table.h"
#include "common/base/json.h"

namespace cli {

// GET /v1/firewall: the rules of both families in order, then the sets they name.
std::string render_firewall(const base::Json& firewall, const Style& style);
// POST /v1/plan: a line for each member that would come or go, and for who could not manage the
// node any more.
std::string render_plan(const base::Json& plan);
// PUT /v1/policy: stored, or until when it is on trial, what it takes away and how to confirm it.
std::string render_applied(const base::Json& policy);
// GET /v1/services and GET /v1/instances: one line for each service port, with its members.
std::string render_balancer(const base::Json& services, const base::Json& instances,
                            const Style& style);

}  // namespace cli
