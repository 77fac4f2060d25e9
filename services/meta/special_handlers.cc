// SPDX-License-Identifier: Apache-2.0
// What surrounds a resource (history, context, links, configuration), and what has no resource:
// about, sync, paths, search.
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "services/meta/changes.h"
#include "services/meta/config_stage.h"
#include "services/meta/entitlements.h"
#include "services/meta/handlers.h"
#include "services/meta/schemas.h"
#include "services/meta/sync.h"
#include "services/meta/views.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

using Row = Action<Meta>;

constexpr std::int64_t kWatchSecondsMax = 60;

Result<Stored> target_resource(const Work& work) {
  return get_resource(work.call.read(), work.call.target().resource_id);
}

Result<std::int64_t> number_in_query(const Call& call, std::string_view name,
                                     std::int64_t otherwise, std::int64_t most) {
  const std::optional<std::string> text = call.query(name);
  if (!text) return otherwise;
  auto number = base::parse_int(*text, 0, most);
  if (number) return number;
  return Error{Code::invalid_argument, std::string(name) + " must be a number", "query_invalid"};
}

Result<Reply> show_history(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored stored = TRY(target_resource(work));
  return Reply::json(TRY(history_of(work, stored)));
}

Result<Reply> show_diff(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored stored = TRY(target_resource(work));
  const std::int64_t from = TRY(number_in_query(call, "from", 0, INT64_MAX));
  const std::int64_t to = TRY(number_in_query(call, "to", 0, INT64_MAX));
  return Reply::json(
      TRY(diff_of(work, stored, static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to))));
}

Result<Reply> show_context(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored stored = TRY(target_resource(work));
  return Reply::json(TRY(context_of(work, stored)));
}

Result<Reply> show_links(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored stored = TRY(target_resource(work));
  LinkQuery query;
  const std::string way = call.query("dir").value_or("both");
  if (way != "in" && way != "out" && way != "both") {
    return Error{Code::invalid_argument, "dir is in, out or both", "query_invalid"};
  }
  query.in = way != "out";
  query.out = way != "in";
  query.depth = static_cast<int>(TRY(number_in_query(call, "depth", 1, 10)));
  return Reply::json(TRY(links_of(work, stored, query)));
}

Result<Reply> show_actions(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored stored = TRY(target_resource(work));
  const Header header = TRY(stored.header());
  const ResourceType* type = TRY(work.type_of(header));
  return Reply::json(work.types->actions_on(*type));
}

Result<config::View> view_of_target(const Work& work) {
  const std::optional<std::string> at = work.call.query("at");
  const std::string& id = work.call.target().resource_id;
  Stored stored;
  if (at) {
    const std::string time = TRY(read_time(*at));
    stored = TRY(resource_at(work.call.read(), id, time));
  } else {
    stored = TRY(get_resource(work.call.read(), id));
  }
  const Resource resource = TRY(read_stored(stored.id, stored.text));
  return effective_config(work.call.read(), resource);
}

Result<Reply> show_env(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const config::View view = TRY(view_of_target(work));
  return Reply::json(config::env_json(view));
}

Result<Reply> show_config(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  if (!TRY(call.flag("effective"))) {
    const Stored stored = TRY(target_resource(work));
    const Resource resource = TRY(read_stored(stored.id, stored.text));
    const auto own = resource.properties.find("config");
    return Reply::json(own == resource.properties.end() ? Json::object() : *own);
  }
  const config::View view = TRY(view_of_target(work));
  const Json shown =
      config::view_json(view, call.explaining() ? config::Explain::yes : config::Explain::no);
  // ?version=HASH: only what is newer than what the caller has.
  const std::optional<std::string> known = call.query("version");
  if (known && *known == config::view_hash(view)) {
    Reply unchanged;
    unchanged.status = 304;
    return unchanged;
  }
  return Reply::json(shown);
}

// What is in force for a resource: nothing when that is what `known` names.
Result<std::optional<Json>> config_beside(store::Reader& reader, const std::string& id,
                                          const std::string& known) {
  const Stored stored = TRY(get_resource(reader, id));
  const Resource resource = TRY(read_stored(stored.id, stored.text));
  const config::View view = TRY(effective_config(reader, resource));
  if (config::view_hash(view) == known) return std::optional<Json>();
  return std::optional<Json>(config::view_json(view, config::Explain::no));
}

// ?version=HASH&wait=SECONDS: answers when what is in force is something else than that, and with
// the same when the time is over.
Result<Reply> watch_config(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored stored = TRY(target_resource(work));
  const Header header = TRY(stored.header());
  const std::int64_t wait = TRY(number_in_query(call, "wait", 0, kWatchSecondsMax));
  const std::string known = wait == 0 ? std::string() : call.query("version").value_or("");
  const auto now = TRY(config_beside(call.read(), stored.id, known));
  if (now) return Reply::json(*now);
  Followers::Wish wish;
  wish.channels = {stored.id};
  for (const std::string_view ancestor : header.ancestors()) wish.channels.emplace(ancestor);
  wish.wait = std::chrono::seconds(wait);
  wish.attempt = [&store = meta.host().store(), id = stored.id,
                  known](bool is_last) -> Followers::Outcome {
    std::optional<Json> found;
    const auto read = store.read([&](store::Reader& reader) -> Result<void> {
      found = TRY(config_beside(reader, id, is_last ? std::string() : known));
      return {};
    });
    if (!read) return Followers::Outcome::failure(read.error());
    return found ? Followers::Outcome{base::dump_json(*found), true} : Followers::Outcome{};
  };
  Reply reply;
  reply.headers["Content-Type"] = "application/json";
  reply.stream = TRY(meta.watchers().follow(std::move(wish)));
  return reply;
}

Result<Reply> put_config(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored before = TRY(target_resource(work));
  Resource next = TRY(read_stored(before.id, before.text));
  TRY(call.check_version(next.version));
  next.properties["config"] = call.body();
  const Stored written = TRY(rewrite_resource(work, before, std::move(next), "update"));
  call.emit("meta.config.changed", Json{{"id", written.id}, {"fqon", call.org().fqon}});
  return Reply::json(call.body());
}

Result<Reply> restore(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const std::int64_t version = TRY(number_in_query(call, "version", 0, INT64_MAX));
  const Stored written = TRY(
      restore_resource(work, parameter_or_empty(call, "id"), static_cast<std::uint64_t>(version)));
  return resource_reply(work, written);
}

// The type of a stored resource by its actions: "container".
Result<std::string> prefix_of(Meta& meta, Call& call, const Header& header) {
  const auto types = TRY(meta.types(call.read()));
  const ResourceType* type = types->find(header.type);
  return type == nullptr ? std::string("resource") : type->prefix;
}

// Restoring is what its name says, and an update or a creation as well.
Result<Target> also_restores(Target target, const std::string& prefix, std::string_view verb) {
  target.also = {{target.org, prefix + ".restore"}, {target.org, prefix + std::string(verb)}};
  return target;
}

// A deleted resource is restored below its parent: the target is the organisation then.
Result<Target> resolve_restore(Meta& meta, Call& call) {
  const std::string_view id = parameter_or_empty(call, "id");
  if (const auto now = TRY(find_resource(call.read(), id))) {
    Target target = TRY(resolve_around(meta, call));
    const Header header = TRY(now->header());
    const std::string prefix = TRY(prefix_of(meta, call, header));
    return also_restores(std::move(target), prefix, ".update");
  }
  Target target = call.target();
  target.resource_id = target.org.id;
  target.type = std::string(kOrgType);
  const std::uint64_t next = TRY(first_free_version(call.read(), id));
  const auto last = next > 1 ? TRY(find_version(call.read(), id, next - 1)) : std::nullopt;
  if (!last) {
    return Error{Code::not_found, "there was no resource " + std::string(id), "resource_unknown"};
  }
  const Header header = TRY(read_header(last->text));
  const std::string prefix = TRY(prefix_of(meta, call, header));
  if (header.org == target.org.id) return also_restores(std::move(target), prefix, ".create");
  return Error{Code::not_found, "there was no resource " + std::string(id) + " here",
               "resource_unknown"};
}

// GET /path/{fqon}/{workspace}/{environment}/{name}: walks names from an organisation.
Result<Reply> show_path(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const std::string whole = std::string(parameter_or_empty(call, "path"));
  const auto steps = base::split(whole, '/');
  const auto org = TRY(meta.host().orgs().find_fqon(call.read(), steps.front()));
  if (!org) {
    return Error{Code::not_found, "there is no organisation '" + std::string(steps.front()) + "'",
                 "org_unknown"};
  }
  Stored here = TRY(get_resource(call.read(), org->id));
  for (std::size_t i = 1; i < steps.size(); ++i) {
    std::optional<Stored> next;
    for (const Stored& child : TRY(list_children(call.read(), here.id))) {
      const Header header = TRY(child.header());
      if (header.name == steps[i] &&
          (!next || header.rest == "workspaces" || header.rest == "environments")) {
        next = child;
      }
    }
    if (!next) {
      return Error{Code::not_found, "there is nothing called '" + std::string(steps[i]) + "' there",
                   "resource_unknown"};
    }
    here = *std::move(next);
  }
  const Header header = TRY(here.header());
  const ResourceType* type = TRY(work.type_of(header));
  const Decision decision =
      TRY(is_entitled(call.read(), call.caller(), here.id, type->prefix + ".view"));
  if (decision.allowed) return resource_reply(work, here);
  return Error{Code::permission_denied, decision.because, "entitlement_missing"};
}

// Lists over all organisations, of what the caller may see.
Result<Reply> list_everywhere(Meta& meta, Call& call, std::string_view rest) {
  const Work work = TRY(Work::begin(meta, call));
  std::vector<Stored> list = TRY(list_all(call.read(), rest));
  list = TRY(visible(work, std::move(list)));
  return list_reply(work, std::move(list));
}

Result<Reply> list_orgs(Meta& meta, Call& call) { return list_everywhere(meta, call, "orgs"); }
Result<Reply> list_users(Meta& meta, Call& call) { return list_everywhere(meta, call, "users"); }
Result<Reply> list_groups(Meta& meta, Call& call) { return list_everywhere(meta, call, "groups"); }
Result<Reply> list_rules(Meta& meta, Call& call) { return list_everywhere(meta, call, "rules"); }

Result<Reply> show_self(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored stored = TRY(get_resource(call.read(), call.caller().account_id));
  return resource_reply(work, stored);
}

Result<Reply> show_about(Meta& meta, Call& call) {
  Json services = Json::object();
  for (const std::string_view name :
       {"security", "event", "task", "launcher", "change", "lambda"}) {
    services[std::string(name)] = {{"hosted", meta.host().hosts(name)}};
  }
  const Json about = {{"status", "OK"},
                      {"url", call.href_base()},
                      {"time", base::format_time(call.now())},
                      {"build_info", {{"name", "gestalt-meta"}, {"version", GESTALT_VERSION}}},
                      {"services", std::move(services)}};
  return Reply::json(about);
}

Result<Reply> show_health(Meta&, Call&) { return Reply::text("healthy"); }

Result<Reply> show_org_health(Meta& meta, Call& call) {
  const std::int64_t users = TRY(count(call.read(), call.org().id, "users"));
  return Reply::json(
      {{"status", "healthy"}, {"org", call.org().fqon}, {"users", users}, {"meta", meta.health()}});
}

Result<Reply> synchronise(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const SyncResult result = TRY(sync_all(work));
  return Reply::json(
      {{"created", result.created}, {"updated", result.updated}, {"deleted", result.deleted}});
}

// POST /orgs makes an organisation below the root.
Result<Target> resolve_root(Meta& meta, Call& call) {
  const auto root = TRY(meta.host().orgs().find_fqon(call.read(), "root"));
  if (root) return Target{*root, root->id, std::string(kOrgType)};
  return Error{Code::not_found, "there is no root organisation yet", "org_unknown"};
}

// A lambda by its id alone, as the executors of 2016 ask for it.
Result<Target> resolve_anywhere(Meta&, Call& call) {
  const Stored stored = TRY(get_resource(call.read(), call.parameter("id")));
  const Resource resource = TRY(read_stored(stored.id, stored.text));
  return Target{{resource.org_id, resource.fqon}, resource.id, resource.type};
}

// A person or a rule by its id alone.
Result<Target> resolve_alone(Meta& meta, Call& call) {
  const auto found = TRY(find_resource(call.read(), call.parameter("id")));
  const auto header = found ? found->header() : Result<Header>(Error{});
  if (header && header->rest == collection_of(call)) return resolve_anywhere(meta, call);
  return Error{Code::not_found, "there is no resource " + call.parameter("id") + " here",
               "resource_unknown"};
}

constexpr Row kSpecial[] = {
    {rest::Method::get,
     "/users/{id}",
     "user.view",
     entitlement("user.view"),
     Kind::query,
     show_resource,
     "a person by the id alone",
     {.reply = reply::kResource, .resolve = resolve_alone}},
    {rest::Method::del,
     "/users/{id}",
     "user.delete",
     entitlement("user.delete"),
     Kind::mutation,
     remove_resource,
     "delete a person by the id alone",
     {.resolve = resolve_alone}},
    {rest::Method::get,
     "/rules/{id}",
     "rule.view",
     entitlement("rule.view"),
     Kind::query,
     show_resource,
     "a rule by its id alone",
     {.reply = reply::kResource, .resolve = resolve_alone}},
    {rest::Method::del,
     "/rules/{id}",
     "rule.delete",
     entitlement("rule.delete"),
     Kind::mutation,
     remove_resource,
     "delete a rule by its id alone",
     {.resolve = resolve_alone}},
    {rest::Method::post,
     "/orgs",
     "org.create",
     entitlement("org.create"),
     Kind::mutation,
     make_resource,
     "make an organisation below the root",
     {.body = R"({"type":"object"})", .reply = reply::kResource, .resolve = resolve_root}},
    {rest::Method::get,
     "/lambdas/{id}/env",
     "lambda.env",
     entitlement("lambda.view"),
     Kind::query,
     show_env,
     "merged environment variables of a lambda",
     {.reply = reply::kEnv, .resolve = resolve_anywhere}},
    {rest::Method::get, "/health", "meta.health", anonymous(), Kind::query, show_health,
     "whether the service answers"},
    {rest::Method::get,
     "/about",
     "meta.about",
     anonymous(),
     Kind::query,
     show_about,
     "version and services",
     {.reply = reply::kAbout}},
    {rest::Method::get,
     "/orgs/{org}/health",
     "org.health",
     entitlement("org.view"),
     Kind::query,
     show_org_health,
     "the service as one organisation sees it",
     {.reply = reply::kOrgHealth, .resolve = resolve_target}},
    {rest::Method::post,
     "/sync",
     "meta.sync",
     right("sync"),
     Kind::mutation,
     synchronise,
     "mirror security's organisations, people and groups",
     {.flags = kUngated, .reply = reply::kSyncResult}},
    {rest::Method::post,
     "/bootstrap",
     "meta.bootstrap",
     right("sync"),
     Kind::mutation,
     synchronise,
     "as sync; types are there without it",
     {.flags = kUngated, .reply = reply::kSyncResult}},
    {rest::Method::get,
     "/orgs",
     "org.list",
     authenticated(),
     Kind::query,
     list_orgs,
     "organisations that the caller may see",
     {.reply = reply::kResources}},
    {rest::Method::get,
     "/users",
     "user.list",
     authenticated(),
     Kind::query,
     list_users,
     "people that the caller may see",
     {.reply = reply::kResources}},
    {rest::Method::get,
     "/users/self",
     "user.self",
     authenticated(),
     Kind::query,
     show_self,
     "the caller",
     {.reply = reply::kResource}},
    {rest::Method::get,
     "/groups",
     "group.list",
     authenticated(),
     Kind::query,
     list_groups,
     "groups that the caller may see",
     {.reply = reply::kResources}},
    {rest::Method::get,
     "/rules",
     "rule.list",
     authenticated(),
     Kind::query,
     list_rules,
     "rules that the caller may see",
     {.reply = reply::kResources}},
    {rest::Method::get,
     "/users/search",
     "user.search",
     authenticated(),
     Kind::query,
     search_identities,
     "people by property",
     {.reply = reply::kResources}},
    {rest::Method::get,
     "/groups/search",
     "group.search",
     authenticated(),
     Kind::query,
     search_identities,
     "groups by property",
     {.reply = reply::kResources}},
    {rest::Method::get,
     "/orgs/{org}/users/search",
     "user.search",
     entitlement("user.view"),
     Kind::query,
     search_identities,
     "people of an organisation by property",
     {.reply = reply::kResources, .resolve = resolve_target}},
    {rest::Method::get,
     "/orgs/{org}/groups/search",
     "group.search",
     entitlement("group.view"),
     Kind::query,
     search_identities,
     "groups of an organisation by property",
     {.reply = reply::kResources, .resolve = resolve_target}},
    {rest::Method::get,
     "/path/{path...}",
     "resource.path",
     authenticated(),
     Kind::query,
     show_path,
     "a resource by the names on the way to it",
     {.reply = reply::kResource}},
    {rest::Method::get,
     "/orgs/{org}/groups/{id}/users",
     "group.members",
     entitlement("group.view"),
     Kind::query,
     list_members,
     "who is in a group",
     {.reply = reply::kResources, .resolve = resolve_target}},
    {rest::Method::patch,
     "/orgs/{org}/groups/{id}/users",
     "group.update",
     entitlement("group.update"),
     Kind::mutation,
     add_members,
     "put people into a group",
     {.reply = reply::kResources, .resolve = resolve_target}},
    {rest::Method::del,
     "/orgs/{org}/groups/{id}/users",
     "group.update",
     entitlement("group.update"),
     Kind::mutation,
     remove_members,
     "take people out of a group",
     {.reply = reply::kResources, .resolve = resolve_target}},
    {rest::Method::get,
     "/orgs/{org}/users/{id}/groups",
     "user.groups",
     entitlement("user.view"),
     Kind::query,
     list_groups_of_user,
     "the groups of somebody",
     {.reply = reply::kResources, .resolve = resolve_target}},
};

// Around the organisation itself and around any of its resources.
struct Around {
  rest::Method method;
  std::string_view last;
  std::string_view name;
  std::string_view access;
  Result<Reply> (*handle)(Meta&, Call&);
  std::string_view summary;
  std::string_view reply;  // in the organisation's row; others may differ, see reply_around()
};
constexpr Around kAround[] = {
    {rest::Method::get, "env", "resource.env", "resource.view", show_env,
     "merged environment variables", reply::kEnv},
    {rest::Method::get, "config", "resource.config", "resource.view", show_config,
     "configuration, with ?effective=true what is in force", reply::kConfigOrView},
    {rest::Method::get, "config/watch", "config.watch", "resource.view", watch_config,
     "waits until what is in force is no longer ?version=, up to ?wait= seconds",
     reply::kConfigView},
    {rest::Method::put, "config", "config.update", "resource.update", put_config,
     "replace the configuration said here", reply::kConfig},
    {rest::Method::get, "history", "resource.history", "resource.view", show_history,
     "versions, oldest first", reply::kHistory},
    {rest::Method::get, "diff", "resource.diff", "resource.view", show_diff,
     "the patch between two versions", reply::kPatch},
    {rest::Method::get, "context", "resource.context", "resource.view", show_context,
     "organisation, workspace and environment", reply::kContext},
    {rest::Method::get, "links", "resource.links", "resource.view", show_links,
     "what leads to it and where it leads", reply::kEdges},
    {rest::Method::get, "actions", "resource.actions", "resource.view", show_actions,
     "what can be entitled here", reply::kActionNames},
    {rest::Method::post, "restore", "resource.restore", "resource.update", restore,
     "as it was in ?version=", reply::kResource},
};

// What is said of the row below any resource rather than the organisation itself.
std::string_view reply_around(const Around& around, bool is_org) {
  if (!is_org && around.handle == show_config) return reply::kAnyConfigOrView;
  if (!is_org && around.handle == put_config) return reply::kAnyConfig;
  return around.reply;
}

}  // namespace

void add_special_rows(Meta& meta, ActionTable& table) {
  table.add(kSpecial, meta);
  for (const Around& around : kAround) {
    for (const std::string_view before : {"/orgs/{org}/", "/orgs/{org}/{kind}/{id}/"}) {
      const bool restores = around.last == "restore";
      if (restores && before == "/orgs/{org}/") continue;
      const Row row[1] = {
          {.method = around.method,
           .path = meta.keep_name(std::string(before) + std::string(around.last)),
           .name = around.name,
           .access = entitlement(around.access),
           .kind = around.method == rest::Method::get ? Kind::query : Kind::mutation,
           .handle = around.handle,
           .summary = around.summary,
           .options = {.body = around.handle == put_config ? reply::kAnyConfig : std::string_view(),
                       .reply = reply_around(around, before == "/orgs/{org}/"),
                       .resolve = restores                      ? resolve_restore
                                  : around.handle == put_config ? resolve_named
                                                                : resolve_around}}};
      table.add(row, meta);
    }
  }
}

}  // namespace services::meta
