// SPDX-License-Identifier: Apache-2.0
// The system calls that a container may make: an allow-list of the shape of Docker's default
// profile, without the calls that only CAP_SYS_ADMIN and its like can use.
// Threads: pure function.
#pragma once

#include "common/base/json.h"

namespace node::agent {

// The `linux.seccomp` object of an OCI configuration.
base::Json make_seccomp();

}  // namespace node::agent
