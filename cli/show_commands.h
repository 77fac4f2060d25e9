// SPDX-License-Identifier: Apache-2.0
// Commands that only look at one daemon of a node: `fw show`, `fw plan`, `lb show`, `node show`.
#pragma once

#include "cli/session.h"

namespace cli {

Status firewall_show(const Session& session);
// `file` holds a policy in JSON; `-` is standard input.
Status firewall_plan(const Session& session, const std::string& file);
Status balancer_show(const Session& session);
Status node_show(const Session& session);

// GET /v1/node of agentd as text. Pure.
std::string render_node(const base::Json& node, const Style& style);

}  // namespace cli
