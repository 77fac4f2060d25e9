// SPDX-License-Identifier: Apache-2.0
// Process 1 of a container whose program is not made for that place. The kernel keeps signals from
// process 1 that it has no handler for, so that most programs would not end when they are asked to,
// and orphans become its children. Source: pid_namespaces(7), wait(2), sigwaitinfo(2).
#pragma once

namespace oci_start {

// Starts `program`, looked for in PATH, passes every signal on to it, buries whoever dies, and ends
// with the program: with its status, 128+N when signal N ended it, 126 or 127 when it could not be
// started.
[[noreturn]] void run_init(char** program);

}  // namespace oci_start
