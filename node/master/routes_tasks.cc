// SPDX-License-Identifier: Apache-2.0
// /v2/tasks, /v2/queue, /v2/deployments and the reports of the agents.
#include <nlohmann/json.hpp>

#include "node/master/edits.h"
#include "node/master/json_text.h"
#include "node/master/reads.h"
#include "node/master/replies.h"
#include "node/master/routes.h"

namespace node::master {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;
using rest::Run;

constexpr std::size_t kReportMax = 8 << 20;
constexpr std::size_t kKillsMax = 10'000;

// JSON, or text for load balancers that ask for text/plain. ?status=running, staging.
Result<Response> list_tasks(MasterService& service, const Request& request) {
  const auto accept = request.find_header("accept").value_or("");
  const bool text =
      accept.starts_with("text/plain") && accept.find("application/json") == std::string_view::npos;
  if (text) {
    std::string lines;
    TRY(read_apps(service, "/", {.tasks = true, .counts = false}, {},
                  [&](const AppView& app) { lines += tasks_text(app); }));
    return Response::text(std::move(lines));
  }
  std::vector<std::string> states = request.all_query("status");
  for (const std::string& state : request.all_query("status[]")) states.push_back(state);
  ListText tasks;
  TRY(read_instances(service, [&](const Instance& instance, const App* app) {
    const std::string state = task_state(instance);
    const bool wanted =
        states.empty() || std::any_of(states.begin(), states.end(), [&](const std::string& name) {
          return (name == "running" && state == "TASK_RUNNING") ||
                 (name == "staging" && (state == "TASK_STAGING" || state == "TASK_STARTING"));
        });
    if (wanted) tasks.add(task_json(instance, app));
  }));
  return Response::json_text(R"({"tasks":)" + tasks.take() + "}");
}

// POST {"ids": […]}; ?scale=true shrinks the apps, ?wipe is taken as killing.
Result<Response> delete_tasks(MasterService& service, const Request& request) {
  const Json body = TRY(read_body(request));
  const bool scale = TRY(request.query_flag("scale"));
  TRY(request.query_flag("wipe"));
  base::Fields fields(body);
  std::vector<std::string> names;
  fields.optional("ids", names, kKillsMax, {.length_min = 1});
  TRY(fields.finish(base::UnknownFields::refuse));
  return service.commit([&](Scheduler& scheduler) -> Result<Response> {
    std::vector<api::InstanceId> ids;
    std::map<std::string, std::int64_t> shrink;
    Json tasks = Json::array();
    for (const std::string& name : names) {
      const Instance* instance = scheduler.find_instance(api::InstanceId(name));
      if (instance == nullptr) continue;
      ids.emplace_back(name);
      ++shrink[instance->app];
      tasks.push_back(task_json(scheduler, *instance));
    }
    if (!scale) {
      scheduler.kill(ids);
      return Response::json({{"tasks", std::move(tasks)}});
    }
    Change change;
    for (const auto& [app, count] : shrink) {
      const AppState* state = scheduler.find_app(app);
      if (state == nullptr) continue;
      const std::int64_t left = std::max<std::int64_t>(state->current->instances - count, 0);
      change.put.push_back(with_instances(*state->current, left));
    }
    return deploy(scheduler, std::move(change), request, [&](const Accepted& accepted) {
      scheduler.kill(ids);
      return deployment_reply(accepted);
    });
  });
}

Result<Response> list_queue(MasterService& service, const Request&) {
  std::vector<QueueEntry> queue;
  TRY(service.read([&](const Scheduler& scheduler) { queue = look_at_queue(scheduler); }));
  return Response::json(queue_json(queue));
}

// DELETE /v2/queue/{id}/delay: launch again now. 204. Errors: not_found app_not_queued.
Result<Response> reset_delay(MasterService& service, const Request& request) {
  const Target target = TRY(read_target(request, {"delay"}));
  if (target.suffix != "delay")
    return Error{Code::not_found, "only /v2/queue/{id}/delay can be deleted", "route_unknown"};
  return service.commit([&](Scheduler& scheduler) -> Result<Response> {
    if (!scheduler.reset_delay(target.id))
      return Error{Code::not_found, "Application " + target.id + " not found in tasks queue.",
                   "app_not_queued"};
    return Response::no_content();
  });
}

// A list, not an object, as Marathon has it. ?embed=gestalt adds what Marathon does not know.
Result<Response> list_deployments(MasterService& service, const Request& request) {
  const auto embed = request.all_query("embed");
  const bool more = std::find(embed.begin(), embed.end(), "gestalt") != embed.end();
  std::vector<std::pair<Deployment, DeploymentReadiness>> deployments;
  TRY(service.read([&](const Scheduler& scheduler) {
    for (const auto& [id, deployment] : scheduler.deployments())
      deployments.emplace_back(deployment, look_at_readiness(scheduler, deployment));
  }));
  Json list = Json::array();
  for (const auto& [deployment, readiness] : deployments) {
    Json shown = deployment_json(deployment, readiness);
    if (more)
      shown["gestalt"] = {{"paused", deployment.paused},
                          {"rollback", deployment.is_rollback},
                          {"failures", deployment.failures},
                          {"failure", deployment.failure}};
    list.push_back(std::move(shown));
  }
  return Response::json(list);
}

// Without force a new deployment goes back (200); with force it just ends (202).
Result<Response> delete_deployment(MasterService& service, const Request& request) {
  const bool force = TRY(request.query_flag("force"));
  const std::string id = request.parameter("id");
  return service.commit([&, force](Scheduler& scheduler) -> Result<Response> {
    if (!force) {
      const Accepted accepted = TRY(scheduler.roll_back(id));
      return deployment_reply(accepted);
    }
    TRY(scheduler.cancel(id));
    Response response;
    response.status = 202;
    return response;
  });
}

// 200 {"acknowledged": N}. Errors: failed_precondition resync_required.
Result<Response> take_report(MasterService& service, const Request& request) {
  const std::string& node = request.parameter("node");
  if (!api::is_node_name(node))
    return Error{Code::invalid_argument, "the node's name is not one", "node_invalid"};
  const Json body = TRY(base::parse_json(request.body, {.bytes_max = kReportMax}));
  const api::StatusReport report = TRY(api::read_status_report(body));
  const std::int64_t sequence = TRY(service.report(node, report));
  return Response::json({{"acknowledged", sequence}});
}

constexpr rest::Scope kReport{"agent:report"};

constexpr rest::Route<MasterService> kRoutes[] = {
    {Method::get, "/v2/tasks", kAppRead, Run::on_worker, list_tasks, "All tasks"},
    {Method::post,
     "/v2/tasks/delete",
     kAppWrite,
     Run::on_worker,
     delete_tasks,
     "Kill tasks",
     {.body_max = 1 << 20}},
    {Method::get, "/v2/queue", kAppRead, Run::on_worker, list_queue,
     "Applications that wait for a place or for their back-off"},
    {Method::del, "/v2/queue/{id...}", kAppWrite, Run::on_worker, reset_delay,
     "End an application's back-off with /delay"},
    {Method::get, "/v2/deployments", kAppRead, Run::on_worker, list_deployments,
     "Deployments under way"},
    {Method::del, "/v2/deployments/{id}", kAppWrite, Run::on_worker, delete_deployment,
     "Roll a deployment back, or with force=true end it"},
    {Method::put,
     "/internal/v1/agents/{node}/status",
     kReport,
     Run::on_loop,
     take_report,
     "An agent's report on its instances",
     {.body_max = kReportMax}},
};

}  // namespace

std::span<const rest::Route<MasterService>> task_routes() { return kRoutes; }

}  // namespace node::master
