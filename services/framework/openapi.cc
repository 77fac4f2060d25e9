// SPDX-License-Identifier: Apache-2.0
// The action tables as OpenAPI 3.1 and as a list.
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "services/framework/running_host.h"

namespace services {

using base::Json;

namespace {

std::string_view access_name(Access::Kind kind) {
  switch (kind) {
    case Access::Kind::anonymous: return "anonymous";
    case Access::Kind::authenticated: return "authenticated";
    case Access::Kind::right: return "right";
    case Access::Kind::entitlement: return "entitlement";
  }
  return "";
}

Json parameter(std::string_view name, std::string_view where, bool required, Json schema) {
  return {{"name", name}, {"in", where}, {"required", required}, {"schema", std::move(schema)}};
}

// "/meta/{path...}" is "/meta/{path}" there.
std::string openapi_path(std::string path) {
  for (std::size_t at; (at = path.find("...}")) != std::string::npos;) path.erase(at, 3);
  return path;
}

Json parameters_of(const ActionRow& row, const std::string& path) {
  Json list = Json::array();
  for (const std::string_view segment : base::split(path, '/')) {
    if (!segment.starts_with('{')) continue;
    list.push_back(
        parameter(segment.substr(1, segment.size() - 2), "path", true, Json{{"type", "string"}}));
  }
  list.push_back(parameter("explain", "query", false, Json{{"type", "boolean"}}));
  if (row.kind == Kind::mutation) {
    list.push_back(parameter("dryrun", "query", false, Json{{"type", "boolean"}}));
    list.push_back(parameter("Idempotency-Key", "header", false,
                             Json{{"type", "string"}, {"maxLength", kIdempotencyKeyMax}}));
    list.push_back(parameter("If-Match", "header", false, Json{{"type", "string"}}));
  }
  return list;
}

Json operation(const ActionRow& row, const std::string& path, const Json* body, const Json* reply) {
  Json json = {{"operationId", row.name + (path.find("/orgs/{org}") == std::string::npos &&
                                                   row.path.starts_with("/orgs/{org}")
                                               ? ".byName"
                                               : "")},
               {"summary", row.summary},
               {"tags", {row.service}},
               {"parameters", parameters_of(row, path)},
               {"x-access", std::string(access_name(row.access.kind()))},
               {"x-kind", row.kind == Kind::query ? "query" : "mutation"},
               {"x-action", row.name}};
  if (!row.access.name().empty()) json["x-grant"] = std::string(row.access.name());
  if (row.access.kind() == Access::Kind::anonymous) {
    json["security"] = Json::array();
  }
  if (body != nullptr) {
    const char* type = row.has(kForm) ? "application/x-www-form-urlencoded" : "application/json";
    json["requestBody"] = {{"required", true}, {"content", {{type, {{"schema", *body}}}}}};
  }
  Json good = {{"description", "as asked"}};
  if (reply != nullptr) good["content"]["application/json"]["schema"] = *reply;
  json["responses"]["2XX"] = std::move(good);
  if (row.has(kAsync)) {
    json["responses"]["202"] = {{"description", "a task was made; Location leads to it"}};
  }
  json["responses"]["default"] = {
      {"description", "what went wrong"},
      {"content",
       {{"application/problem+json", {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}};
  return json;
}

}  // namespace

Json RunningHost::openapi(std::string_view version) const {
  Json paths = Json::object();
  for (const auto& [place, index] : row_of_path_) {
    const ActionRow& row = rows_[index];
    const std::string path = openapi_path(place.second);
    std::string method = base::lower(rest::method_name(row.method));
    paths[path][method] =
        operation(row, path, row_schemas_[index].body.get(), row_schemas_[index].reply.get());
  }
  Json schemas = schemas_.components();
  schemas["Problem"] = {{"type", "object"},
                        {"properties",
                         {{"type", {{"type", "string"}}},
                          {"title", {{"type", "string"}}},
                          {"status", {{"type", "integer"}}},
                          {"detail", {{"type", "string"}}},
                          {"instance", {{"type", "string"}}}}}};
  return {{"openapi", "3.1.0"},
          {"info", {{"title", "gestalt-services"}, {"version", version}}},
          {"security", {{{"key", Json::array()}}, {{"token", Json::array()}}}},
          {"paths", std::move(paths)},
          {"components",
           {{"schemas", std::move(schemas)},
            {"securitySchemes",
             {{"key", {{"type", "http"}, {"scheme", "basic"}}},
              {"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
}

Json RunningHost::dump_actions() const {
  Json list = Json::array();
  for (const auto& [place, index] : row_of_path_) {
    const ActionRow& row = rows_[index];
    list.push_back({{"method", std::string(rest::method_name(row.method))},
                    {"path", place.second},
                    {"action", row.name},
                    {"service", row.service},
                    {"access", std::string(access_name(row.access.kind()))},
                    {"grant", std::string(row.access.name())},
                    {"kind", row.kind == Kind::query ? "query" : "mutation"},
                    {"async", row.has(kAsync)},
                    {"gated", row.kind == Kind::mutation && !row.has(kUngated)},
                    {"audited", row.kind == Kind::mutation && !row.has(kUnaudited)}});
  }
  return list;
}

}  // namespace services
