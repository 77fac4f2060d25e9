// SPDX-License-Identifier: Apache-2.0
// `gestalt app logs`: what the instances of an application have written, on this node and, with a
// token, on the others.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace cli {

struct LogOptions {
  std::string id;        // application
  std::string instance;  // empty: all of its instances
  std::int64_t lines = 100;
  bool follow = false;
  std::string agents = "https://{host}:5051";  // where the agents of other nodes are
};

// An instance and the agent that has its log.
struct LogSource {
  std::string instance;
  std::string url = {};  // empty: that of this node, or the one of --url
};

// The instances of `app` in the reply of agentd's GET /v1/instances, by id. Pure.
std::vector<std::string> instances_of(const base::Json& reply, const std::string& app);
// The instances in masterd's GET /v2/apps/ID?embed=app.tasks that are not among `here`, each with
// the agent of its host by the pattern `agents`. Pure.
std::vector<LogSource> instances_elsewhere(const base::Json& reply,
                                           const std::vector<std::string>& here,
                                           const std::string& agents);
// "demo_web.instance-b4c7e2d0-….…" is "b4c7e2d0": what tells lines of several instances apart.
std::string short_instance(const std::string& id);

Status app_logs(const Session& session, const LogOptions& options);

}  // namespace cli
