// SPDX-License-Identifier: Apache-2.0
#include "services/framework/task_row.h"

#include <nlohmann/json.hpp>

#include "common/base/clock.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

std::int64_t to_ms(base::WallTime time) { return time.time_since_epoch().count(); }
base::WallTime from_ms(std::int64_t ms) { return base::WallTime(std::chrono::milliseconds(ms)); }

namespace {

constexpr base::TextLimits kAnyText{.length_max = 1 << 20};

std::vector<TaskError> read_errors(base::Fields& fields) {
  std::vector<TaskError> errors;
  const Json* list = fields.find_array("errors");
  if (list == nullptr) return errors;
  for (const Json& each : *list) {
    if (!each.is_object()) continue;
    errors.push_back({each.value("code", ""), each.value("message", "")});
  }
  return errors;
}

std::vector<std::string> only(const std::string& term) {
  return term.empty() ? std::vector<std::string>() : std::vector<std::string>{term};
}

store::Index index_by(const char* name, std::string TaskRow::*field) {
  return {name, [field](std::string_view key, std::string_view value) {
            const auto task = parse_task({std::string(key), std::string(value), 0});
            return task ? only((*task).*field) : std::vector<std::string>();
          }};
}

}  // namespace

Result<TaskRow> parse_task(const store::Record& record) {
  const auto json = base::parse_json(record.value, {.bytes_max = 8 << 20});
  if (!json) return Error{Code::corrupt, json.error().detail, "task_unreadable"};
  TaskRow task;
  task.id = record.key;
  task.version = record.version;
  base::Fields fields(*json);
  for (const auto& [name, out] : {std::pair{"service", &task.service},
                                  {"verb", &task.verb},
                                  {"resource", &task.resource},
                                  {"status", &task.status},
                                  {"message", &task.message},
                                  {"owner", &task.owner},
                                  {"owner_name", &task.owner_name},
                                  {"org_id", &task.org_id},
                                  {"org_fqon", &task.org_fqon},
                                  {"runner", &task.runner},
                                  {"parent", &task.parent},
                                  {"input", &task.input},
                                  {"link", &task.link},
                                  {"result_message", &task.result_message}}) {
    fields.optional(name, *out, kAnyText);
  }
  for (const auto& [name, out] : {std::pair{"created_ms", &task.created_ms},
                                  {"changed_ms", &task.changed_ms},
                                  {"due_ms", &task.due_ms},
                                  {"deadline_ms", &task.deadline_ms},
                                  {"attempt", &task.attempt},
                                  {"retries_max", &task.retries_max},
                                  {"progress", &task.progress}}) {
    fields.optional(name, *out);
  }
  fields.optional("cancel_wanted", task.cancel_wanted);
  task.errors = read_errors(fields);
  const Result<void> read = fields.finish(base::UnknownFields::ignore);
  if (!read) return Error{Code::corrupt, read.error().detail, "task_unreadable"};
  return task;
}

std::string format_task(const TaskRow& task) {
  Json json = {{"service", task.service},
               {"verb", task.verb},
               {"resource", task.resource},
               {"status", task.status},
               {"message", task.message},
               {"owner", task.owner},
               {"owner_name", task.owner_name},
               {"org_id", task.org_id},
               {"org_fqon", task.org_fqon},
               {"runner", task.runner},
               {"parent", task.parent},
               {"input", task.input},
               {"link", task.link},
               {"result_message", task.result_message},
               {"created_ms", task.created_ms},
               {"changed_ms", task.changed_ms},
               {"due_ms", task.due_ms},
               {"deadline_ms", task.deadline_ms},
               {"attempt", task.attempt},
               {"retries_max", task.retries_max},
               {"progress", task.progress},
               {"cancel_wanted", task.cancel_wanted}};
  for (const TaskError& error : task.errors) {
    json["errors"].push_back({{"code", error.code}, {"message", error.message}});
  }
  return base::dump_json(json);
}

store::Collection task_collection() {
  store::Index due{"due", [](std::string_view key, std::string_view value) {
                     const auto task = parse_task({std::string(key), std::string(value), 0});
                     const bool open = task && !task->has_ended() &&
                                       (!task->runner.empty() || task->deadline_ms != 0);
                     return open ? std::vector<std::string>{"due"} : std::vector<std::string>();
                   }};
  return {.name = std::string(kTasks),
          .indexes = {index_by("status", &TaskRow::status), index_by("owner", &TaskRow::owner),
                      index_by("service", &TaskRow::service), index_by("org", &TaskRow::org_id),
                      index_by("parent", &TaskRow::parent), std::move(due)}};
}

Result<TaskRow> load_task(store::Reader& reader, std::string_view id) {
  const auto found = TRY(reader.find(kTasks, id));
  if (!found) return Error{Code::not_found, "there is no task with this id", "task_unknown"};
  return parse_task(*found);
}

Result<void> save_task(store::Writer& writer, TaskRow& task) {
  task.version = TRY(writer.put(kTasks, task.id, format_task(task), task.version));
  return {};
}

namespace {

Result<void> check_open(const TaskRow& task) {
  if (!task.has_ended()) return {};
  return Error{Code::failed_precondition, "the task has ended: " + task.status, "task_ended"};
}

}  // namespace

Result<void> end_task(TaskRow& task, const TaskEnd& end, base::WallTime now) {
  TRY(check_open(task));
  task.status = end.succeeded ? "completed" : "halted";
  task.link = end.link;
  task.result_message = end.message;
  task.changed_ms = to_ms(now);
  if (end.succeeded) {
    task.progress = 100;
  } else {
    task.errors = {{end.code, end.message}};
  }
  return {};
}

Result<void> cancel_task(TaskRow& task, base::WallTime now) {
  TRY(check_open(task));
  task.changed_ms = to_ms(now);
  task.cancel_wanted = true;
  // A running one ends when its runner sees the wish, or at its next attempt.
  if (task.status != "running") task.status = "killed";
  return {};
}

Json call_outline(const Json& captured) {
  Json outline = Json::object();
  for (const char* name : {"method", "path", "action", "resource"}) {
    if (captured.is_object() && captured.contains(name)) outline[name] = captured[name];
  }
  return outline;
}

Json api_task(const TaskRow& task, std::string_view base) {
  Json input = Json::parse(task.input, nullptr, false);
  if (task.runner == kPerformRunner) input = call_outline(input);
  Json action = {{"verb", task.verb},
                 {"status", task.status},
                 {"resource", task.resource},
                 {"message", task.message}};
  Json detail = {{"action", std::move(action)},
                 {"request_data", input.is_discarded() ? Json() : input},
                 {"progress", task.progress},
                 {"attempt", task.attempt}};
  if (task.has_ended()) {
    Json result = {{"message", task.result_message}};
    if (!task.link.empty()) result["link"] = {{"href", task.link}};
    for (const TaskError& error : task.errors) {
      result["errors"].push_back({{"code", error.code}, {"message", error.message}});
    }
    detail["result"] = std::move(result);
  }
  Json json = {{"uuid", task.id},
               {"href", std::string(base) + "/tasks/" + task.id},
               {"status", task.status},
               {"created", base::format_time(from_ms(task.created_ms))},
               {"modified", base::format_time(from_ms(task.changed_ms))},
               {"service", task.service},
               {"owner", {{"id", task.owner}, {"name", task.owner_name}}},
               {"org", {{"id", task.org_id}, {"fqon", task.org_fqon}}},
               {"detail", std::move(detail)}};
  if (!task.parent.empty()) json["parent"] = task.parent;
  if (task.deadline_ms != 0) json["deadline"] = base::format_time(from_ms(task.deadline_ms));
  return json;
}

}  // namespace services
