// SPDX-License-Identifier: Apache-2.0
// `gestalt app logs`: what the instances of an application on one node have written.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace cli {

struct LogOptions {
  std::string id;        // application
  std::string instance;  // empty: all of its instances on the node
  std::int64_t lines = 100;
  bool follow = false;
};

// The instances of `app` in the reply of agentd's GET /v1/instances, by id. Pure.
std::vector<std::string> instances_of(const base::Json& reply, const std::string& app);
// "demo_web.instance-b4c7e2d0-….…" is "b4c7e2d0": what tells lines of several instances apart.
std::string short_instance(const std::string& id);

Status app_logs(const Session& session, const LogOptions& options);

}  // namespace cli
