// SPDX-License-Identifier: Apache-2.0
// All routes of masterd: Marathon's /v2, Mesos' read-only state, the agents' reports.
//
// Reads run on the loop, where the scheduler lives; writes run on a worker and wait in
// MasterService::commit until they are durable.
#pragma once

#include "common/rest/route.h"
#include "node/master/service.h"

namespace node::master {

// `service` is null for a table that only describes.
void add_routes(rest::RouteTable& table, MasterService* service);

std::span<const rest::Route<MasterService>> app_routes();
std::span<const rest::Route<MasterService>> group_routes();
std::span<const rest::Route<MasterService>> task_routes();
std::span<const rest::Route<MasterService>> info_routes();
std::span<const rest::Route<MasterService>> mesos_routes();

inline constexpr rest::Scope kAppRead{"app:read"};
inline constexpr rest::Scope kAppWrite{"app:write"};
inline constexpr std::size_t kBodyMax = 8 << 20;  // of groups and lists of apps

// The path behind /v2/apps/ or /v2/groups/ cut at a known suffix: "demo/web/versions/2026…" is the
// id "/demo/web", the suffix "versions" and the argument "2026…".
struct Target {
  std::string id;  // absolute
  std::string suffix;
  std::string argument;
};
// Errors: not_found `reason` when the id is none.
base::Result<Target> read_target(const rest::Request& request,
                                 std::initializer_list<std::string_view> suffixes);
base::Result<base::Json> read_body(const rest::Request& request);

// Errors: failed_precondition app_unreadable.
base::Result<void> check_readable(const Scheduler& scheduler, const std::string& app);

// Checks the whole and the locks, deploys, and makes the reply from what was accepted.
base::Result<rest::Response> deploy(Scheduler& scheduler, Change change,
                                    const rest::Request& request,
                                    const std::function<rest::Response(const Accepted&)>& reply);

}  // namespace node::master
