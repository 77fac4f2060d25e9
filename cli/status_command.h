// SPDX-License-Identifier: Apache-2.0
// `gestalt status`: are the daemons well, and do the applications run.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace cli {

struct DaemonHealth {
  std::string name;    // "masterd"
  std::string state;   // "ok", "degraded", "down", "refused", …
  std::string detail;  // why, when not ok
  std::string fix;     // what to do about it, when not ok
};

// Pure: the daemons as a table, a line with the fix for each that is not well, then one line on the
// applications. `apps` is the reply of GET /v2/apps?embed=apps.counts, null when it could not be
// asked.
std::string render_status(const std::vector<DaemonHealth>& daemons, const base::Json& apps,
                          const Style& style);
// {"apps", "instances", "running", "healthy", "unhealthy", "deploying"} from the same reply.
base::Json count_apps(const base::Json& apps);

// failed unless every daemon asked is ok and every instance wanted runs. With --url only masterd is
// asked.
Status show_status(const Session& session);

}  // namespace cli
