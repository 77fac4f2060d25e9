// SPDX-License-Identifier: Apache-2.0
// Mesos' master, read-only: what mesos-dns and old dashboards ask for.
#include <nlohmann/json.hpp>

#include "node/master/routes.h"

namespace node::master {
namespace {

using base::Json;
using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;
using rest::Run;

Result<Response> state(MasterService& service, const Request&) {
  return Response::json(mesos_state(service.scheduler(), service.identity()));
}
Result<Response> summary(MasterService& service, const Request&) {
  return Response::json(mesos_summary(service.scheduler(), service.identity()));
}
Result<Response> slaves(MasterService& service, const Request&) {
  return Response::json(mesos_slaves(service.scheduler()));
}
Result<Response> tasks(MasterService& service, const Request&) {
  return Response::json(mesos_tasks(service.scheduler(), service.identity()));
}
Result<Response> frameworks(MasterService& service, const Request&) {
  return Response::json(mesos_frameworks(service.scheduler(), service.identity()));
}
Result<Response> snapshot(MasterService& service, const Request&) {
  return Response::json(mesos_metrics(service.scheduler()));
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
    {Method::get, "/state", kAppRead, Run::on_loop, state, "Mesos: the whole state"},
    {Method::get, "/state.json", kAppRead, Run::on_loop, state, "Mesos: the whole state"},
    {Method::get, "/master/state", kAppRead, Run::on_loop, state, "Mesos: the whole state"},
    {Method::get, "/master/state.json", kAppRead, Run::on_loop, state, "Mesos: the whole state"},
    {Method::get, "/state-summary", kAppRead, Run::on_loop, summary, "Mesos: the state in brief"},
    {Method::get, "/master/state-summary", kAppRead, Run::on_loop, summary,
     "Mesos: the state in brief"},
    {Method::get, "/slaves", kAppRead, Run::on_loop, slaves, "Mesos: the nodes"},
    {Method::get, "/master/slaves", kAppRead, Run::on_loop, slaves, "Mesos: the nodes"},
    {Method::get, "/tasks", kAppRead, Run::on_loop, tasks, "Mesos: the tasks"},
    {Method::get, "/master/tasks", kAppRead, Run::on_loop, tasks, "Mesos: the tasks"},
    {Method::get, "/frameworks", kAppRead, Run::on_loop, frameworks, "Mesos: the one framework"},
    {Method::get, "/metrics/snapshot", kAppRead, Run::on_loop, snapshot, "Mesos: figures"},
    {Method::get, "/version", kAppRead, Run::on_loop, version, "Mesos: version"},
    {Method::get, "/redirect", kAppRead, Run::on_loop, redirect, "Mesos: where the leader is"},
    {Method::get, "/master/redirect", kAppRead, Run::on_loop, redirect,
     "Mesos: where the leader is"},
};

}  // namespace

std::span<const rest::Route<MasterService>> mesos_routes() { return kRoutes; }

}  // namespace node::master
