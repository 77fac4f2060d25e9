// SPDX-License-Identifier: Apache-2.0
// Registers the adapter "marathon" of the kind "launcher": our masterd over its unix socket or TCP,
// or another Marathon.
//
// Settings: {"url": "unix:/run/gestalt/masterd.sock" | "https://…" | "http://…",
//            "authorization"?: "bearer" | "basic" | "token", "credentials_file"?, "ca_file"?}.
// The file holds the token, or USER:PASSWORD for "basic"; "token" is the form of DC/OS. It is read
// when the adapter is made. Credentials go over https or to this machine only.
// 1. What shall be is an application without its id (container.h). A label with its hash tells
// whether Marathon has it already, since Marathon fills in fields of its own.
// 2. A deployment of the application alone gives way to what shall be now; one that holds it
// together with others is waited for (failed_precondition app_locked).
// Used by this service and the contract test. Threads: as AdapterRegistry.
#pragma once

#include "services/framework/adapter.h"

namespace services::launcher {

void add_marathon(AdapterRegistry& registry);
// Without reading files. Errors: invalid_argument field_*.
base::Result<void> check_marathon(const base::Json& settings);
// An array in what Marathon says, an empty one when there is none. Lives as long as `object`.
const base::Json& list_in(const base::Json& object, const char* name);

}  // namespace services::launcher
