// SPDX-License-Identifier: Apache-2.0
// Verbs of containers, and what the launcher reports of them.
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "services/meta/change_checks.h"
#include "services/meta/changes.h"
#include "services/meta/config_stage.h"
#include "services/meta/entitlements.h"
#include "services/meta/handlers.h"
#include "services/meta/views.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::int64_t kInstancesMax = 10'000;

struct Opened {
  Stored stored;
  Resource resource;
};

Result<Opened> open_container(const Work& work) {
  Stored stored = TRY(get_resource(work.call.read(), work.call.target().resource_id));
  Resource resource = TRY(read_stored(stored.id, stored.text));
  TRY(work.call.check_version(resource.version));
  return Opened{std::move(stored), std::move(resource)};
}

Result<std::string> id_in_query(const Call& call, std::string_view name) {
  const std::optional<std::string> id = call.query(name);
  if (id && is_uuid(*id)) return *id;
  return Error{Code::invalid_argument, "?" + std::string(name) + "= must be a resource's id",
               "query_invalid"};
}

}  // namespace

Result<Reply> scale_container(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const auto wanted = base::parse_int(call.query("numInstances").value_or(""), 0, kInstancesMax);
  if (!wanted) {
    return Error{Code::invalid_argument, "?numInstances= must be 0 to 10000", "query_invalid"};
  }
  Opened opened = TRY(open_container(work));
  opened.resource.properties["num_instances"] = *wanted;
  const Stored written =
      TRY(rewrite_resource(work, opened.stored, std::move(opened.resource), "scale"));
  return with_task(call, TRY(resource_reply(work, written, 202)));
}

Result<Reply> migrate_container(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const std::string provider = TRY(id_in_query(call, "provider"));
  const auto found = TRY(find_resource(call.read(), provider));
  const auto is_provider = [&found] {
    const auto header = found ? found->header() : Result<Header>(Error{});
    return header && header->rest == "providers";
  };
  if (!is_provider()) {
    return Error{Code::invalid_argument, "there is no provider " + provider, "link_unknown"};
  }
  TRY(need_entitlement(call.read(), call.caller(), provider, "provider.view"));
  Opened opened = TRY(open_container(work));
  const Link link = TRY(link_of(work, *found));
  opened.resource.properties["provider"] = {
      {"id", link.id}, {"name", link.name}, {"locations", Json::array()}};
  const Header header = TRY(found->header());
  const Header own = TRY(opened.stored.header());
  const Resource& resource = opened.resource;
  TRY(check_rules_at(work,
                     {.place = header.parent,
                      .actions = {"container.migrate", "container.create"},
                      .but = own.path},
                     {{"name", resource.name}, {"properties", resource.properties}}));
  const Stored written =
      TRY(rewrite_resource(work, opened.stored, std::move(opened.resource), "migrate"));
  return with_task(call, TRY(resource_reply(work, written, 202)));
}

namespace {

// What ?NAME= leads to; nothing when that is not there, which the handler says.
Result<std::optional<Resource>> queried(Call& call, std::string_view name) {
  const std::optional<std::string> id = call.query(name);
  const auto found = id && is_uuid(*id) ? TRY(find_resource(call.read(), *id)) : std::nullopt;
  if (!found) return std::optional<Resource>();
  return std::optional<Resource>(TRY(read_stored(found->id, found->text)));
}

}  // namespace

Result<Target> resolve_migration(Meta& meta, Call& call) {
  Target target = TRY(resolve_target(meta, call));
  const auto provider = TRY(queried(call, "provider"));
  if (!provider) return target;
  const Org org{provider->org_id, provider->fqon};
  target.also.push_back({org, "container.migrate"});
  const Stored container = TRY(get_resource(call.read(), target.resource_id));
  // Where nothing of the container was before it is as good as made.
  const std::string path(TRY(container.header()).path);
  if (path.find(provider->parent_id) == std::string::npos)
    target.also.push_back({org, "container.create"});
  return target;
}

Result<Target> resolve_promotion(Meta& meta, Call& call) {
  Target target = TRY(resolve_target(meta, call));
  const auto environment = TRY(queried(call, "target"));
  if (!environment) return target;
  const Org org{environment->org_id, environment->fqon};
  target.also = {{org, "container.promote"}, {org, "container.create"}};
  return target;
}

// A copy in another environment; the container itself stays.
Result<Reply> promote_container(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const std::string target = TRY(id_in_query(call, "target"));
  const Stored environment = TRY(get_resource(call.read(), target));
  TRY(need_entitlement(call.read(), call.caller(), target, "container.create"));
  Opened opened = TRY(open_container(work));
  Input input;
  input.name = opened.resource.name;
  input.description = opened.resource.description;
  input.properties = opened.resource.properties;
  input.properties.erase("parent");
  const ResourceType* type = work.types->find(kContainerType);
  TRY(check_rules_at(
      work,
      {.place = target, .actions = {"container.create", "container.promote"}, .adds = Adds::one},
      {{"name", input.name}, {"properties", input.properties}}));
  const Stored made = TRY(create_resource(work, environment, *type, input));
  return with_task(call, TRY(resource_reply(work, made, 202)));
}

namespace {

Resource reported(const Resource& old, const ContainerReport& report) {
  Resource next = old;
  next.properties["status"] = report.status;
  if (!report.external_id.empty()) next.properties["external_id"] = report.external_id;
  next.properties["tasks_running"] = report.running;
  next.properties["tasks_healthy"] = report.healthy;
  next.properties["tasks_staged"] = report.staged;
  next.properties["tasks_unhealthy"] = report.unhealthy;
  if (report.instances.is_array()) next.properties["instances"] = report.instances;
  if (report.service_addresses.is_object()) {
    next.properties["service_addresses"] = report.service_addresses;
  }
  if (report.message.empty()) {
    next.properties.erase("status_message");
  } else {
    next.properties["status_message"] = report.message;
  }
  next.state = std::string(report.fate == Fate::failed ? kFailed : kActive);
  return next;
}

bool is_same(const Resource& one, const Resource& other) {
  return one.properties == other.properties && one.state == other.state;
}

// The task of the last container that a call has changed.
struct RunnerTask {
  std::string id;
};

}  // namespace

Result<ProviderName> provider_name(store::Reader& reader, const Json& properties) {
  const auto given = properties.find("provider");
  if (given == properties.end() || !given->is_object()) return ProviderName{"default", ""};
  const auto text = [&given](const char* name) {
    const auto found = given->find(name);
    return found != given->end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::string id = text("id");
  if (id.empty()) {
    const std::string name = text("name");
    if (name.empty() || name == "default") return ProviderName{"default", ""};
    return ProviderName{"", "provider '" + name + "' is named without its id: give provider.id"};
  }
  const auto stored = TRY(find_resource(reader, id));
  if (!stored) return ProviderName{"", "there is no provider " + id};
  const Resource resource = TRY(read_stored(stored->id, stored->text));
  if (resource.path.find(',') != std::string::npos || resource.fqon != "root")
    return ProviderName{"", "provider '" + resource.name +
                                "' does not stand directly below the root organisation, where the "
                                "operator's providers are"};
  return ProviderName{resource.name, ""};
}

namespace {

// The keys that have no value here and must have one.
Json missing(const config::View& view, config::Need need) {
  Json keys = Json::array();
  for (const auto& [key, value] : view) {
    if (!value.present && value.need == need) keys.push_back(key);
  }
  return keys;
}

Result<Json> told(store::Reader& reader, const Resource& resource) {
  const ProviderName provider = TRY(provider_name(reader, resource.properties));
  const config::View view = TRY(effective_config(reader, resource));
  Json out = Json::parse(outline(resource, resource.properties));
  out["env"] = config::env_json(view);
  out["provider"] = provider.problem.empty() ? Json(provider.name) : Json();
  out["problem"] = provider.problem;
  out["lacks"] = missing(view, config::Need::fail);
  out["waits_for"] = missing(view, config::Need::wait);
  return out;
}

}  // namespace

Result<void> check_provider(const Work& work, const Json& before, const Resource& next) {
  if (next.type != kContainerType || work.call.caller().is_internal()) return {};
  const auto id_of = [](const Json& properties) {
    const auto given = properties.find("provider");
    return given != properties.end() && given->is_object() ? given->value("id", Json()) : Json();
  };
  const Json id = id_of(next.properties);
  if (!id.is_string() || (before.is_object() && id_of(before) == id)) return {};
  return need_entitlement(work.call.read(), work.call.caller(), id.get<std::string>(),
                          "provider.view");
}

Result<Reply> with_task(Call& call, Reply reply) {
  const auto* made = call.kept<RunnerTask>();
  if (made == nullptr) return reply;
  const auto prefer = call.request().find_header("prefer");
  if (prefer && prefer->find("respond-async") != std::string_view::npos) {
    return call.accepted(made->id);
  }
  return std::move(reply).with("Gestalt-Task", "/task/tasks/" + made->id);
}

Result<void> Meta::tell_runner(Call& call, std::string_view verb, const Resource& container) {
  if (runner_ == nullptr || verb == "status") return {};
  const Json wanted = TRY(told(call.read(), container));
  std::string task = TRY(runner_->take_change(call, verb, wanted));
  if (!task.empty()) call.keep(RunnerTask{std::move(task)});
  return {};
}

Result<void> Meta::report_container(Call& call, std::string_view id,
                                    const ContainerReport& report) {
  const auto stored = TRY(find_resource(call.read(), id));
  if (!stored) return {};
  const Work work = TRY(Work::begin(*this, call));
  const Resource old = TRY(read_stored(stored->id, stored->text));
  Resource next = reported(old, report);
  if (is_same(old, next)) return {};
  TRY(rewrite_resource(work, *stored, std::move(next), "status"));
  return {};
}

Result<bool> Meta::is_news(store::Reader& reader, std::string_view id,
                           const ContainerReport& report) {
  const auto stored = TRY(find_resource(reader, id));
  if (!stored) return false;
  const Resource old = TRY(read_stored(stored->id, stored->text));
  return !is_same(old, reported(old, report));
}

Result<std::vector<std::string>> Meta::container_ids(store::Reader& reader) {
  std::vector<std::string> ids;
  TRY(visit_all(reader, "containers", [&](const Stored& stored) -> Result<void> {
    ids.push_back(stored.id);
    return {};
  }));
  return ids;
}

Result<std::optional<Json>> Meta::wanted_container(store::Reader& reader, std::string_view id) {
  const auto stored = TRY(find_resource(reader, id));
  if (!stored) return std::optional<Json>();
  const Resource resource = TRY(read_stored(stored->id, stored->text));
  if (resource.type != kContainerType) return std::optional<Json>();
  return std::optional<Json>(TRY(told(reader, resource)));
}

}  // namespace services::meta
