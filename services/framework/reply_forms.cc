// SPDX-License-Identifier: Apache-2.0
#include "services/framework/reply_forms.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "services/framework/dialect.h"
#include "services/framework/running_host.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

// Any of them may be explained.
#define EXPLAIN R"("explain":{"$ref":"#/components/schemas/Explanation"})"

constexpr Schema kCommon[] = {
    {"Explanation", R"({"type":"array","items":{"type":"object","required":["stage","detail"],
      "additionalProperties":false,"properties":{"stage":{"type":"string"},"detail":{}}}})"},
    {"Explained", R"({"type":"object","required":["explain"],"properties":{)" EXPLAIN R"(}})"},
    {"Problem", R"({"type":"object","required":["type","title","status","detail","instance"],
      "additionalProperties":false,"properties":{"type":{"type":"string"},
      "title":{"type":"string"},"status":{"type":"integer","minimum":400,"maximum":599},
      "detail":{"type":"string"},"instance":{"type":"string"},"errors":{"type":"array",
      "items":{"type":"object","required":["pointer","detail"],"additionalProperties":false,
      "properties":{"pointer":{"type":"string"},"detail":{"type":"string"}}}},)" EXPLAIN R"(}})"},
    {"SecurityError", R"({"type":"object","required":["code","message","resource",
      "developerMessage"],"additionalProperties":false,"properties":{"code":{"type":"integer"},
      "message":{"type":"string"},"resource":{"type":"string"},
      "developerMessage":{"type":"string"},)" EXPLAIN R"(}})"},
    {"OAuthError", R"({"type":"object","required":["error","error_description"],
      "additionalProperties":false,"properties":{"error":{"type":"string"},
      "error_description":{"type":"string"},)" EXPLAIN R"(}})"},
    {"MetaError", R"({"type":"object","required":["code","message"],"additionalProperties":false,
      "properties":{"code":{"type":"integer"},"message":{"type":"string"},
      "resource":{"type":"string"},)" EXPLAIN R"(}})"},
    {"ConfluentError", R"({"type":"object","required":["error_code","message"],
      "additionalProperties":false,"properties":{"error_code":{"type":"integer"},
      "message":{"type":"string"},)" EXPLAIN R"(}})"},
    {"Task", R"({"type":"object","required":["uuid","href","status","created","modified","service",
      "owner","org","detail"],"additionalProperties":false,"properties":{
      "uuid":{"type":"string","format":"uuid"},"href":{"type":"string"},
      "status":{"enum":["pending","running","scheduled","completed","halted","killed"]},
      "created":{"type":"string","format":"date-time"},
      "modified":{"type":"string","format":"date-time"},
      "deadline":{"type":"string","format":"date-time"},
      "service":{"type":"string"},"parent":{"type":"string"},
      "owner":{"type":"object","required":["id","name"],"additionalProperties":false,
      "properties":{"id":{"type":"string"},"name":{"type":"string"}}},
      "org":{"type":"object","required":["id","fqon"],"additionalProperties":false,
      "properties":{"id":{"type":"string"},"fqon":{"type":"string"}}},
      "detail":{"type":"object","required":["action","request_data","progress","attempt"],
      "additionalProperties":false,"properties":{"action":{"type":"object",
      "required":["verb","status","resource","message"],"additionalProperties":false,"properties":{
      "verb":{"type":"string"},"status":{"type":"string"},"resource":{"type":"string"},
      "message":{"type":"string"}}},"request_data":{},
      "progress":{"type":"integer","minimum":0,"maximum":100},
      "attempt":{"type":"integer","minimum":0},"result":{"type":"object","required":["message"],
      "additionalProperties":false,"properties":{"message":{"type":"string"},
      "link":{"type":"object","required":["href"],"additionalProperties":false,
      "properties":{"href":{"type":"string"}}},"errors":{"type":"array","items":{"type":"object",
      "required":["code","message"],"additionalProperties":false,"properties":{
      "code":{"type":"string"},"message":{"type":"string"}}}}}}}},)" EXPLAIN R"(}})"},
    {"DryRun", R"({"type":"object","required":["dryrun","would"],"additionalProperties":false,
      "properties":{"dryrun":{"const":true},"would":{"type":"object",
      "required":["status","body","audit","tasks","events"],"additionalProperties":false,
      "properties":{"status":{"type":"integer","minimum":200,"maximum":599},"body":{},
      "audit":{"type":"object"},"tasks":{"type":"array","items":{"type":"string",
      "format":"uuid"}},"events":{"type":"array","items":{"type":"object",
      "required":["name","payload"],"additionalProperties":false,"properties":{
      "name":{"type":"string"},"payload":{}}}}}},)" EXPLAIN R"(}})"},
    // Of what changes no records: either the status and the body, or how much of what.
    {"DryRunBeside", R"({"type":"object","required":["dryrun","would"],
      "additionalProperties":false,"properties":{"dryrun":{"const":true},
      "would":{"type":"object","minProperties":1},)" EXPLAIN R"(}})"},
};
#undef EXPLAIN

constexpr std::string_view kProblemType = "application/problem+json";

bool is_below_oauth(const ActionRow& row) { return row.path.find("/oauth/") != std::string::npos; }

// Without its parameters.
std::string_view type_of(const rest::Response& reply) {
  const auto found = reply.headers.find("Content-Type");
  if (found == reply.headers.end()) return {};
  return std::string_view(found->second).substr(0, found->second.find(';'));
}

bool asks_for(const rest::Request& request, std::string_view flag) {
  const auto asked = request.query_flag(flag);
  return asked && *asked;
}

Error is_wrong(std::string detail, std::string pointer = "") {
  return Error{Code::invalid_argument, std::move(detail), "schema_violated", 0, std::move(pointer)};
}

}  // namespace

std::span<const Schema> common_schemas() { return kCommon; }

Json reference_to(std::string_view name) {
  return Json{{"$ref", "#/components/schemas/" + std::string(name)}};
}

std::vector<std::string_view> error_forms(Dialect dialect, const ActionRow& row) {
  switch (dialect) {
    case Dialect::problem: return {};
    case Dialect::security:
      if (is_below_oauth(row)) return {"OAuthError", "SecurityError"};
      return {"SecurityError"};
    case Dialect::meta: return {"MetaError"};
    case Dialect::confluent: return {"ConfluentError"};
  }
  return {};
}

bool has_errors_of_its_own(Dialect dialect, const ActionRow& row) {
  return dialect == Dialect::confluent || (dialect == Dialect::security && is_below_oauth(row));
}

std::vector<std::string_view> json_types(Dialect dialect) {
  if (dialect != Dialect::confluent) return {"application/json"};
  return {"application/vnd.kafka.v2+json", "application/vnd.kafka.json.v2+json",
          "application/vnd.kafka.binary.v2+json"};
}

bool is_json_type(std::string_view type) {
  return type == "application/json" || type.ends_with("+json");
}

std::string_view dry_run_form(const ActionRow& row) {
  return row.has(kBeside) ? "DryRunBeside" : "DryRun";
}

bool may_answer_task(const ActionRow& row) { return row.kind == Kind::mutation; }

// ---- the check

namespace {

// The value as it was before ?explain=true added to it.
Json without_explanation(const Json& body) {
  Json bare = body;
  bare.erase("explain");
  if (bare.size() == 1 && bare.contains("result")) return bare["result"];
  return bare;
}

}  // namespace

const Json* RunningHost::reply_schema_of(const ActionRow& row) const {
  return row_schemas_[static_cast<std::size_t>(&row - rows_.data())].reply.get();
}

const ActionRow* RunningHost::find_action(rest::Method method, std::string_view path) const {
  const auto match = table_.match(method, path);
  if (!match) return nullptr;
  const auto found = row_of_path_.find({static_cast<int>(method), match->row->path});
  return found == row_of_path_.end() ? nullptr : &rows_[found->second];
}

Result<void> RunningHost::check_error(const ActionRow& row, std::string_view type,
                                      const Json& body) const {
  if (type == kProblemType) return schemas_.validate(reference_to("Problem"), body);
  Result<void> outcome = is_wrong("an error that is no Problem");
  for (const std::string_view form : error_forms(dialect_of(row.mount), row)) {
    outcome = schemas_.validate(reference_to(form), body);
    if (outcome) break;
  }
  return outcome;
}

// The JSON of a reply with a 2xx status, before anything was added to it.
Result<void> RunningHost::check_plain(const ActionRow& row, const rest::Response& reply,
                                      const Json& body) const {
  const Json* promised = reply_schema_of(row);
  if (reply.status == 202 && may_answer_task(row)) {
    const auto place = reply.headers.find("Location");
    const bool leads_to_task =
        place != reply.headers.end() && place->second.find("/tasks/") != std::string::npos;
    const Result<void> is_task = schemas_.validate(reference_to("Task"), body);
    if (is_task || leads_to_task) return is_task;
  }
  if (promised != nullptr) return schemas_.validate(*promised, body);
  return Error{Code::invalid_argument, "the row declares no schema of this reply",
               "reply_undeclared"};
}

Result<void> RunningHost::check_tried(const ActionRow& row, const Json& body) const {
  TRY(schemas_.validate(reference_to(dry_run_form(row)), body));
  const Json& would = body["would"];
  const auto status = would.find("status");
  const auto untold_body = would.find("body");
  // Of what is no record it may say how much of what, and no more.
  const bool has_reply =
      status != would.end() && status->is_number_integer() && untold_body != would.end();
  if (!has_reply) return {};
  rest::Response untold;
  untold.status = status->get<int>();
  // A reply that is no JSON stands there as text, one without a body as the empty one.
  const bool is_text = untold_body->is_string() && (reply_schema_of(row) == nullptr ||
                                                    untold.status == 204 || untold.status >= 300);
  if (is_text || (untold.status >= 300 && untold.status < 400)) return {};
  const Result<void> fits = untold.status < 300 ? check_plain(row, untold, *untold_body)
                                                : check_error(row, "", *untold_body);
  if (fits) return {};
  Error error = fits.error();
  error.pointer.insert(0, "/would/body");
  return error;
}

Result<void> RunningHost::check_good(const ActionRow& row, const rest::Request& request,
                                     const rest::Response& reply) const {
  const std::string_view type = type_of(reply);
  const bool is_tried = row.is_mutation() && asks_for(request, "dryrun");
  if (!is_json_type(type)) {
    if (is_tried) return is_wrong("a dry run that is not answered as one");
    if (reply_schema_of(row) == nullptr || (reply.body.empty() && reply.status == 204)) return {};
    return is_wrong("JSON is promised, and this is '" + std::string(type) + "'");
  }
  const Json body = TRY(base::parse_json(reply.body, {.bytes_max = reply.body.size() + 1}));
  if (is_tried) return check_tried(row, body);
  const auto types = json_types(dialect_of(row.mount));
  const bool is_explained =
      asks_for(request, "explain") && body.is_object() && body.contains("explain");
  const bool is_task = reply.status == 202 && may_answer_task(row) && type == "application/json";
  if (!is_explained && !is_task && std::find(types.begin(), types.end(), type) == types.end()) {
    return is_wrong("the media type '" + std::string(type) + "' is not promised");
  }
  const Result<void> as_it_is = check_plain(row, reply, body);
  // Some replies have an `explain` of their own.
  if (!is_explained || as_it_is) return as_it_is;
  TRY(schemas_.validate(reference_to("Explained"), body));
  const Json bare = without_explanation(body);
  return bare.is_null() ? Result<void>() : check_plain(row, reply, bare);
}

Result<void> RunningHost::check_reply(const ActionRow& row, const rest::Request& request,
                                      const rest::Response& reply) const {
  const std::string_view type = type_of(reply);
  if (reply.stream) {
    if (type != "text/event-stream" || row.has(kStream)) return {};
    return is_wrong("a stream of events, which the row does not promise");
  }
  if (reply.status < 300) return check_good(row, request, reply);
  if (reply.status < 400 || !is_json_type(type)) return {};
  if (wants_problem(request) && type != kProblemType &&
      !has_errors_of_its_own(dialect_of(row.mount), row)) {
    return is_wrong("a Problem was asked for, and this is '" + std::string(type) + "'");
  }
  return check_error(row, type,
                     TRY(base::parse_json(reply.body, {.bytes_max = reply.body.size() + 1})));
}

}  // namespace services
