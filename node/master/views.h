// SPDX-License-Identifier: Apache-2.0
// The scheduler's state as Marathon's JSON: pure reads for the routes and the event stream.
//
// 1. Field names and shapes are those of Marathon 1.11. Clients with fixed schemas refuse fields
// they do not know, so nothing of ours is added unless the client sent it. Threads: the
// scheduler's.
#pragma once

#include <set>
#include <string>

#include "common/base/json.h"
#include "node/master/scheduler.h"

namespace node::master {

base::Json steps_json(const Deployment& deployment);
base::Json current_actions_json(const Deployment& deployment);
// One entry of GET /v2/deployments.
base::Json deployment_json(const Deployment& deployment);
enum class PlanFormat { full, light };
// "plan" of deployment events; the full format has the definitions before and after.
base::Json plan_json(const Deployment& deployment, const std::map<std::string, AppState>& apps,
                     PlanFormat format);

}  // namespace node::master
