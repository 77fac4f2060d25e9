// SPDX-License-Identifier: Apache-2.0
// What a Marathon says of itself: ping, info, leader, plugins, events; health and metrics; and what
// it does not have: pods, secrets.
#include <nlohmann/json.hpp>

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

constexpr const char* kMarathonVersion = "1.11.24";

Result<Response> ping(MasterService&, const Request&) { return Response::text("pong\n"); }

Result<Response> health(MasterService& service, const Request&) {
  return Response::json(service.health());
}

// Prometheus' text; JSON for clients that ask for it, as Marathon's own clients do.
Result<Response> metrics(MasterService& service, const Request& request) {
  const auto accept = request.find_header("accept").value_or("");
  if (accept.find("application/json") == std::string_view::npos)
    return Response::text(service.metrics().render(), "text/plain; version=0.0.4; charset=utf-8");
  Json gauges = Json::object();
  const Scheduler& scheduler = service.scheduler();
  std::map<std::string, int> states = {{"TASK_RUNNING", 0}, {"TASK_STAGING", 0}};
  for (const auto& [id, instance] : scheduler.instances()) ++states[task_state(instance)];
  gauges["marathon.apps.active.gauge"] = {{"value", scheduler.apps().size()}};
  gauges["marathon.deployments.active.gauge"] = {{"value", scheduler.deployments().size()}};
  gauges["marathon.instances.running.gauge"] = {{"value", states["TASK_RUNNING"]}};
  gauges["marathon.instances.staged.gauge"] = {{"value", states["TASK_STAGING"]}};
  gauges["marathon.groups.active.gauge"] = {{"value", scheduler.groups().size() + 1}};
  return Response::json({{"version", "3.0.0"},
                         {"gauges", std::move(gauges)},
                         {"counters", Json::object()},
                         {"histograms", Json::object()},
                         {"meters", Json::object()},
                         {"timers", Json::object()}});
}

std::string place(const MasterService& service) {
  return service.options().address + ":" + std::to_string(service.options().http_port);
}

Result<Response> info(MasterService& service, const Request&) {
  const std::string mesos =
      "http://" + service.options().address + ":" + std::to_string(service.options().mesos_port);
  return Response::json(
      {{"name", "marathon"},
       {"version", kMarathonVersion},
       {"buildref", "gestalt"},
       {"elected", true},
       {"leader", place(service)},
       {"frameworkId", service.identity().framework_id},
       {"marathon_config",
        {{"master", mesos + "/"},
         {"ha", false},
         {"hostname", service.options().address},
         {"framework_name", "marathon"},
         {"checkpoint", true},
         {"local_port_min", 10000},
         {"local_port_max", 20000},
         {"mesos_leader_ui_url", mesos},
         {"features", Json::array()},
         {"webui_url", nullptr}}},
       {"zookeeper_config", {{"zk", nullptr}, {"zk_hosts", nullptr}, {"zk_max_versions", 25}}},
       {"event_subscriber", nullptr},
       {"http_config", {{"http_port", service.options().http_port}, {"https_port", nullptr}}}});
}

Result<Response> leader(MasterService& service, const Request&) {
  return Response::json({{"leader", place(service)}});
}

// Marathon's leader steps down on DELETE. A single masterd has nobody to hand over to.
Result<Response> abdicate(MasterService&, const Request&) {
  return Error{Code::failed_precondition, "there is no other masterd that could lead",
               "no_other_leader"};
}

// Server-sent events, until the client goes.
Result<Response> events(MasterService& service, const Request& request) {
  EventFilter filter = TRY(read_event_filter(request));
  return Response::event_stream(service.events().attach(std::move(filter), request.peer));
}

// HTTP callbacks went with Marathon 1.5; the answer is the one it gives since.
Result<Response> subscriptions(MasterService&, const Request&) {
  return Error{Code::unsupported,
               "http event callback system is not running on this Marathon instance. Please "
               "re-start this instance with \"--event_subscriber http_callback\".",
               "callbacks_unavailable"};
}

Result<Response> plugins(MasterService&, const Request&) {
  return Response::json({{"plugins", Json::array()}});
}

Result<Response> no_pods(MasterService&, const Request&) { return Response::json(Json::array()); }

// One pod, or with "::status" the states of all, of which there are none.
Result<Response> no_such_pod(MasterService&, const Request& request) {
  const std::string& id = request.parameter("id");
  if (request.method == Method::get && id == "::status") return Response::json(Json::array());
  return Error{Code::not_found, "Pod '/" + id + "' does not exist", "pod_unknown"};
}

Result<Response> refuse_pod(MasterService&, const Request&) {
  return Error{Code::unsupported, "pods are not available", "pods_unavailable"};
}

// DC/OS has a store of secrets at this place; see docs/decisions/0020-no-store-of-secrets.md.
Result<Response> refuse_secret(MasterService&, const Request&) {
  return Error{Code::unsupported,
               "there is no store of secrets: give an application a file in a volume",
               "secrets_unavailable"};
}

// Whoever cleans up behind an application finds that there is nothing to clean up.
Result<Response> no_such_secret(MasterService&, const Request& request) {
  return Error{Code::not_found, "there is no secret '" + request.parameter("id") + "'",
               "secret_unknown"};
}

constexpr rest::Scope kHealth{"health:read"};
constexpr rest::Scope kMetrics{"metrics:read"};

constexpr rest::Route<MasterService> kRoutes[] = {
    {Method::get, "/ping", kHealth, Run::on_loop, ping, "pong"},
    {Method::get, "/health", kHealth, Run::on_loop, health, "State of the daemon"},
    {Method::get, "/metrics", kMetrics, Run::on_loop, metrics, "Figures, Prometheus or JSON"},
    {Method::get, "/metrics/prometheus", kMetrics, Run::on_loop, metrics, "Figures, Prometheus"},
    {Method::get, "/v2/info", kAppRead, Run::on_loop, info, "What this Marathon is"},
    {Method::get, "/v2/leader", kAppRead, Run::on_loop, leader, "Which masterd leads"},
    {Method::del, "/v2/leader", kAppWrite, Run::on_loop, abdicate, "Hand over leadership"},
    {Method::get, "/v2/events", kAppRead, Run::on_loop, events, "The event stream (SSE)"},
    {Method::get, "/v2/eventSubscriptions", kAppRead, Run::on_loop, subscriptions,
     "HTTP callbacks; gone since Marathon 1.5"},
    {Method::post, "/v2/eventSubscriptions", kAppWrite, Run::on_loop, subscriptions,
     "HTTP callbacks; gone since Marathon 1.5"},
    {Method::del, "/v2/eventSubscriptions", kAppWrite, Run::on_loop, subscriptions,
     "HTTP callbacks; gone since Marathon 1.5"},
    {Method::get, "/v2/plugins", kAppRead, Run::on_loop, plugins, "Plugins: none"},
    {Method::get, "/v2/pods", kAppRead, Run::on_loop, no_pods, "Pods: none"},
    {Method::post, "/v2/pods", kAppWrite, Run::on_loop, refuse_pod, "Pods are not available"},
    {Method::get, "/v2/pods/{id...}", kAppRead, Run::on_loop, no_such_pod, "A pod: none"},
    {Method::put, "/v2/pods/{id...}", kAppWrite, Run::on_loop, refuse_pod,
     "Pods are not available"},
    {Method::del, "/v2/pods/{id...}", kAppWrite, Run::on_loop, no_such_pod, "A pod: none"},
    {Method::put, "/secret/{store}/{id...}", kAppWrite, Run::on_loop, refuse_secret,
     "Secrets are not available"},
    {Method::del, "/secret/{store}/{id...}", kAppWrite, Run::on_loop, no_such_secret,
     "A secret: none"},
};

}  // namespace

std::span<const rest::Route<MasterService>> info_routes() { return kRoutes; }

void add_routes(rest::RouteTable& table, MasterService* service) {
  for (const auto rows :
       {app_routes(), group_routes(), task_routes(), info_routes(), mesos_routes()})
    add_marathon_rows(table, rows, service);
  table.add(rest::Row{Method::get,
                      "/openapi.json",
                      kHealth,
                      Run::on_loop,
                      [&table](const Request&) -> Result<Response> {
                        return Response::json(
                            rest::make_openapi(table, "masterd", GESTALT_VERSION));
                      },
                      "This interface",
                      {}});
}

}  // namespace node::master
