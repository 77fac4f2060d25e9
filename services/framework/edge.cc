// SPDX-License-Identifier: Apache-2.0
// The host's edge to HTTP: what no row answers, OPTIONS, and the headers that browsers want.
#include "common/base/text.h"
#include "services/framework/dialect.h"
#include "services/framework/running_host.h"

namespace services {

using base::Code;
using base::Error;
using base::Result;

Dialect RunningHost::dialect_of(std::string_view path) const {
  const std::size_t end = path.find('/', 1);
  const auto found = dialects_.find(path.substr(0, end));
  return found == dialects_.end() ? Dialect::problem : found->second;
}

// Failures that no row has seen. Who shows no valid credentials learns nothing about the paths.
rest::Response RunningHost::render_unrouted(const Error& error, const rest::Request& request) {
  Error told = error;
  if (error.reason == "route_unknown" || error.reason == "method_not_allowed") {
    CallerPtr caller;
    const auto shown = request.find_header("authorization");
    const bool is_peer = !shown && request.principal.name.starts_with("uid:0");
    if (identity_ != nullptr && (shown || is_peer)) {
      const Presented presented{shown.value_or(""),
                                is_peer ? std::optional<uid_t>(0) : std::nullopt};
      const Result<void> read = store().read([&](store::Reader& reader) -> Result<void> {
        caller = TRY(identity_->authenticate(reader, presented));
        return {};
      });
      if (!read) caller.reset();
    }
    if (!caller) {
      told = Error{Code::unauthenticated, "this needs credentials", "credentials_missing"};
    }
  }
  rest::Response reply = render_error(dialect_of(request.path), told, request);
  add_cors(request, reply);
  return reply;
}

rest::Response RunningHost::answer_options(const rest::Request& request) const {
  rest::Response reply = rest::Response::no_content();
  std::string allow = "OPTIONS";
  for (const rest::Method method : table_.methods(request.path)) {
    allow += ", " + std::string(rest::method_name(method));
  }
  reply.headers["Allow"] = allow;
  add_cors(request, reply);
  if (reply.headers.contains("Access-Control-Allow-Origin")) {
    reply.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
    reply.headers["Access-Control-Allow-Headers"] =
        "Authorization, Content-Type, Accept, If-Match, If-None-Match, Idempotency-Key, Prefer, "
        "traceparent";
    reply.headers["Access-Control-Max-Age"] = "600";
  }
  return reply;
}

void RunningHost::add_cors(const rest::Request& request, rest::Response& reply) const {
  const auto origin = request.find_header("origin");
  if (!origin) return;
  for (const std::string& allowed : options_.cors_origins) {
    if (allowed != "*" && allowed != *origin) continue;
    reply.headers["Access-Control-Allow-Origin"] = std::string(*origin);
    reply.headers["Access-Control-Expose-Headers"] =
        "ETag, Location, Request-Time, Retry-After, X-Request-Id";
    reply.headers["Vary"] = "Origin";
    return;
  }
}

}  // namespace services
