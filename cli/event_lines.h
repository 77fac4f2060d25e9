// SPDX-License-Identifier: Apache-2.0
// One event of masterd's stream as one line. Pure.
#pragma once

#include <string>

#include "cli/event_reader.h"
#include "cli/table.h"

namespace cli {

// "08:00:01  status_update_event  /web  web.instance-1 TASK_FAILED: exit status 1\n".
std::string event_line(const ServerEvent& event, const Style& style);
// The event's own JSON on one line; {"eventType", "data"} when the data is no JSON.
std::string event_json_line(const ServerEvent& event);

}  // namespace cli
