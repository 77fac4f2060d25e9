// SPDX-License-Identifier: Apache-2.0
// What runs on a provider: its containers as resources, and those of an environment as a Marathon
// shows them (docs/reference/marathon.md), which is asked through the launcher.
//
// The view is read only: containers are changed as containers. An application that stands for none
// of the environment's containers is not shown, whatever else the cluster runs.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "services/meta/entitlements.h"
#include "services/meta/handlers.h"
#include "services/meta/schemas.h"
#include "services/meta/views.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

using Row = Action<Meta>;

// Each is asked for by itself at the cluster.
constexpr std::size_t kViewedMax = 500;

Error no_provider(std::string_view id) {
  return Error{Code::not_found, "there is no provider " + std::string(id) + " here",
               "resource_unknown"};
}

// Whether the containers' property names the provider.
Result<bool> runs_on(const Stored& stored, std::string_view provider) {
  const Resource container = TRY(read_stored(stored.id, stored.text));
  const auto given = container.properties.find("provider");
  return given != container.properties.end() && given->is_object() &&
         given->value("id", Json()) == provider;
}

Result<std::vector<Stored>> only_on(std::vector<Stored> list, std::string_view provider) {
  std::vector<Stored> kept;
  for (Stored& stored : list) {
    if (TRY(runs_on(stored, provider))) kept.push_back(std::move(stored));
  }
  return kept;
}

// The path names a provider that is offered at the target: of its own, or of a place above.
Result<std::string> provider_in_path(store::Reader& reader, const Call& call) {
  const std::string& id = call.parameter("provider");
  const Stored place = TRY(get_resource(reader, call.target().resource_id));
  const auto found = TRY(find_resource(reader, id));
  if (!found) return no_provider(id);
  const Header header = TRY(found->header());
  const Header here = TRY(place.header());
  const auto above = here.ancestors();
  const bool is_offered = header.parent == place.id ||
                          std::find(above.begin(), above.end(), header.parent) != above.end();
  if (header.rest != "providers" || !is_offered) return no_provider(id);
  return found->id;
}

// Everywhere, of what the caller may see. O(containers).
Result<Reply> list_of_provider(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  std::vector<Stored> list = TRY(list_all(call.read(), "containers"));
  list = TRY(only_on(std::move(list), call.target().resource_id));
  list = TRY(visible(work, std::move(list)));
  return list_reply(work, std::move(list));
}

Result<Reply> list_of_provider_here(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const std::string provider = TRY(provider_in_path(call.read(), call));
  std::vector<Stored> list = TRY(list_at(work, "containers"));
  list = TRY(only_on(std::move(list), provider));
  list = TRY(visible(work, std::move(list)));
  return list_reply(work, std::move(list));
}

// ---- as Marathon

// By the ids of the containers.
using Applications = std::map<std::string, Json>;

// The provider's name in the operator's configuration.
Result<std::string> name_of_provider(store::Reader& reader, const Call& call) {
  const std::string id = TRY(provider_in_path(reader, call));
  TRY(need_entitlement(reader, call.caller(), id, "provider.view"));
  ProviderName name = TRY(provider_name(reader, {{"provider", {{"id", id}}}}));
  if (name.problem.empty()) return std::move(name.name);
  return Error{Code::failed_precondition, name.problem, "provider_unusable"};
}

Result<void> prepare_applications(Meta& meta, Call& call) {
  ContainerRunner* runner = TRY(meta.runner());
  std::string provider;
  std::vector<std::string> ids;
  const auto looked = meta.host().store().read([&](store::Reader& reader) -> Result<void> {
    provider = TRY(name_of_provider(reader, call));
    std::vector<Stored> list = TRY(list_children(reader, call.target().resource_id, "containers"));
    list = TRY(only_on(std::move(list), call.parameter("provider")));
    for (const Stored& stored : list) ids.push_back(stored.id);
    return {};
  });
  if (!looked) return looked.error();
  if (ids.size() > kViewedMax) {
    return Error{Code::failed_precondition,
                 "more than 500 containers run there: list them as containers",
                 "too_many_children"};
  }
  call.keep(TRY(runner->observe_containers(provider, ids)));
  return {};
}

Result<void> prepare_info(Meta& meta, Call& call) {
  ContainerRunner* runner = TRY(meta.runner());
  std::string provider;
  const auto looked = meta.host().store().read([&](store::Reader& reader) -> Result<void> {
    provider = TRY(name_of_provider(reader, call));
    return {};
  });
  if (!looked) return looked.error();
  call.keep(TRY(runner->probe_provider(provider)));
  return {};
}

struct Seen {
  std::string container;  // its name
  Json app;
};
// Those whose containers the caller may see.
Result<std::vector<Seen>> seen_applications(const Work& work) {
  std::vector<Seen> list;
  Sight sight(work);
  for (auto& [id, app] : *work.call.kept<Applications>()) {
    const auto stored = TRY(find_resource(work.call.read(), id));
    if (!stored || !TRY(sight.sees(*stored))) continue;
    list.push_back({std::string(TRY(stored->header()).name), app});
  }
  return list;
}

Result<Reply> view_apps(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  Json apps = Json::array();
  for (Seen& seen : TRY(seen_applications(work))) apps.push_back(std::move(seen.app));
  return Reply::json({{"apps", std::move(apps)}});
}

// By the application's id or the container's name.
Result<Reply> view_app(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const std::string& wanted = call.parameter("app");
  for (Seen& seen : TRY(seen_applications(work))) {
    if (seen.app.value("id", "") == "/" + wanted || seen.container == wanted) {
      return Reply::json({{"app", std::move(seen.app)}});
    }
  }
  return Error{Code::not_found, "no container here runs as the application " + wanted,
               "app_unknown"};
}

Result<Reply> view_info(Meta&, Call& call) {
  const Json& probe = *call.kept<Json>();
  return Reply::json(
      {{"name", probe.value("product", "")}, {"version", probe.value("version", "")}});
}

// What is under way for the environment's applications; others that it concerns are not named.
Result<Reply> view_deployments(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  std::map<std::string, std::set<std::string>> affected;
  for (const Seen& seen : TRY(seen_applications(work))) {
    const Json deployments = seen.app.value("deployments", Json::array());
    for (const Json& each : deployments) affected[each.value("id", "")].insert(seen.app["id"]);
  }
  Json list = Json::array();
  for (const auto& [id, apps] : affected) {
    list.push_back({{"id", id}, {"affectedApps", apps}, {"affectedPods", Json::array()}});
  }
  return Reply::json(list);
}

constexpr std::string_view kApps = R"({"type":"object","required":["apps"],
  "additionalProperties":false,"properties":{"apps":{"type":"array","items":{"type":"object",
  "required":["id","instances"],"properties":{"id":{"type":"string","pattern":"^/"},
  "instances":{"type":"integer"},"tasks":{"type":"array","items":{"type":"object"}}}}}}})";
constexpr std::string_view kApp = R"({"type":"object","required":["app"],
  "additionalProperties":false,"properties":{"app":{"type":"object","required":["id","instances"],
  "properties":{"id":{"type":"string","pattern":"^/"},"instances":{"type":"integer"},
  "tasks":{"type":"array","items":{"type":"object"}}}}}})";
constexpr std::string_view kInfo = R"({"type":"object","required":["name","version"],
  "additionalProperties":false,"properties":{"name":{"type":"string"},
  "version":{"type":"string"}}})";
constexpr std::string_view kDeployments = R"({"type":"array","items":{"type":"object",
  "required":["id","affectedApps","affectedPods"],"additionalProperties":false,"properties":{
  "id":{"type":"string","minLength":1},"affectedApps":{"type":"array","minItems":1,
  "items":{"type":"string"}},"affectedPods":{"type":"array","maxItems":0}}}})";

constexpr Row kProviderRows[] = {
    {rest::Method::get,
     "/orgs/{org}/providers/{id}/containers",
     "provider.containers",
     entitlement("provider.view"),
     Kind::query,
     list_of_provider,
     "containers of a provider, wherever they stand, that the caller may see",
     {.flags = kOnWorker, .reply = reply::kResources, .resolve = resolve_target}},
    {rest::Method::get,
     "/orgs/{org}/workspaces/{id}/providers/{provider}/containers",
     "provider.containers",
     entitlement("container.view"),
     Kind::query,
     list_of_provider_here,
     "containers of a workspace on a provider",
     {.flags = kOnWorker, .reply = reply::kResources, .resolve = resolve_target}},
    {rest::Method::get,
     "/orgs/{org}/environments/{id}/providers/{provider}/containers",
     "provider.containers",
     entitlement("container.view"),
     Kind::query,
     list_of_provider_here,
     "containers of an environment on a provider",
     {.flags = kOnWorker, .reply = reply::kResources, .resolve = resolve_target}},
    {rest::Method::get,
     "/orgs/{org}/environments/{id}/providers/{provider}/v2/apps",
     "provider.apps",
     entitlement("container.view"),
     Kind::query,
     view_apps,
     "an environment's containers on a provider, as Marathon shows applications",
     {.flags = kOnWorker,
      .reply = kApps,
      .prepare = prepare_applications,
      .resolve = resolve_target}},
    {rest::Method::get,
     "/orgs/{org}/environments/{id}/providers/{provider}/v2/apps/{app...}",
     "provider.apps",
     entitlement("container.view"),
     Kind::query,
     view_app,
     "one of them, by the application's id or the container's name",
     {.flags = kOnWorker,
      .reply = kApp,
      .prepare = prepare_applications,
      .resolve = resolve_target}},
    {rest::Method::get,
     "/orgs/{org}/environments/{id}/providers/{provider}/v2/info",
     "provider.info",
     entitlement("container.view"),
     Kind::query,
     view_info,
     "what the provider's cluster is",
     {.flags = kOnWorker, .reply = kInfo, .prepare = prepare_info, .resolve = resolve_target}},
    {rest::Method::get,
     "/orgs/{org}/environments/{id}/providers/{provider}/v2/deployments",
     "provider.deployments",
     entitlement("container.view"),
     Kind::query,
     view_deployments,
     "deployments of the environment's containers that are under way",
     {.flags = kOnWorker,
      .reply = kDeployments,
      .prepare = prepare_applications,
      .resolve = resolve_target}},
};

}  // namespace

void add_provider_rows(Meta& meta, ActionTable& table) { table.add(kProviderRows, meta); }

}  // namespace services::meta
