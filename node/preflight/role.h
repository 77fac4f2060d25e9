// SPDX-License-Identifier: Apache-2.0
// Which role the node's own configuration gives it.
#pragma once

#include "node/preflight/finding.h"
#include "node/preflight/tree.h"

namespace node::preflight {

// dmz by the agent's zone; an appliance when the node is configured and names no ZooKeeper; infra
// otherwise, also for a machine on which nothing is installed yet, or whose configuration cannot be
// read.
Role configured_role(const Tree& tree);

}  // namespace node::preflight
