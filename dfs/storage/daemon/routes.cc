// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/daemon/routes.h"

#include <nlohmann/json.hpp>

namespace dfs::storage {
namespace {

using base::Json;
using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;
using rest::Route;
using rest::Run;
using rest::Scope;

constexpr Scope kRead{"dfs:read"};
constexpr Scope kAdmin{"dfs:admin"};

Json scrub_view(const ScrubStatus& status) {
  return {{"running", status.is_running},
          {"runs", status.runs},
          {"bytes", status.bytes},
          {"blocks_bad", status.blocks_bad},
          {"blocks_lost", status.blocks_lost},
          {"groups", status.groups},
          {"groups_done", status.groups_done}};
}

Json group_view(StorageServer& server, GroupNumber number) {
  const replication::Group& group = *server.find_group(number);
  Json members = Json::array();
  for (const replication::NodeId& node : group.configuration().in_sync)
    members.push_back(node.text());
  return {{"group", number},
          {"epoch", group.configuration().epoch},
          {"primary", group.configuration().primary.text()},
          {"in_sync", members},
          {"serving", group.is_serving()},
          {"applied", group.applied()},
          {"durable", server.find_machine(number)->durable().index}};
}

Result<Response> get_status(Api& api, const Request&) {
  Json groups = Json::array();
  for (const GroupNumber number : api.server->groups())
    groups.push_back(group_view(*api.server, number));
  const ServerCounters& counters = api.server->counters();
  return Response::json({{"node", api.server->node()},
                         {"registered", api.is_registered()},
                         {"bytes_free", api.device->free_bytes()},
                         {"full", api.device->is_full()},
                         {"blocks_found_bad", counters.blocks.found},
                         {"blocks_mended", counters.blocks.mended},
                         {"blocks_lost", counters.blocks.lost},
                         {"scrub", scrub_view(api.scrubber->status())},
                         {"groups", groups}});
}

Result<Response> get_scrub(Api& api, const Request&) {
  return Response::json(scrub_view(api.scrubber->status()));
}

Result<Response> start_scrub(Api& api, const Request&) {
  api.scrubber->start();
  return Response::json(scrub_view(api.scrubber->status()));
}

Result<Response> stop_scrub(Api& api, const Request&) {
  api.scrubber->stop();
  return Response::json(scrub_view(api.scrubber->status()));
}

constexpr Route<Api> kRoutes[] = {
    {Method::get, "/v1/status", kRead, Run::on_loop, get_status,
     "The device, its groups and what was found damaged"},
    {Method::get, "/v1/scrub", kRead, Run::on_loop, get_scrub, "How far the scrub is"},
    {Method::post, "/v1/scrub", kAdmin, Run::on_loop, start_scrub,
     "Read everything that the device holds and mend what does not match"},
    {Method::del, "/v1/scrub", kAdmin, Run::on_loop, stop_scrub, "End the scrub under way"},
};

}  // namespace

void add_routes(rest::RouteTable& table, Api& api) { table.add(kRoutes, api); }

Json health_of(const Api& api) {
  Json reasons = Json::array();
  if (!api.is_registered()) reasons.push_back("no metadata server answers");
  if (api.device->is_full()) reasons.push_back("the device is full: writes are refused");
  if (api.server->counters().blocks.lost > 0)
    reasons.push_back("blocks without a good copy were found");
  return {{"status", reasons.empty() ? "ok" : "degraded"}, {"reasons", reasons}};
}

}  // namespace dfs::storage
