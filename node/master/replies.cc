// SPDX-License-Identifier: Apache-2.0
#include "node/master/replies.h"

#include <nlohmann/json.hpp>

#include "node/master/service.h"

namespace node::master {
namespace {

using base::Json;
using rest::Response;

// Where DC/OS serves its Marathon: clients made for it ask there.
constexpr std::string_view kClusterPrefix = "/service/marathon";

Json body_of(const Response& response) {
  auto body = base::parse_json(response.body);
  return body ? *std::move(body) : Json::object();
}

}  // namespace

Response error_reply(const base::Error& error, const rest::Request& request) {
  Response response = rest::problem(error, request.id);
  Json body = body_of(response);
  // python3-marathon reads a message from exactly this type only.
  response.headers["Content-Type"] = "application/json";
  body["message"] = body.value("detail", error.detail);
  if (!error.pointer.empty())
    body["details"] =
        Json::array({{{"path", error.pointer}, {"errors", Json::array({body["message"]})}}});
  response.body = base::dump_json(body);
  return response;
}

Response invalid_reply(const Problems& problems, const rest::Request& request) {
  constexpr int kUnprocessable = 422;
  Response response =
      error_reply({base::Code::invalid_argument, problems.text(), "definition_invalid"}, request);
  Json body = body_of(response);
  body.update(problems.to_json());
  body["status"] = kUnprocessable;
  response.status = kUnprocessable;
  response.body = base::dump_json(body);
  return response;
}

Response locked_reply(const std::vector<std::string>& deployments, const rest::Request& request) {
  Response response = error_reply(
      {base::Code::failed_precondition,
       "App is locked by one or more deployments. Override with the option '?force=true'. View "
       "details at '/v2/deployments/<DEPLOYMENT_ID>'.",
       "app_locked"},
      request);
  Json body = body_of(response);
  body["deployments"] = Json::array();
  for (const std::string& id : deployments) body["deployments"].push_back({{"id", id}});
  response.body = base::dump_json(body);
  return response;
}

Response deployment_reply(const Accepted& accepted, int status) {
  return Response::json({{"version", accepted.version}, {"deploymentId", accepted.deployment}},
                        status)
      .with("Marathon-Deployment-Id", accepted.deployment);
}

void add_marathon_rows(rest::RouteTable& table, std::span<const rest::Route<MasterService>> rows,
                       MasterService* service) {
  for (const rest::Route<MasterService>& row : rows) {
    const auto handle = [handler = row.handler,
                         service](const rest::Request& request) -> base::Result<Response> {
      if (service == nullptr) return base::Error{base::Code::internal, "no service", "internal"};
      base::Result<Response> result = handler(*service, request);
      Response response = result ? *std::move(result) : error_reply(result.error(), request);
      const ServiceOptions& options = service->options();
      response.headers["X-Marathon-Leader"] =
          "http://" + options.address + ":" + std::to_string(options.http_port);
      return response;
    };
    table.add(rest::Row{row.method, std::string(row.path), row.scope, row.run, handle,
                        std::string(row.summary), row.limits});
    if (!row.path.starts_with("/v2/") && row.path != "/ping") continue;
    table.add(rest::Row{row.method, std::string(kClusterPrefix) + std::string(row.path), row.scope,
                        row.run, handle, std::string(row.summary), row.limits});
  }
}

}  // namespace node::master
