// SPDX-License-Identifier: Apache-2.0
// The action tables as OpenAPI 3.1 and as a list.
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "services/framework/reply_forms.h"
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
  if (row.is_mutation()) {
    list.push_back(parameter("dryrun", "query", false, Json{{"type", "boolean"}}));
  }
  if (row.kind == Kind::mutation) {
    list.push_back(parameter("Idempotency-Key", "header", false,
                             Json{{"type", "string"}, {"maxLength", kIdempotencyKeyMax}}));
    list.push_back(parameter("If-Match", "header", false, Json{{"type", "string"}}));
  }
  return list;
}

Json any_of(Json forms) {
  if (forms.size() == 1) return forms[0];
  return Json{{"anyOf", std::move(forms)}};
}

Json content_of(const std::vector<std::string_view>& types, const Json& schema) {
  Json content = Json::object();
  for (const std::string_view type : types) content[std::string(type)]["schema"] = schema;
  return content;
}

// The good replies: the row's own, and what the flags of the query make of it.
Json good_reply(const ActionRow& row, Dialect dialect, const Json* reply) {
  Json flagged = Json::array({reference_to("Explained")});
  if (row.is_mutation()) flagged.insert(flagged.begin(), reference_to(dry_run_form(row)));
  Json content = Json::object();
  const bool is_plain_json = json_types(dialect).front() == "application/json";
  if (reply != nullptr && is_plain_json) flagged.insert(flagged.begin(), *reply);
  content["application/json"]["schema"] = any_of(std::move(flagged));
  if (reply != nullptr && !is_plain_json) {
    content.update(content_of(json_types(dialect), any_of({*reply, reference_to("Explained")})));
  }
  if (row.has(kStream)) content["text/event-stream"] = Json::object();
  if (reply == nullptr) content["*/*"] = Json::object();
  return {{"description", "as asked"}, {"content", std::move(content)}};
}

Json task_reply(const Json* reply) {
  Json forms = Json::array({reference_to("Task")});
  if (reply != nullptr) {
    forms.push_back(*reply);
    forms.push_back(reference_to("Explained"));
  }
  return {{"description",
           "begun, held by change management or suppressed by a rule: a task, to which "
           "Location leads"},
          {"headers", {{"Location", {{"schema", {{"type", "string"}}}}}}},
          {"content", content_of({"application/json"}, any_of(std::move(forms)))}};
}

Json failure_reply(const ActionRow& row, Dialect dialect) {
  Json content = content_of({"application/problem+json"}, reference_to("Problem"));
  Json forms = Json::array();
  for (const std::string_view form : error_forms(dialect, row)) forms.push_back(reference_to(form));
  if (!forms.empty()) {
    std::vector<std::string_view> types = json_types(dialect);
    types.push_back("application/json");
    content.update(content_of(types, any_of(std::move(forms))));
  }
  return {{"description", "what went wrong; a Problem for who accepts application/problem+json"},
          {"content", std::move(content)}};
}

Json operation(const ActionRow& row, const std::string& path, Dialect dialect, const Json* body,
               const Json* reply) {
  Json json = {{"summary", row.summary},
               {"tags", {row.service}},
               {"parameters", parameters_of(row, path)},
               {"x-access", std::string(access_name(row.access.kind()))},
               {"x-kind", row.is_mutation() ? "mutation" : "query"},
               {"x-action", row.name},
               {"x-route", openapi_path(row.mount + row.path)}};
  if (!row.access.name().empty()) json["x-grant"] = std::string(row.access.name());
  if (row.access.kind() == Access::Kind::anonymous) {
    json["security"] = Json::array();
  }
  if (body != nullptr) {
    const char* type = row.has(kForm) ? "application/x-www-form-urlencoded" : "application/json";
    json["requestBody"] = {{"required", true}, {"content", {{type, {{"schema", *body}}}}}};
  }
  if (reply != nullptr) json["x-reply"] = *reply;
  json["responses"]["2XX"] = good_reply(row, dialect, reply);
  if (may_answer_task(row)) json["responses"]["202"] = task_reply(reply);
  json["responses"]["default"] = failure_reply(row, dialect);
  return json;
}

// Names that no two operations share: that of the action where it is the only one. Several rows may
// be one action, and an organisation's rows are served below its id and its name.
std::string operation_id(const ActionRow& row, const std::string& path, bool is_only) {
  if (is_only) return row.name;
  std::string id = row.name + "." + base::lower(rest::method_name(row.method));
  for (const char c : path) {
    const bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (stays) id += c;
    if (c == '/') id += '.';
    if (c == '{') id += '_';
  }
  return id;
}

}  // namespace

Json RunningHost::openapi(std::string_view version) const {
  std::map<std::string_view, int> count;
  for (const auto& [place, index] : row_of_path_) ++count[rows_[index].name];
  Json paths = Json::object();
  for (const auto& [place, index] : row_of_path_) {
    const ActionRow& row = rows_[index];
    const RowSchemas& its = row_schemas_[index];
    const std::string path = openapi_path(place.second);
    Json made = operation(row, path, dialect_of(row.mount), its.body.get(), its.reply.get());
    made["operationId"] = operation_id(row, path, count[row.name] == 1);
    paths[path][base::lower(rest::method_name(row.method))] = std::move(made);
  }
  Json schemas = schemas_.components();
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
                    {"kind", row.is_mutation() ? "mutation" : "query"},
                    {"async", row.has(kAsync)},
                    {"gated", row.kind == Kind::mutation && !row.has(kUngated)},
                    {"audited", row.kind == Kind::mutation && !row.has(kUnaudited)}});
  }
  return list;
}

}  // namespace services
