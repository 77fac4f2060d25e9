// SPDX-License-Identifier: Apache-2.0
// Mesos' master, read-only: what mesos-dns and old dashboards ask for.
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/rest/client.h"
#include "node/master/reads.h"
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

constexpr auto kAgentPatience = std::chrono::seconds(10);

// Reads on a worker: the nodes and counts first, the tasks bite by bite.
Result<MesosView> look(MasterService& service) {
  MesosView view;
  TRY(service.read(
      [&](const Scheduler& scheduler) { view = look_at_mesos(scheduler, service.identity()); }));
  return view;
}

Result<MesosTasks> read_tasks(MasterService& service, const MesosIdentity& identity) {
  MesosTasks tasks;
  TRY(read_instances(service, [&](const Instance& instance, const App* app) {
    tasks.add(instance, app, identity);
  }));
  return tasks;
}

Result<Response> state(MasterService& service, const Request&) {
  const MesosView view = TRY(look(service));
  MesosTasks tasks = TRY(read_tasks(service, view.identity));
  return Response::json_text(mesos_state(view, tasks));
}
Result<Response> frameworks(MasterService& service, const Request&) {
  const MesosView view = TRY(look(service));
  MesosTasks tasks = TRY(read_tasks(service, view.identity));
  return Response::json_text(mesos_frameworks(view, tasks));
}
Result<Response> tasks(MasterService& service, const Request&) {
  const MesosView view = TRY(look(service));
  ListText list;
  TRY(read_instances(service, [&](const Instance& instance, const App* app) {
    list.add(mesos_task(instance, app, view.identity));
  }));
  return Response::json_text(R"({"tasks":)" + list.take() + "}");
}
Result<Response> summary(MasterService& service, const Request&) {
  return Response::json(mesos_summary(TRY(look(service))));
}
Result<Response> slaves(MasterService& service, const Request&) {
  return Response::json(mesos_slaves(TRY(look(service))));
}
Result<Response> snapshot(MasterService& service, const Request&) {
  return Response::json(mesos_metrics(TRY(look(service))));
}
// DC/OS shows an agent's pages below the master; who scales by load asks for this one.
// Errors: not_found node_unknown; unavailable agent_unreachable.
Result<Response> statistics(MasterService& service, const Request& request) {
  const std::string& id = request.parameter("id");
  bool known = false;
  TRY(service.read([&](const Scheduler& scheduler) {
    const auto found = scheduler.nodes().find(id);
    known = found != scheduler.nodes().end() && found->second.known;
  }));
  if (!known) return Error{Code::not_found, "there is no node '" + id + "'", "node_unknown"};
  // The agent at our socket answers for its own name only.
  sys::HttpCall call =
      rest::make_call({.url = "unix:" + service.options().agent_socket}, Method::get,
                      "/slave/" + base::percent_encode(id) + "/monitor/statistics");
  call.timeout = kAgentPatience;
  sys::HttpClient http;
  const auto reply = http.send(call);
  const Result<Json> list = reply ? rest::read_reply(*reply) : Result<Json>(reply.error());
  if (!list)
    return Error{Code::unavailable, "the agent of '" + id + "': " + list.error().detail,
                 "agent_unreachable"};
  return Response::json(*list);
}

Result<Response> version(MasterService&, const Request&) {
  return Response::json({{"version", "1.11.0"}, {"build_user", "gestalt"}});
}

// Mesos sends clients to the leader; that is us.
Result<Response> redirect(MasterService& service, const Request&) {
  Response response;
  response.status = 307;
  response.headers["Location"] =
      "//" + service.options().address + ":" + std::to_string(service.options().mesos_port);
  return response;
}

constexpr rest::Route<MasterService> kRoutes[] = {
    {Method::get, "/state", kAppRead, Run::on_worker, state, "Mesos: the whole state"},
    {Method::get, "/state.json", kAppRead, Run::on_worker, state, "Mesos: the whole state"},
    {Method::get, "/master/state", kAppRead, Run::on_worker, state, "Mesos: the whole state"},
    {Method::get, "/master/state.json", kAppRead, Run::on_worker, state, "Mesos: the whole state"},
    {Method::get, "/state-summary", kAppRead, Run::on_worker, summary, "Mesos: the state in brief"},
    {Method::get, "/master/state-summary", kAppRead, Run::on_worker, summary,
     "Mesos: the state in brief"},
    {Method::get, "/slaves", kAppRead, Run::on_worker, slaves, "Mesos: the nodes"},
    {Method::get, "/master/slaves", kAppRead, Run::on_worker, slaves, "Mesos: the nodes"},
    {Method::get, "/tasks", kAppRead, Run::on_worker, tasks, "Mesos: the tasks"},
    {Method::get, "/master/tasks", kAppRead, Run::on_worker, tasks, "Mesos: the tasks"},
    {Method::get, "/frameworks", kAppRead, Run::on_worker, frameworks, "Mesos: the one framework"},
    {Method::get, "/metrics/snapshot", kAppRead, Run::on_worker, snapshot, "Mesos: figures"},
    {Method::get, "/slave/{id}/monitor/statistics", kAppRead, Run::on_worker, statistics,
     "Mesos: what the instances of a node use"},
    {Method::get, "/slave/{id}/monitor/statistics.json", kAppRead, Run::on_worker, statistics,
     "Mesos: what the instances of a node use"},
    {Method::get, "/version", kAppRead, Run::on_loop, version, "Mesos: version"},
    {Method::get, "/redirect", kAppRead, Run::on_loop, redirect, "Mesos: where the leader is"},
    {Method::get, "/master/redirect", kAppRead, Run::on_loop, redirect,
     "Mesos: where the leader is"},
};

}  // namespace

std::span<const rest::Route<MasterService>> mesos_routes() { return kRoutes; }

}  // namespace node::master
