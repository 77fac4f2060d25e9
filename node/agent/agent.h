// SPDX-License-Identifier: Apache-2.0
// The agent as a whole: makes the parts, starts them in order, ends them.
// Threads: loop thread.
#pragma once

#include <memory>

#include "common/rest/daemon.h"
#include "node/agent/api.h"
#include "node/agent/config.h"

namespace node::agent {

base::Result<std::unique_ptr<rest::DaemonBody>> start_agent(rest::DaemonContext context);

}  // namespace node::agent
