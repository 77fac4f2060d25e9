// SPDX-License-Identifier: Apache-2.0
// `gestalt events`: what goes on, as it happens.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace cli {

// masterd's events until the stream ends or the caller interrupts. With --json one object a line.
Status follow_events(const Session& session, const std::vector<std::string>& types);

}  // namespace cli
