// SPDX-License-Identifier: Apache-2.0
#include "services/framework/dialect.h"

#include <nlohmann/json.hpp>

namespace services {

using base::Code;
using base::Error;
using base::Json;

namespace {

std::string told(const Error& error, const rest::Request& request) {
  if (error.code == Code::internal || error.code == Code::corrupt) {
    return "see the log, request " + request.id;
  }
  if (error.pointer.empty()) return error.detail;
  return error.pointer + " " + error.detail;
}

std::string_view oauth_code(const Error& error) {
  if (error.reason == "invalid_grant" || error.reason == "invalid_client" ||
      error.reason == "unsupported_grant_type" || error.reason == "invalid_scope" ||
      error.reason == "unauthorized_client" || error.reason == "access_denied") {
    return error.reason;
  }
  if (error.code == Code::unauthenticated) return "invalid_client";
  return "invalid_request";
}

bool is_oauth(const rest::Request& request) {
  return request.path.find("/oauth/") != std::string::npos;
}

}  // namespace

bool wants_problem(const rest::Request& request) {
  const auto accept = request.find_header("accept");
  return accept && accept->find("application/problem+json") != std::string_view::npos;
}

int dialect_status(Dialect dialect, const Error& error) {
  if (error.reason == "schema_violated" || error.reason == "idempotency_key_reused" ||
      error.reason.starts_with("property_")) {
    return dialect == Dialect::security ? 400 : 422;
  }
  if (error.reason == "held_by_change") return 423;
  return rest::http_status(error);
}

rest::Response render_error(Dialect dialect, const Error& error, const rest::Request& request) {
  const int status = dialect_status(dialect, error);
  rest::Response reply = rest::problem(error, request.id);
  if (reply.status != status) {
    Json body = Json::parse(reply.body, nullptr, false);
    body["status"] = reply.status = status;
    reply.body = base::dump_json(body);
  }
  if (dialect != Dialect::problem && !wants_problem(request)) {
    const std::string message = told(error, request);
    Json body;
    if (dialect == Dialect::security && is_oauth(request) && status < 500) {
      body = {{"error", oauth_code(error)}, {"error_description", message}};
      reply = rest::Response::json(body, status == 401 || status == 429 ? status : 400);
    } else if (dialect == Dialect::security) {
      body = {{"code", status},
              {"message", message},
              {"resource", request.path},
              {"developerMessage", std::string(error.reason)}};
      reply = rest::Response::json(body, status);
    } else if (dialect == Dialect::confluent) {
      body = {{"error_code", status == 404 ? 40401 : status}, {"message", message}};
      reply = rest::Response::json(body, status);
    } else {
      body = {{"code", status}, {"message", message}};
      reply = rest::Response::json(body, status);
    }
  }
  if (reply.status == 429 || reply.status == 503) reply.headers.emplace("Retry-After", "1");
  return reply;
}

}  // namespace services
