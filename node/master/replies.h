// SPDX-License-Identifier: Apache-2.0
// Replies in Marathon's shape that are problem+json as well: the fields of both in one body.
#pragma once

#include "common/rest/http.h"
#include "common/rest/route.h"
#include "node/master/problems.h"
#include "node/master/scheduler.h"

namespace node::master {

class MasterService;

// The problem with Marathon's "message" beside it.
rest::Response error_reply(const base::Error& error, const rest::Request& request);
// 422 with "message" and "details".
rest::Response invalid_reply(const Problems& problems, const rest::Request& request);
// 409 with the deployments in the way.
rest::Response locked_reply(const std::vector<std::string>& deployments,
                            const rest::Request& request);
// {"version", "deploymentId"} with Marathon-Deployment-Id.
rest::Response deployment_reply(const Accepted& accepted, int status = 200);

// Adds rows whose errors get Marathon's shape and whose replies name the leader.
void add_marathon_rows(rest::RouteTable& table, std::span<const rest::Route<MasterService>> rows,
                       MasterService* service);

}  // namespace node::master
