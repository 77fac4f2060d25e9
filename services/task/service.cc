// SPDX-License-Identifier: Apache-2.0
#include "services/task/service.h"

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "services/framework/host.h"
#include "services/framework/task_row.h"

namespace services::task {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kApiTask = R"({"$ref":"#/components/schemas/Task"})";
constexpr std::string_view kApiTasks =
    R"({"type":"array","items":{"$ref":"#/components/schemas/Task"}})";
constexpr std::string_view kNewTask = R"({"type":"object","required":["verb","resource"],
  "additionalProperties":false,"properties":{"verb":{"type":"string","minLength":1,"maxLength":100},
  "resource":{"type":"string","minLength":1,"maxLength":500},"message":{"type":"string"},
  "request_data":{},"parent":{"type":"string","format":"uuid"},
  "timeout_seconds":{"type":"integer","minimum":1,"maximum":31536000}}})";
constexpr std::string_view kChange = R"({"type":"object","additionalProperties":false,"properties":{
  "progress":{"type":"integer","minimum":0,"maximum":100},"message":{"type":"string"},
  "status":{"enum":["running","completed","halted"]},"link":{"type":"string"},
  "code":{"type":"string"}}})";

std::string service_base(const Call& call) { return call.href_base(); }

// The caller's own tasks, and those of an organisation to who may read its tasks.
Result<bool> may_see(Call& call, const TaskRow& task) {
  const Caller& who = call.caller();
  if (who.is_internal() || (!who.account_id.empty() && who.account_id == task.owner)) return true;
  if (task.org_id.empty()) return false;
  Target target;
  target.org = {task.org_id, task.org_fqon};
  Authorizer& rights = call.host().authorizer(Access::Kind::right);
  const Question question{who, right("readTasks"), "task.view", target};
  const Decision decision = TRY(rights.decide(call.read(), question, call));
  return decision.allowed;
}

// Errors: not_found task_unknown, also for tasks that the caller may not see.
Result<TaskRow> visible_task(Call& call) {
  TaskRow task = TRY(load_task(call.read(), call.parameter("task")));
  const bool visible = TRY(may_see(call, task));
  if (!visible) return Error{Code::not_found, "there is no task with this id", "task_unknown"};
  return task;
}

// One page of tasks by the narrowest index that the query names.
Result<std::vector<TaskRow>> find_tasks(Call& call) {
  const std::string owner = call.query("owner").value_or(call.caller().account_id);
  const auto status = call.query("status");
  const auto service = call.query("service");
  store::Range range{.limit = 1000};
  range.after = call.query("cursor").value_or("");
  const std::string index = call.target().org.id.empty() ? "owner" : "org";
  const std::string term = index == "org" ? call.org().id : owner;
  std::vector<TaskRow> tasks;
  if (term.empty()) return tasks;
  const auto records = TRY(call.read().find_by(kTasks, index, term, range));
  for (const store::Record& record : records) {
    TaskRow task = TRY(parse_task(record));
    if (status && task.status != *status) continue;
    if (service && task.service != *service) continue;
    if (index == "org" && call.query("owner") && task.owner != owner) continue;
    const bool visible = TRY(may_see(call, task));
    if (visible) tasks.push_back(std::move(task));
  }
  return tasks;
}

Result<Reply> list_tasks(TaskService&, Call& call) {
  const std::vector<TaskRow> tasks = TRY(find_tasks(call));
  Json list = Json::array();
  for (const TaskRow& task : tasks) list.push_back(api_task(task, service_base(call)));
  return Reply::json(list);
}

Result<Reply> show_task(TaskService&, Call& call) {
  const TaskRow task = TRY(visible_task(call));
  TRY(call.check_version(task.version));
  return Reply::json(api_task(task, service_base(call)));
}

Result<Reply> show_complete(TaskService&, Call& call) {
  const TaskRow task = TRY(visible_task(call));
  if (!task.has_ended()) {
    return Error{Code::not_found, "the task is " + task.status, "task_not_ended"};
  }
  return Reply::json(api_task(task, service_base(call)));
}

Result<Reply> list_children(TaskService&, Call& call) {
  const TaskRow parent = TRY(visible_task(call));
  const auto records = TRY(call.read().find_by(kTasks, "parent", parent.id, {.limit = 1000}));
  Json list = Json::array();
  for (const store::Record& record : records) {
    const TaskRow child = TRY(parse_task(record));
    list.push_back(api_task(child, service_base(call)));
  }
  return Reply::json(list);
}

Result<Reply> stream_task(TaskService& service, Call& call) {
  const TaskRow task = TRY(visible_task(call));
  auto stream = TRY(service.follow(task.id, service_base(call)));
  return Reply::event_stream(std::move(stream));
}

Result<Reply> cancel(TaskService&, Call& call) {
  TaskRow task = TRY(visible_task(call));
  TRY(call.check_version(task.version));
  TRY(cancel_task(task, call.now()));
  TRY(save_task(call.write(), task));
  call.note_task(task.id);
  call.audit("task", task.id);
  call.emit("task." + task.service + "." + task.resource + "." + task.verb + ".cancelled",
            Json{{"uuid", task.id}});
  return Reply::json(api_task(task, service_base(call)), task.has_ended() ? 200 : 202);
}

// A task that its owner moves on by PATCH.
Result<Reply> create_task(TaskService&, Call& call) {
  const Json& body = call.body();
  TaskSpec spec{.verb = body["verb"], .resource = body["resource"]};
  spec.message = body.value("message", "");
  spec.parent = body.value("parent", "");
  if (body.contains("timeout_seconds")) {
    spec.deadline = call.now() + std::chrono::seconds(body["timeout_seconds"].get<int>());
  }
  const std::string id = TRY(call.task(std::move(spec), body.value("request_data", Json())));
  const TaskRow task = TRY(load_task(call.read(), id));
  return Reply::created(service_base(call) + "/tasks/" + id, api_task(task, service_base(call)));
}

Result<Reply> change_task(TaskService&, Call& call) {
  const TaskRow task = TRY(visible_task(call));
  TRY(call.check_version(task.version));
  if (!task.runner.empty()) {
    return Error{Code::failed_precondition, "a service runs this task", "task_has_runner"};
  }
  if (call.caller().account_id != task.owner) {
    return Error{Code::permission_denied, "only its owner moves a task on", "task_not_owned"};
  }
  const Json& body = call.body();
  const std::string status = body.value("status", "running");
  if (status == "running") {
    TRY(call.progress_task(task.id, body.value("progress", static_cast<int>(task.progress)),
                           body.value("message", task.message)));
  } else {
    TRY(call.finish_task(task.id, {.succeeded = status == "completed",
                                   .message = body.value("message", ""),
                                   .link = body.value("link", ""),
                                   .code = body.value("code", "")}));
  }
  const TaskRow now = TRY(load_task(call.read(), task.id));
  return Reply::json(api_task(now, service_base(call)));
}

Result<Reply> delete_task(TaskService&, Call& call) {
  const TaskRow task = TRY(visible_task(call));
  if (!task.has_ended()) {
    return Error{Code::failed_precondition, "cancel the task first", "task_not_ended"};
  }
  TRY(call.write().remove(kTasks, task.id));
  call.audit("task", task.id);
  return Reply::no_content();
}

constexpr Action<TaskService> kActions[] = {
    {rest::Method::get,
     "/tasks",
     "task.list",
     authenticated(),
     Kind::query,
     list_tasks,
     "The caller's tasks; ?owner=, ?service=, ?status=",
     {.reply = kApiTasks}},
    {rest::Method::get,
     "/tasks/{task}",
     "task.view",
     authenticated(),
     Kind::query,
     show_task,
     "A task",
     {.reply = kApiTask}},
    {rest::Method::get,
     "/tasks/{task}/complete",
     "task.complete",
     authenticated(),
     Kind::query,
     show_complete,
     "A task once it has ended, 404 before",
     {.reply = kApiTask}},
    {rest::Method::get,
     "/tasks/{task}/children",
     "task.children",
     authenticated(),
     Kind::query,
     list_children,
     "Tasks that a task has begun",
     {.reply = kApiTasks}},
    {rest::Method::get,
     "/tasks/{task}/stream",
     "task.stream",
     authenticated(),
     Kind::query,
     stream_task,
     "A task's changes as server-sent events",
     {.flags = kStream}},
    {rest::Method::post,
     "/tasks/{task}/cancel",
     "task.cancel",
     authenticated(),
     Kind::mutation,
     cancel,
     "Ends a task before it is done",
     {.flags = kUngated, .reply = kApiTask}},
    {rest::Method::patch,
     "/tasks/{task}",
     "task.update",
     authenticated(),
     Kind::mutation,
     change_task,
     "Moves a task without a runner on",
     {.flags = kUngated, .body = kChange, .reply = kApiTask}},
    {rest::Method::del,
     "/tasks/{task}",
     "task.delete",
     authenticated(),
     Kind::mutation,
     delete_task,
     "Removes a task that has ended",
     {.flags = kUngated}},
    {rest::Method::get,
     "/orgs/{org}/tasks",
     "task.list",
     right("readTasks"),
     Kind::query,
     list_tasks,
     "Tasks of an organisation",
     {.reply = kApiTasks}},
    {rest::Method::get,
     "/orgs/{org}/tasks/{task}",
     "task.view",
     authenticated(),
     Kind::query,
     show_task,
     "A task of an organisation",
     {.reply = kApiTask}},
    {rest::Method::post,
     "/orgs/{org}/tasks",
     "task.create",
     right("createTask"),
     Kind::mutation,
     create_task,
     "A task that its owner moves on",
     {.flags = kUngated, .body = kNewTask, .reply = kApiTask}},
    {rest::Method::del,
     "/orgs/{org}/tasks/{task}",
     "task.delete",
     authenticated(),
     Kind::mutation,
     delete_task,
     "Removes a task that has ended",
     {.flags = kUngated}},
};

}  // namespace

void TaskService::actions(ActionTable& table) { table.add(kActions, *this); }

Result<void> TaskService::start(Host& host) {
  host_ = &host;
  self_ = std::make_shared<TaskService*>(this);
  host.watch_tasks([this](const std::vector<std::string>& ids) {
    host_->post([weak = std::weak_ptr(self_), ids] {
      const auto service = weak.lock();
      if (!service) return;
      for (const std::string& id : ids) (*service)->tell(id);
    });
  });
  return {};
}

void TaskService::stop() {
  self_.reset();
  for (auto& [id, follower] : followers_) follower.stream->finish();
  followers_.clear();
}

Result<std::shared_ptr<rest::ByteStream>> TaskService::follow(std::string id, std::string base) {
  auto stream = std::make_shared<rest::ByteStream>();
  host_->post([weak = std::weak_ptr(self_), id = std::move(id), base = std::move(base), stream] {
    const auto service = weak.lock();
    if (!service || !stream->is_open()) return stream->finish();
    (*service)->followers_.emplace(id, Follower{stream, base});
    (*service)->tell(id);
  });
  return stream;
}

void TaskService::tell(const std::string& id) {
  auto [at, end] = followers_.equal_range(id);
  if (at == end) return;
  std::optional<TaskRow> task;
  const Result<void> read = host_->store().read([&](store::Reader& reader) -> Result<void> {
    task = TRY(load_task(reader, id));
    return {};
  });
  while (at != end) {
    rest::ByteStream& stream = *at->second.stream;
    const bool open = stream.is_open();
    if (open && read) {
      stream.write(rest::format_event("task", base::dump_json(api_task(*task, at->second.base)),
                                      std::to_string(task->version)));
    }
    if (open && (!read || task->has_ended())) stream.finish();
    at = open && read && !task->has_ended() ? std::next(at) : followers_.erase(at);
  }
}

Result<std::unique_ptr<Service>> make_task(const Json& config) {
  base::Fields fields(config);
  TRY(fields.finish(base::UnknownFields::refuse));
  return std::unique_ptr<Service>(std::make_unique<TaskService>());
}

}  // namespace services::task
