// SPDX-License-Identifier: Apache-2.0
// `gestalt app …` but logs: applications through masterd's Marathon API.
#pragma once

#include <chrono>
#include <string>

#include "cli/app_spec.h"
#include "cli/session.h"

namespace cli {

struct ChangeOptions {
  bool no_wait = false;
  bool force = false;  // override a deployment that holds the app
  std::int64_t timeout_seconds = 300;
};

Status app_run(const Session& session, const AppOptions& app, bool update,
               const ChangeOptions& change);
Status app_list(const Session& session);
Status app_show(const Session& session, const std::string& id);
Status app_scale(const Session& session, const std::string& id, std::int64_t instances,
                 const ChangeOptions& change);
Status app_restart(const Session& session, const std::string& id, const ChangeOptions& change);
// Kills instances, which are replaced; `instance` empty means all. With `scale` they are not.
Status app_kill(const Session& session, const std::string& id, const std::string& instance,
                bool scale, const ChangeOptions& change);
Status app_remove(const Session& session, const std::string& id, const ChangeOptions& change);

// `gestalt deployment …`
Status deployment_list(const Session& session);
Status deployment_show(const Session& session, const std::string& id);
Status deployment_rollback(const Session& session, const std::string& id,
                           const ChangeOptions& change);

}  // namespace cli
