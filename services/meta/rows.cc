// SPDX-License-Identifier: Apache-2.0
// The action table of meta. Each built-in collection has rows of its own, so that its actions have
// their names ("container.create") for entitlements, rules, the gate and the audit; collections of
// types that somebody has added share the generic rows.
#include <set>

#include "services/meta/handlers.h"
#include "services/meta/schemas.h"

namespace services::meta {

using base::Result;

namespace {

using Row = Action<Meta>;
using Handle = Result<Reply> (*)(Meta&, Call&);

constexpr std::string_view kBody = R"({"type":"object"})";
constexpr std::string_view kPatchBody = R"({"type":"array"})";
constexpr std::size_t kBodyMax = 2 << 20;

struct Made {
  rest::Method method;
  std::string path;
  std::string prefix;  // of the type
  std::string verb;
  Handle handle;
  std::string_view body = {};
  Result<Target> (*resolve)(Meta&, Call&) = resolve_target;
};

// Also of a 202 that is no task: containers answer so when they are scaled, migrated or promoted.
std::string_view reply_of(Handle handle) {
  if (handle == list_resources) return reply::kResources;
  return handle == remove_resource ? std::string_view() : reply::kResource;
}

void add(Meta& meta, ActionTable& table, const Made& made) {
  const bool is_query = made.method == rest::Method::get;
  const std::string_view name = meta.keep_name(made.prefix + "." + made.verb);
  const Row row[1] = {{.method = made.method,
                       .path = meta.keep_name(made.path),
                       .name = name,
                       .access = entitlement(name),
                       .kind = is_query ? Kind::query : Kind::mutation,
                       .handle = made.handle,
                       .summary = meta.keep_name(made.verb + " " + made.prefix),
                       .options = {.body = made.body,
                                   .reply = reply_of(made.handle),
                                   .prepare = name == "user.create" ? prepare_user : nullptr,
                                   .resolve = made.resolve,
                                   .body_max = kBodyMax}}};
  table.add(row, meta);
}

void add_item(Meta& meta, ActionTable& table, const std::string& path, const std::string& prefix) {
  add(meta, table, {rest::Method::get, path, prefix, "view", show_resource});
  add(meta, table, {rest::Method::put, path, prefix, "update", put_resource, kBody});
  add(meta, table, {rest::Method::patch, path, prefix, "update", alter_resource, kPatchBody});
  add(meta, table, {rest::Method::del, path, prefix, "delete", remove_resource});
}

// The places of the address below which a collection is listed, and made where `may_make`.
struct Below {
  std::string path;  // "/orgs/{org}/environments/{parent}"
  bool may_make;
};

std::vector<Below> places(const Meta& meta, const ResourceType& type) {
  std::vector<Below> found = {
      {"/orgs/{org}", meta.builtin().may_stand_under(type, kOrgType)},
      {"/orgs/{org}/workspaces/{parent}", meta.builtin().may_stand_under(type, kWorkspaceType)},
      {"/orgs/{org}/environments/{parent}",
       meta.builtin().may_stand_under(type, kEnvironmentType)}};
  std::set<std::string> seen = {"orgs", "workspaces", "environments"};
  for (const std::string& parent : type.parents) {
    const std::string& rest = meta.builtin().find(parent)->rest_name;
    if (!seen.insert(rest).second) continue;
    found.push_back({"/orgs/{org}/" + rest + "/{parent}", true});
  }
  return found;
}

void add_collection(Meta& meta, ActionTable& table, const ResourceType& type) {
  for (const Below& below : places(meta, type)) {
    const std::string path = below.path + "/" + type.rest_name;
    add(meta, table, {rest::Method::get, path, type.prefix, "view", list_resources});
    if (below.may_make) {
      add(meta, table, {rest::Method::post, path, type.prefix, "create", make_resource, kBody});
    }
    if (below.path != "/orgs/{org}" && below.may_make) {
      add_item(meta, table, path + "/{id}", type.prefix);
    }
  }
  add_item(meta, table, "/orgs/{org}/" + type.rest_name + "/{id}", type.prefix);
}

struct Verb {
  std::string_view name;
  Handle handle;
  Result<Target> (*resolve)(Meta&, Call&);
};
constexpr Verb kContainerVerbs[] = {{"scale", scale_container, resolve_target},
                                    {"migrate", migrate_container, resolve_migration},
                                    {"promote", promote_container, resolve_promotion}};

void add_containers(Meta& meta, ActionTable& table) {
  for (const char* path :
       {"/orgs/{org}/containers/{id}", "/orgs/{org}/environments/{parent}/containers/{id}"}) {
    for (const Verb& verb : kContainerVerbs) {
      add(meta, table,
          {rest::Method::post,
           std::string(path) + "/" + std::string(verb.name),
           "container",
           std::string(verb.name),
           verb.handle,
           {},
           verb.resolve});
    }
  }
}

// POST of an item with ?action=VERB: one row a collection, so that it is gated by its name.
void add_action(Meta& meta, ActionTable& table, const std::string& path,
                const std::string& prefix) {
  const std::string_view name = meta.keep_name(prefix + ".act");
  const Row row[1] = {{.method = rest::Method::post,
                       .path = meta.keep_name(path),
                       .name = name,
                       .access = authenticated(),
                       .kind = Kind::mutation,
                       .handle = act_on_resource,
                       .summary = meta.keep_name("carry out ?action= on " + prefix),
                       .options = {.flags = kAsync,
                                   .reply = reply::kTask,
                                   .resolve = resolve_target,
                                   .body_max = kBodyMax}}};
  table.add(row, meta);
}

}  // namespace

void add_resource_rows(Meta& meta, ActionTable& table) {
  std::set<std::string> done = {"orgs", "entitlements", "resourcetypes"};
  for (const ResourceType* type : meta.builtin().all()) {
    if (type->rest_name.empty() || !done.insert(type->rest_name).second) continue;
    const ResourceType& stands = *meta.builtin().find_rest(type->rest_name);
    add_collection(meta, table, stands);
    // People and groups are security's: no provider stands behind them.
    if (stands.name == kUserType || stands.name == kGroupType) continue;
    add_action(meta, table, "/orgs/{org}/" + stands.rest_name + "/{id}", stands.prefix);
  }
  add_containers(meta, table);
  // Organisations are their own address.
  add(meta, table, {rest::Method::get, "/orgs/{org}", "org", "view", show_resource});
  add(meta, table, {rest::Method::get, "/orgs/{org}/orgs", "org", "view", list_resources});
  add(meta, table, {rest::Method::post, "/orgs/{org}", "org", "create", make_resource, kBody});
  add(meta, table, {rest::Method::post, "/orgs/{org}/orgs", "org", "create", make_resource, kBody});
  add(meta, table, {rest::Method::get, "/orgs/{org}/orgs/{id}", "org", "view", show_resource});
  add(meta, table, {rest::Method::del, "/orgs/{org}/orgs/{id}", "org", "delete", remove_resource});
  add(meta, table, {rest::Method::put, "/orgs/{org}", "org", "update", put_resource, kBody});
  add(meta, table,
      {rest::Method::patch, "/orgs/{org}", "org", "update", alter_resource, kPatchBody});
  add(meta, table, {rest::Method::del, "/orgs/{org}", "org", "delete", remove_resource});
  // Types that somebody has added.
  add(meta, table, {rest::Method::get, "/orgs/{org}/{kind}", "resource", "view", list_resources});
  add(meta, table,
      {rest::Method::post, "/orgs/{org}/{kind}", "resource", "create", make_resource, kBody});
  add_item(meta, table, "/orgs/{org}/{kind}/{id}", "resource");
  add_action(meta, table, "/orgs/{org}/{kind}/{id}", "resource");
  add(meta, table,
      {rest::Method::get, "/orgs/{org}/{kind}/{parent}/{child}", "resource", "view",
       list_resources});
  add(meta, table,
      {rest::Method::post, "/orgs/{org}/{kind}/{parent}/{child}", "resource", "create",
       make_resource, kBody});
  add_item(meta, table, "/orgs/{org}/{kind}/{parent}/{child}/{id}", "resource");
}

void Meta::actions(ActionTable& table) {
  add_resource_rows(*this, table);
  add_special_rows(*this, table);
  add_type_rows(*this, table);
  add_entitlement_rows(*this, table);
  add_any_rows(*this, table);
  add_provider_rows(*this, table);
}

}  // namespace services::meta
