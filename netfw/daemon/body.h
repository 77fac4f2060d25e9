// SPDX-License-Identifier: Apache-2.0
// gestalt-netfwd put together: engine, routes, server, and what wakes the engine.
//
// 1. The engine runs on workers only; the loop has timers and descriptors that say when.
// 2. At most one tick is queued or under way.
#pragma once

#include <memory>

#include "common/rest/daemon.h"

namespace netfw {

base::Result<void> check_config(const base::Json& json);
base::Result<std::unique_ptr<rest::DaemonBody>> start_daemon(rest::DaemonContext context);
void describe_routes(rest::RouteTable& table);

}  // namespace netfw
