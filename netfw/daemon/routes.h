// SPDX-License-Identifier: Apache-2.0
// gestalt-netfwd's REST interface. Source: docs/reference/internal-apis.md.
#pragma once

#include "common/rest/route.h"
#include "netfw/daemon/engine.h"

namespace netfw {

// What the handlers work on. `changed` is called after each request that may have changed HAProxy's
// files.
struct Api {
  Engine* engine = nullptr;  // none only while the table is described
  std::function<void()> changed = [] {};
};

void add_routes(rest::RouteTable& table, Api& api);

}  // namespace netfw
