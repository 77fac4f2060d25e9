// SPDX-License-Identifier: Apache-2.0
// Tells systemd how the daemon is: READY=1, RELOADING=1, STOPPING=1, STATUS=….
// Source: the protocol part of sd_notify(3).
#pragma once

#include <string_view>

#include "common/base/result.h"

namespace rest {

// Does nothing when NOTIFY_SOCKET is not set. Errors: os errors.
base::Result<void> notify_systemd(std::string_view state);

}  // namespace rest
