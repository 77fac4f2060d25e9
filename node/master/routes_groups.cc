// SPDX-License-Identifier: Apache-2.0
// /v2/groups: trees of applications that are changed together.
#include <nlohmann/json.hpp>

#include "node/master/edits.h"
#include "node/master/reads.h"
#include "node/master/replies.h"
#include "node/master/routes.h"

namespace node::master {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;
using rest::Run;

Error no_such_group(const std::string& id) {
  return {Code::not_found, "Group '" + id + "' does not exist", "group_unknown"};
}

Response plain_reply(const Accepted& accepted) { return deployment_reply(accepted); }

Result<Response> list_versions(MasterService& service, const Target& target) {
  Json versions = Json::array();
  bool known = false;
  TRY(service.read([&](const Scheduler& scheduler) {
    known = has_group(scheduler, target.id);
    const auto& all = scheduler.history().versions();
    for (auto at = all.rbegin(); at != all.rend(); ++at) versions.push_back(at->version);
  }));
  if (!known) return no_such_group(target.id);
  return Response::json(versions);
}

// The group as it was, with definitions only: instances of then are no more.
Result<Response> show_version(MasterService& service, const Request& request,
                              const Target& target) {
  GroupContent content;
  bool known = false;
  TRY(service.read([&](const Scheduler& scheduler) {
    known = scheduler.history().find(target.argument) != nullptr;
    if (known) content = scheduler.content_at(target.argument);
  }));
  if (!known || !has_group(content, target.id))
    return Error{Code::not_found,
                 "Group '" + target.id + "' does not exist in version " + target.argument,
                 "version_unknown"};
  GroupView view{target.id, target.argument, {}, {}};
  for (const auto& [id, info] : content.groups) {
    if (is_within(id, target.id)) view.groups[id] = info;
  }
  for (const auto& [id, app] : content.apps) {
    if (is_within(id, target.id)) view.apps.push_back({app, "", {}, {}, {}});
  }
  GroupEmbed embed = read_group_embed(request.all_query("embed"));
  embed.app = {.counts = false, .deployments = false};
  return Response::json_text(group_text(view, embed));
}

Result<Response> show(MasterService& service, const Request& request, const Target& target) {
  if (target.suffix == "versions")
    return target.argument.empty() ? list_versions(service, target)
                                   : show_version(service, request, target);
  const GroupEmbed embed = read_group_embed(request.all_query("embed"));
  return Response::json_text(group_text(TRY(read_group(service, target.id, embed)), embed));
}

// The whole tree. GET /v2/groups.
Result<Response> show_root(MasterService& service, const Request& request) {
  return show(service, request, {"/", "", ""});
}

// A group, its /versions or /versions/{version}. Errors: not_found group_unknown, version_unknown.
Result<Response> show_group(MasterService& service, const Request& request) {
  const auto target = read_target(request, {"versions"});
  if (!target) return no_such_group(request.parameter("id"));
  return show(service, request, *target);
}

// What a dry run answers: the steps the change would take.
Response dry_run(const Scheduler& scheduler, Change change) {
  Scheduler copy = scheduler;
  copy.take_effects();
  copy.deploy(std::move(change));
  Json steps = Json::array();
  for (const Event& event : copy.take_effects().events) {
    if (event.type != "deployment_info") continue;
    const auto data = base::parse_json(event.light);
    if (data) steps = (*data)["plan"]["steps"];
    break;
  }
  return Response::json({{"steps", std::move(steps)}});
}

Result<Response> edit(MasterService& service, const Request& request, const std::string& path_id,
                      Create create) {
  const Json body = TRY(read_body(request));
  const bool dry = TRY(request.query_flag("dryRun"));
  return service.commit([&, create](Scheduler& scheduler) -> Result<Response> {
    std::string id = path_id;
    const bool named = body.is_object() && body.contains("id") && body["id"].is_string();
    if (named && create == Create::yes) {
      const auto resolved = resolve_id(body["id"].get_ref<const std::string&>(), path_id);
      Problems problems;
      if (!resolved || !is_within(*resolved, path_id)) {
        problems.add("/id", "must be a path of lower case segments inside " + path_id);
        return invalid_reply(problems, request);
      }
      id = *resolved;
    }
    if (create == Create::yes && id != "/" && has_group(scheduler, id))
      return Error{Code::already_exists,
                   "Group " + id + " is already created. Use PUT to change this group.",
                   "group_exists"};
    Problems problems;
    auto change = TRY(edit_group(scheduler, id, body, Create::yes, problems));
    if (!change) return invalid_reply(problems, request);
    if (dry) {
      check_whole(scheduler, *change, problems);
      if (!problems.empty()) return invalid_reply(problems, request);
      return dry_run(scheduler, std::move(*change));
    }
    return deploy(scheduler, std::move(*change), request, [&](const Accepted& accepted) {
      service.tell("group_change_success", {{"groupId", id}, {"version", accepted.version}});
      Response response = deployment_reply(accepted, create == Create::yes ? 201 : 200);
      if (create == Create::yes) response.headers["Location"] = "/v2/groups" + id;
      return response;
    });
  });
}

// 201 {"version", "deploymentId"}. Errors: already_exists group_exists; 422; 409 locked.
Result<Response> create_group(MasterService& service, const Request& request) {
  return edit(service, request, "/", Create::yes);
}

Result<Response> create_below(MasterService& service, const Request& request) {
  const Target target = TRY(read_target(request, {}));
  return edit(service, request, target.id, Create::yes);
}

Result<Response> put_root(MasterService& service, const Request& request) {
  return edit(service, request, "/", Create::no);
}

Result<Response> put_group(MasterService& service, const Request& request) {
  const Target target = TRY(read_target(request, {}));
  return edit(service, request, target.id, Create::no);
}

Result<Response> remove(MasterService& service, const Request& request, const std::string& id) {
  return service.commit([&](Scheduler& scheduler) -> Result<Response> {
    if (!has_group(scheduler, id)) return no_such_group(id);
    return deploy(scheduler, remove_group(scheduler, id), request, plain_reply);
  });
}

Result<Response> delete_root(MasterService& service, const Request& request) {
  // A slip of the keyboard must not end everything: Marathon wants force here as well.
  const bool force = TRY(request.query_flag("force"));
  if (!force)
    return Error{Code::failed_precondition, "removing the root group needs ?force=true",
                 "force_needed"};
  return remove(service, request, "/");
}

Result<Response> delete_group(MasterService& service, const Request& request) {
  const Target target = TRY(read_target(request, {}));
  return remove(service, request, target.id);
}

constexpr rest::RouteLimits kMany{.body_max = kBodyMax};

constexpr rest::Route<MasterService> kRoutes[] = {
    {Method::get, "/v2/groups", kAppRead, Run::on_worker, show_root, "The root group"},
    {Method::post, "/v2/groups", kAppWrite, Run::on_worker, create_group, "Create a group", kMany},
    {Method::put, "/v2/groups", kAppWrite, Run::on_worker, put_root, "Change the root group",
     kMany},
    {Method::del, "/v2/groups", kAppWrite, Run::on_worker, delete_root, "Remove everything"},
    {Method::get, "/v2/groups/{id...}", kAppRead, Run::on_worker, show_group,
     "A group; its /versions and /versions/{version}"},
    {Method::post, "/v2/groups/{id...}", kAppWrite, Run::on_worker, create_below,
     "Create a group inside a group", kMany},
    {Method::put, "/v2/groups/{id...}", kAppWrite, Run::on_worker, put_group,
     "Create, change, scale (scaleBy) or roll back (version) a group", kMany},
    {Method::del, "/v2/groups/{id...}", kAppWrite, Run::on_worker, delete_group,
     "Remove a group and all in it"},
};

}  // namespace

std::span<const rest::Route<MasterService>> group_routes() { return kRoutes; }

}  // namespace node::master
