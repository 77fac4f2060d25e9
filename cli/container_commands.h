// SPDX-License-Identifier: Apache-2.0
// `gestalt container list|scale|migrate|promote`: verbs of containers of the meta service, which
// the launcher makes so. They are made, changed and removed as other resources are
// (resource_commands.h).
#pragma once

#include <chrono>
#include <string>

#include "cli/session.h"

namespace cli {

struct ContainerOptions {
  std::string context;
  std::string name;
  std::int64_t instances = 0;
  std::string provider;  // name of one that can be seen from the context
  std::string target;    // /fqon/workspace/environment
  bool no_wait = false;
  std::int64_t timeout_seconds = 300;
};

Status container_list(const Session& session, const std::string& context);
Status container_scale(const Session& session, const ContainerOptions& options);
Status container_migrate(const Session& session, const ContainerOptions& options);
Status container_promote(const Session& session, const ContainerOptions& options);

}  // namespace cli
