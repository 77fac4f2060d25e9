// SPDX-License-Identifier: Apache-2.0
// gestalt-dfs-storage put together: device, journal, server, registrar, scrub, HTTP.
//
// 1. The journal and the checkpoints have a thread each; cold reads use the workers.
#pragma once

#include <memory>

#include "common/rest/daemon.h"

namespace dfs::storage {

base::Result<void> check_config(const base::Json& json);
base::Result<std::unique_ptr<rest::DaemonBody>> start_daemon(rest::DaemonContext context);
void describe_routes(rest::RouteTable& table);

// `gestalt-dfs-storage --claim [DEVICE|FOLDER]`: claims what the configuration names, or what is
// given, and exits. Status: 0 done, 1 refused, 2 wrong usage.
inline constexpr const char* kClaimFlag = "--claim";
int claim_main(int argc, char** argv);

}  // namespace dfs::storage
