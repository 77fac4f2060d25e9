// SPDX-License-Identifier: Apache-2.0
// Waits for deployments to end, told by masterd's event stream, with the list of deployments as the
// truth. Used by every command that changes an application.
//
// 1. The stream is open before the list is read, so an end in between is never missed.
// 2. A stream that breaks is opened again; each time the list is read again.
#pragma once

#include <chrono>
#include <string>

#include "cli/session.h"
#include "common/base/result.h"

namespace cli {

struct WaitFor {
  std::string deployment;
  std::string app;  // "/demo/web"
  bool removal = false;
  std::chrono::seconds timeout{300};
};

// Shows progress while waiting. Errors: timed_out deployment_timed_out; failed_precondition
// deployment_failed; those of the calls.
base::Result<void> wait_for_deployment(const Session& session, const WaitFor& wanted);

}  // namespace cli
