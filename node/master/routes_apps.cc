// SPDX-License-Identifier: Apache-2.0
// /v2/apps: applications, their versions, restarts and tasks.
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "node/master/edits.h"
#include "node/master/json_text.h"
#include "node/master/reads.h"
#include "node/master/replies.h"
#include "node/master/routes.h"

namespace node::master {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;
using rest::Run;

Result<Target> read_target(const Request& request,
                           std::initializer_list<std::string_view> suffixes) {
  Target target;
  std::vector<std::string_view> pieces = base::split(request.parameter("id"), '/');
  std::erase_if(pieces, [](std::string_view piece) { return piece.empty(); });
  for (const std::string_view suffix : suffixes) {
    if (!pieces.empty() && pieces.back() == suffix) {
      target.suffix = suffix;
      pieces.pop_back();
      break;
    }
    if (pieces.size() >= 2 && pieces[pieces.size() - 2] == suffix && suffix != "*" &&
        suffix != "restart") {
      target.suffix = suffix;
      target.argument = pieces.back();
      pieces.resize(pieces.size() - 2);
      break;
    }
  }
  std::string path = "/";
  for (const std::string_view piece : pieces)
    path += (path.size() > 1 ? "/" : "") + std::string(piece);
  const auto id = resolve_id(path);
  if (!id) return Error{Code::not_found, "'" + path + "' does not exist", "app_unknown"};
  target.id = *id;
  return target;
}

Result<Json> read_body(const Request& request) {
  return base::parse_json(request.body, {.bytes_max = kBodyMax});
}

Result<void> check_readable(const Scheduler& scheduler, const std::string& app) {
  const AppState* state = scheduler.find_unreadable(app);
  if (state == nullptr) return {};
  return Error{Code::failed_precondition,
               "the stored definition of '" + app + "' cannot be read (" + state->unreadable +
                   "); it is held as it is, replace or delete it with ?force=true",
               "app_unreadable"};
}

Result<Response> deploy(Scheduler& scheduler, Change change, const Request& request,
                        const std::function<Response(const Accepted&)>& reply) {
  const bool force = TRY(request.query_flag("force"));
  Problems problems;
  check_whole(scheduler, change, problems);
  if (!problems.empty()) return invalid_reply(problems, request);
  if (!force) {
    for (const App& app : change.put) TRY(check_readable(scheduler, app.id));
    for (const std::string& app : change.remove) TRY(check_readable(scheduler, app));
  }
  const auto blocking = scheduler.blocking(change);
  if (!blocking.empty() && !force) return locked_reply(blocking, request);
  return reply(scheduler.deploy(std::move(change)));
}

namespace {

Error no_such_app(const std::string& id) {
  return {Code::not_found, "App '" + id + "' does not exist", "app_unknown"};
}

Response plain_reply(const Accepted& accepted) { return deployment_reply(accepted); }

// "a==b", "a!=b", "a in (x,y)", "a notin (x,y)", "a", "!a"; several are joined by commas.
bool label_matches(const Json& labels, std::string_view selector) {
  const auto value_of = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = labels.find(std::string(base::trim(name)));
    if (found == labels.end()) return std::nullopt;
    return found->get<std::string>();
  };
  for (const char* op : {" notin ", " in "}) {
    const std::size_t at = selector.find(op);
    if (at == std::string_view::npos) continue;
    std::string_view list = base::trim(selector.substr(at + std::string_view(op).size()));
    if (list.size() >= 2 && list.front() == '(') list = list.substr(1, list.size() - 2);
    const auto value = value_of(selector.substr(0, at));
    bool listed = false;
    for (const std::string_view entry : base::split(list, ','))
      listed = listed || (value && *value == base::trim(entry));
    return op[1] == 'n' ? !listed : listed;
  }
  for (const char* op : {"!=", "=="}) {
    const std::size_t at = selector.find(op);
    if (at == std::string_view::npos) continue;
    const auto value = value_of(selector.substr(0, at));
    const bool equal = value && *value == base::trim(selector.substr(at + 2));
    return op[0] == '!' ? !equal : equal;
  }
  const std::string_view name = base::trim(selector);
  if (name.starts_with('!')) return !value_of(name.substr(1));
  return value_of(name).has_value();
}

// Commas inside brackets belong to a list of values.
std::vector<std::string> split_selectors(const std::string& text) {
  std::vector<std::string> selectors(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ',' && depth == 0) {
      selectors.emplace_back();
    } else {
      selectors.back() += c;
    }
  }
  return selectors;
}

bool passes(const App& app, const Request& request) {
  const Json& document = *app.document;
  if (const auto cmd = request.find_query("cmd"); cmd && !cmd->empty()) {
    if (document.value("cmd", "").find(*cmd) == std::string::npos) return false;
  }
  if (const auto id = request.find_query("id"); id && !id->empty()) {
    if (app.id.find(*id) == std::string::npos) return false;
  }
  if (const auto label = request.find_query("label"); label && !label->empty()) {
    for (const std::string& selector : split_selectors(*label)) {
      if (!label_matches(document.at("labels"), selector)) return false;
    }
  }
  return true;
}

Result<Response> list_within(MasterService& service, const Request& request,
                             const std::string& group) {
  const AppEmbed embed = read_app_embed(request.all_query("embed"));
  const auto wanted = [&request](const App& app) { return passes(app, request); };
  ListText apps;
  TRY(read_apps(service, group, embed, wanted,
                [&](const AppView& app) { apps.add(app_json(app, embed)); }));
  return Response::json_text(R"({"apps":)" + apps.take() + "}");
}

// 200 {"apps": […]}.
Result<Response> list_apps(MasterService& service, const Request& request) {
  return list_within(service, request, "/");
}

Response show_tasks(const AppView& app, const Request& request) {
  if (request.find_header("accept").value_or("").starts_with("text/plain"))
    return Response::text(tasks_text(app));
  Json tasks = Json::array();
  for (const Instance& instance : app.instances)
    tasks.push_back(task_json(instance, app.app.get()));
  return Response::json({{"tasks", std::move(tasks)}});
}

Result<Response> show_version(const std::map<std::string, AppPtr>& all, const Target& target) {
  if (target.argument.empty()) {
    Json versions = Json::array();
    for (auto at = all.rbegin(); at != all.rend(); ++at) versions.push_back(at->first);
    return Response::json({{"versions", std::move(versions)}});
  }
  const auto found = all.find(target.argument);
  if (found == all.end())
    return Error{Code::not_found,
                 "App '" + target.id + "' does not exist in version " + target.argument,
                 "version_unknown"};
  return Response::json(version_json(*found->second));
}

// One app, its tasks, its versions, or the apps of a group (/*). Errors: not_found app_unknown,
// version_unknown.
Result<Response> show_app(MasterService& service, const Request& request) {
  const Target target = TRY(read_target(request, {"tasks", "versions", "*"}));
  if (target.suffix == "*") return list_within(service, request, target.id);
  const AppEmbed all = {.tasks = true, .last_failure = true, .readiness = true};
  const AppEmbed embed = read_app_embed(request.all_query("embed"), all);
  std::optional<AppView> app;
  std::map<std::string, AppPtr> versions;
  Result<void> readable;
  TRY(service.read([&](const Scheduler& scheduler) {
    const AppState* state = scheduler.find_app(target.id);
    if (state != nullptr) app = look_at(scheduler, *state, embed);
    readable = check_readable(scheduler, target.id);
    if (!readable) state = scheduler.find_unreadable(target.id);
    if (state != nullptr && target.suffix == "versions") versions = state->versions;
  }));
  if (target.suffix == "versions" && !versions.empty()) return show_version(versions, target);
  TRY(std::move(readable));
  if (!app) return no_such_app(target.id);
  if (target.suffix == "tasks") return show_tasks(*app, request);
  return Response::json({{"app", app_json(*app, embed)}});
}

void tell_post(MasterService& service, const Request& request, const Json& definition) {
  service.tell("api_post_event", {{"clientIp", request.peer.substr(0, request.peer.rfind(':'))},
                                  {"uri", request.path},
                                  {"appDefinition", definition}});
}

// 201 with the app. Errors: already_exists app_exists; 422; 409 locked.
Result<Response> create_app(MasterService& service, const Request& request) {
  const Json body = TRY(read_body(request));
  return service.commit([&service, &request, &body](Scheduler& scheduler) -> Result<Response> {
    Problems problems;
    auto app = make_app(body, "/", "", problems);
    if (!app) return invalid_reply(problems, request);
    const std::string id = app->id;
    if (scheduler.find_app(id) != nullptr)
      return Error{Code::already_exists, "An app with id [" + id + "] already exists.",
                   "app_exists"};
    Change change;
    change.put.push_back(std::move(*app));
    return deploy(scheduler, std::move(change), request, [&](const Accepted& accepted) {
      const AppState& state = *scheduler.find_app(id);
      tell_post(service, request, *state.current->document);
      Json shown = app_json(scheduler, state, {.tasks = true});
      shown["deployments"] = Json::array({{{"id", accepted.deployment}}});
      return Response::created("/v2/apps" + id, shown)
          .with("Marathon-Deployment-Id", accepted.deployment);
    });
  });
}

Result<Response> put_one(MasterService& service, const Request& request, Create create) {
  const Json body = TRY(read_body(request));
  const Target target = TRY(read_target(request, {}));
  const bool partial = TRY(request.query_flag("partialUpdate", true));
  return service.commit([&, create](Scheduler& scheduler) -> Result<Response> {
    Problems problems;
    auto app = TRY(edit_app(scheduler, target.id, body, partial ? Partial::yes : Partial::no,
                            create, "", problems));
    if (!app) return invalid_reply(problems, request);
    const bool is_new = scheduler.find_app(target.id) == nullptr;
    Change change;
    change.put.push_back(std::move(*app));
    return deploy(scheduler, std::move(change), request, [&](const Accepted& accepted) {
      tell_post(service, request, *scheduler.find_app(target.id)->current->document);
      Response response = deployment_reply(accepted, is_new ? 201 : 200);
      if (is_new) response.headers["Location"] = "/v2/apps" + target.id;
      return response;
    });
  });
}

Result<Response> put_app(MasterService& service, const Request& request) {
  return put_one(service, request, Create::yes);
}

Result<Response> patch_app(MasterService& service, const Request& request) {
  return put_one(service, request, Create::no);
}

Result<Response> put_many(MasterService& service, const Request& request, Create create) {
  const Json body = TRY(read_body(request));
  const bool partial = TRY(request.query_flag("partialUpdate", true));
  return service.commit([&, create](Scheduler& scheduler) -> Result<Response> {
    Problems problems;
    Change change;
    std::set<std::string> listed;
    if (!body.is_array()) problems.add("/", "must be a list of apps");
    for (std::size_t i = 0; body.is_array() && i < body.size(); ++i) {
      const std::string at = "/" + std::to_string(i);
      const bool named = body[i].is_object() && body[i].contains("id") && body[i]["id"].is_string();
      const auto id =
          named ? resolve_id(body[i]["id"].get_ref<const std::string&>()) : std::nullopt;
      if (!id || *id == "/") {
        problems.add(at + "/id", "must be the id of an app");
        continue;
      }
      if (!listed.insert(*id).second) problems.add(at + "/id", "is listed twice");
      auto app = TRY(edit_app(scheduler, *id, body[i], partial ? Partial::yes : Partial::no, create,
                              at, problems));
      if (app) change.put.push_back(std::move(*app));
    }
    if (!problems.empty()) return invalid_reply(problems, request);
    return deploy(scheduler, std::move(change), request, plain_reply);
  });
}

Result<Response> put_apps(MasterService& service, const Request& request) {
  return put_many(service, request, Create::yes);
}

Result<Response> patch_apps(MasterService& service, const Request& request) {
  return put_many(service, request, Create::no);
}

// POST …/restart. Errors: not_found app_unknown; 409 locked.
Result<Response> restart_app(MasterService& service, const Request& request) {
  const Target target = TRY(read_target(request, {"restart"}));
  if (target.suffix != "restart")
    return Error{Code::unsupported, "POST works on /v2/apps and /v2/apps/{id}/restart",
                 "method_not_allowed"};
  return service.commit([&](Scheduler& scheduler) -> Result<Response> {
    if (scheduler.find_app(target.id) == nullptr) return no_such_app(target.id);
    Change change;
    change.restart.insert(target.id);
    return deploy(scheduler, std::move(change), request, plain_reply);
  });
}

// DELETE …/tasks and …/tasks/{task}: kills; with scale the app shrinks by as many.
Result<Response> kill_tasks(Scheduler& scheduler, const Target& target, const Request& request) {
  const AppState* app = scheduler.find_app(target.id);
  if (app == nullptr) return no_such_app(target.id);
  const bool scale = TRY(request.query_flag("scale"));
  const auto host = request.find_query("host");
  std::vector<api::InstanceId> ids;
  for (const api::InstanceId& id : app->instances) {
    const Instance& instance = *scheduler.find_instance(id);
    if (!target.argument.empty() && id.text() != target.argument) continue;
    if (host && !host->empty() && *host != "*" && *host != instance.status.address &&
        *host != instance.node)
      continue;
    ids.push_back(id);
  }
  if (ids.empty() && !target.argument.empty())
    return Error{Code::not_found, "Task '" + target.argument + "' does not exist", "task_unknown"};
  Json tasks = Json::array();
  for (const api::InstanceId& id : ids)
    tasks.push_back(task_json(scheduler, *scheduler.find_instance(id)));
  if (!scale) {
    scheduler.kill(ids);
    if (target.argument.empty()) return Response::json({{"tasks", std::move(tasks)}});
    return Response::json({{"task", tasks[0]}});
  }
  const std::int64_t left = app->current->instances - static_cast<std::int64_t>(ids.size());
  Change change;
  change.put.push_back(with_instances(*app->current, std::max<std::int64_t>(left, 0)));
  return deploy(scheduler, std::move(change), request, [&](const Accepted& accepted) {
    scheduler.kill(ids);
    return deployment_reply(accepted);
  });
}

// Errors: not_found app_unknown, task_unknown; 409 locked.
Result<Response> delete_app(MasterService& service, const Request& request) {
  const Target target = TRY(read_target(request, {"tasks"}));
  return service.commit([&](Scheduler& scheduler) -> Result<Response> {
    if (target.suffix == "tasks") return kill_tasks(scheduler, target, request);
    if (scheduler.find_app(target.id) == nullptr && !scheduler.find_unreadable(target.id))
      return no_such_app(target.id);
    Change change;
    change.remove.insert(target.id);
    return deploy(scheduler, std::move(change), request, plain_reply);
  });
}

constexpr rest::RouteLimits kOne{.body_max = 1 << 20};
constexpr rest::RouteLimits kMany{.body_max = kBodyMax};

constexpr rest::Route<MasterService> kRoutes[] = {
    {Method::get, "/v2/apps", kAppRead, Run::on_worker, list_apps, "List applications"},
    {Method::post, "/v2/apps", kAppWrite, Run::on_worker, create_app, "Create an application",
     kOne},
    {Method::put, "/v2/apps", kAppWrite, Run::on_worker, put_apps, "Create or change applications",
     kMany},
    {Method::patch, "/v2/apps", kAppWrite, Run::on_worker, patch_apps, "Change applications",
     kMany},
    {Method::get, "/v2/apps/{id...}", kAppRead, Run::on_worker, show_app,
     "An application; its /tasks, /versions, /versions/{version}; the apps of a group with /*"},
    {Method::put, "/v2/apps/{id...}", kAppWrite, Run::on_worker, put_app,
     "Create or change an application", kOne},
    {Method::patch, "/v2/apps/{id...}", kAppWrite, Run::on_worker, patch_app,
     "Change an application", kOne},
    {Method::post, "/v2/apps/{id...}", kAppWrite, Run::on_worker, restart_app,
     "Replace all instances with /restart"},
    {Method::del, "/v2/apps/{id...}", kAppWrite, Run::on_worker, delete_app,
     "Remove an application, or kill its /tasks or /tasks/{task}"},
};

}  // namespace

std::span<const rest::Route<MasterService>> app_routes() { return kRoutes; }

}  // namespace node::master
