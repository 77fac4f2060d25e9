// SPDX-License-Identifier: Apache-2.0
// gestalt-dfs-meta as the daemon frame runs it.
#pragma once

#include "common/rest/daemon.h"

namespace dfs::meta {

rest::DaemonSpec make_spec();

}  // namespace dfs::meta
