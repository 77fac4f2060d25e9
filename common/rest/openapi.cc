// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/rest/route.h"

namespace rest {

using base::Json;

namespace {

// "/v2/apps/{id...}" is "/v2/apps/{id}" in OpenAPI, which has no parameter over several segments.
std::string template_of(std::string_view path) {
  std::string out(path);
  for (std::size_t at = 0; (at = out.find("...}", at)) != std::string::npos;) out.erase(at, 3);
  return out;
}

Json parameters_of(std::string_view path) {
  Json parameters = Json::array();
  for (const std::string_view segment : base::split(path, '/')) {
    if (!segment.starts_with('{')) continue;
    const bool rest = segment.ends_with("...}");
    const std::string name(segment.substr(1, segment.size() - (rest ? 5 : 2)));
    Json parameter = {
        {"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}};
    if (rest) parameter["description"] = "One or more path segments; slashes need not be encoded.";
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

std::string operation_id(const Row& row) {
  std::string id = base::lower(method_name(row.method));
  for (const char c : row.path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain) {
      id += c;
    } else if (id.back() != '_') {
      id += '_';
    }
  }
  while (id.back() == '_') id.pop_back();
  return id;
}

// OpenAPI 3.1 lets schemes other than OAuth list the roles that a call needs.
Json security_of(const Scope& scope) {
  if (scope.is_public()) return Json::array();
  const Json roles = Json::array({std::string(scope.name())});
  return Json::array({Json{{"bearer", roles}}, Json{{"basic", roles}}});
}

Json operation_of(const Row& row) {
  const std::string scope(row.scope.name());
  Json operation = {{"operationId", operation_id(row)},
                    {"summary", row.summary},
                    {"x-gestalt-scope", scope},
                    {"security", security_of(row.scope)},
                    {"responses",
                     {{"2XX", {{"description", "Success"}}},
                      {"default", {{"$ref", "#/components/responses/Problem"}}}}}};
  const bool has_body = row.method != Method::get && row.method != Method::del;
  if (has_body) {
    operation["requestBody"] = {{"content", {{"application/json", {{"schema", Json::object()}}}}},
                                {"x-gestalt-bytes-max", row.limits.body_max}};
  }
  if (const Json parameters = parameters_of(row.path); !parameters.empty()) {
    operation["parameters"] = parameters;
  }
  return operation;
}

Json problem_schema() {
  const Json text = {{"type", "string"}};
  return {{"type", "object"},
          {"required", {"type", "title", "status", "detail", "instance"}},
          {"properties",
           {{"type", text},
            {"title", text},
            {"status", {{"type", "integer"}}},
            {"detail", text},
            {"instance", text},
            {"errors",
             {{"type", "array"},
              {"items",
               {{"type", "object"}, {"properties", {{"pointer", text}, {"detail", text}}}}}}}}}};
}

}  // namespace

Json make_openapi(const RouteTable& table, std::string_view title, std::string_view version) {
  Json paths = Json::object();
  for (const Row& row : table.rows()) {
    paths[template_of(row.path)][base::lower(method_name(row.method))] = operation_of(row);
  }
  return {{"openapi", "3.1.0"},
          {"info", {{"title", std::string(title)}, {"version", std::string(version)}}},
          {"paths", std::move(paths)},
          {"components",
           {{"schemas", {{"Problem", problem_schema()}}},
            {"responses",
             {{"Problem",
               {{"description", "What is wrong (RFC 9457); `type` ends in the reason"},
                {"content",
                 {{"application/problem+json",
                   {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}}}}},
            {"securitySchemes",
             {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}},
              {"basic", {{"type", "http"}, {"scheme", "basic"}}}}}}}};
}

Json dump_routes(const RouteTable& table) {
  Json routes = Json::array();
  for (const Row& row : table.rows()) {
    routes.push_back({{"method", std::string(method_name(row.method))},
                      {"path", row.path},
                      {"scope", std::string(row.scope.name())},
                      {"run", row.run == Run::on_loop ? "on_loop" : "on_worker"}});
  }
  return routes;
}

}  // namespace rest
