// SPDX-License-Identifier: Apache-2.0
// Another user for good. Source: credentials(7).
#pragma once

namespace oci_start {

// User and group `uid`, no other groups, no new privileges. False after one line on stderr.
bool become(unsigned uid);

}  // namespace oci_start
