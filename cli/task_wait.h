// SPDX-License-Identifier: Apache-2.0
// Tasks of the services that a command waits for (services' 202 contract).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/api.h"
#include "cli/session.h"

namespace cli {

// The id of the task that a reply is, empty when it is something else.
std::string task_of(const base::Json& reply);

// Follows each until it has ended. Errors: failed_precondition with the task's own reason;
// timed_out task_not_ended.
base::Result<void> wait_for_tasks(const Session& session, Api& api,
                                  const std::vector<std::string>& tasks,
                                  std::chrono::seconds timeout);

}  // namespace cli
