// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "common/rest/server.h"

namespace rest {

void add_standard_routes(RouteTable& table, Metrics& metrics, std::string title,
                         std::function<base::Json()> health, Scope health_scope) {
  table.add(Row{Method::get,
                "/health",
                health_scope,
                Run::on_loop,
                [health = std::move(health)](const Request&) -> base::Result<Response> {
                  return Response::json(health());
                },
                "State of the daemon",
                {}});
  table.add(Row{Method::get,
                "/metrics",
                Scope("metrics:read"),
                Run::on_loop,
                [&metrics](const Request&) -> base::Result<Response> {
                  return Response::text(metrics.render(),
                                        "text/plain; version=0.0.4; charset=utf-8");
                },
                "Figures in Prometheus' text format",
                {}});
  table.add(Row{Method::get,
                "/openapi.json",
                Scope("health:read"),
                Run::on_loop,
                [&table, title = std::move(title)](const Request&) -> base::Result<Response> {
                  return Response::json(make_openapi(table, title, GESTALT_VERSION));
                },
                "This interface",
                {}});
}

}  // namespace rest
