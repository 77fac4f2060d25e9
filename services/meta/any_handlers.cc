// SPDX-License-Identifier: Apache-2.0
// What is the same for resources of all types: /resources of an organisation, and the lists of what
// a resource's fields can be.
//
// 1. A change through /resources is called as one at the resource's own address is
// ("container.update"): for its entitlement, rules, the gate and the audit.
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "services/meta/changes.h"
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

// More is done when one of these is changed than to write a resource.
bool has_own_ways(std::string_view rest) {
  for (const std::string_view each : {"orgs", "users", "groups", "entitlements", "resourcetypes"}) {
    if (rest == each) return true;
  }
  return false;
}

Error elsewhere(std::string_view rest) {
  return Error{Code::not_found, "this is not the place to change " + std::string(rest),
               "collection_absent"};
}

// The type that the body names; nullptr when it names none, which the schema does not let pass.
Result<const ResourceType*> type_of_body(const Catalogue& types, const Json& body) {
  const auto named = body.is_object() ? body.find("resource_type") : body.end();
  if (named == body.end() || !named->is_string()) return nullptr;
  return types.get(named->get_ref<const std::string&>());
}

Result<Target> resolve_new(Meta& meta, Call& call) {
  Target target = TRY(resolve_around(meta, call));
  const auto types = TRY(meta.types(call.read()));
  const ResourceType* type = TRY(type_of_body(*types, call.body()));
  if (type == nullptr) return target;
  if (has_own_ways(type->rest_name)) return elsewhere(type->rest_name);
  target.action = type->prefix + ".create";
  return target;
}

std::string_view verb_of(rest::Method method) {
  if (method == rest::Method::get) return ".view";
  return method == rest::Method::del ? ".delete" : ".update";
}

Result<Target> resolve_any(Meta& meta, Call& call) {
  const auto types = TRY(meta.types(call.read()));
  const auto found = TRY(find_resource(call.read(), call.parameter("id")));
  const auto header = found ? found->header() : Result<Header>(Error{});
  const ResourceType* type = header ? types->find(header->type) : nullptr;
  if (type == nullptr || header->org != call.org().id) {
    return Error{Code::not_found, "there is no resource " + call.parameter("id") + " here",
                 "resource_unknown"};
  }
  const bool changes = call.action().kind == Kind::mutation;
  if (changes && has_own_ways(header->rest)) return elsewhere(header->rest);
  Target target = call.target();
  target.resource_id = found->id;
  target.type = type->name;
  target.action = type->prefix + std::string(verb_of(call.action().method));
  return target;
}

// All resources of an organisation that the caller may see, by collection. O(resources).
Result<Reply> list_any(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  std::set<std::string> done;
  std::vector<Stored> all;
  for (const ResourceType* type : work.types->all()) {
    if (type->rest_name.empty() || !done.insert(type->rest_name).second) continue;
    std::vector<Stored> some = TRY(list_org(call.read(), call.org().id, type->rest_name));
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  all = TRY(visible(work, std::move(all)));
  return list_reply(work, std::move(all));
}

Result<Reply> make_any(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Input input = TRY(read_input(call.body()));
  const ResourceType* named = TRY(work.types->get(input.type));
  const ResourceType* type = TRY(input_type(work, *named, input));
  const Stored parent = TRY(get_resource(call.read(), call.target().resource_id));
  const Stored made = TRY(create_resource(work, parent, *type, input));
  Reply reply = TRY(resource_reply(work, made, 201));
  const Link link = TRY(link_of(work, made));
  return with_task(call, std::move(reply).with("Location", call.href_base() + link.href));
}

// ---- what fields can be

constexpr std::string_view kKnownStates[][2] = {
    {"Gestalt::Resource::State::Active", "2ad1f4ce-7d1e-4bc9-a9bd-4de30a63521d"},
    {"Gestalt::Resource::State::Corrupt", "681099f4-da63-48ef-99d0-75c01166d202"}};

Reply names_reply(const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const std::string& name : names) {
    std::string id = derived_id(name);
    for (const auto& known : kKnownStates) {
      if (known[0] == name) id = known[1];
    }
    list.push_back({{"id", id}, {"name", name}});
  }
  return Reply::json(list);
}

Result<Reply> list_states(Meta&, Call&) { return names_reply(state_names()); }
Result<Reply> list_data_types(Meta&, Call&) { return names_reply(data_type_names()); }
Result<Reply> list_environment_types(Meta&, Call&) {
  return names_reply({"development", "test", "production"});
}
Result<Reply> list_visibility_types(Meta&, Call&) { return names_reply({"plain", "encrypted"}); }
Result<Reply> list_requirement_types(Meta&, Call&) {
  return names_reply({"optional", "required", "required_wait"});
}

constexpr std::string_view kNames = R"({"type":"array","items":{"type":"object",
  "required":["id","name"],"additionalProperties":false,"properties":{
  "id":{"type":"string","format":"uuid"},"name":{"type":"string","minLength":1}}}})";
constexpr std::string_view kNewBody = R"({"type":"object","required":["name","resource_type"],
  "properties":{"resource_type":{"type":"string","minLength":1}}})";
constexpr std::size_t kBodyMax = 2 << 20;

constexpr Row kAnyRows[] = {
    {rest::Method::get,
     "/orgs/{org}/resources",
     "resource.list",
     entitlement("org.view"),
     Kind::query,
     list_any,
     "all resources of an organisation that the caller may see",
     {.flags = kOnWorker, .reply = reply::kResources, .resolve = resolve_around}},
    {rest::Method::post,
     "/orgs/{org}/resources",
     "resource.create",
     entitlement("resource.create"),
     Kind::mutation,
     make_any,
     "make a resource of the type that the body names in the organisation",
     {.body = kNewBody, .reply = reply::kResource, .resolve = resolve_new, .body_max = kBodyMax}},
    {rest::Method::get,
     "/orgs/{org}/resources/{id}",
     "resource.view",
     entitlement("resource.view"),
     Kind::query,
     show_resource,
     "a resource of any type",
     {.reply = reply::kResource, .resolve = resolve_any}},
    {rest::Method::put,
     "/orgs/{org}/resources/{id}",
     "resource.update",
     entitlement("resource.update"),
     Kind::mutation,
     put_resource,
     "replace a resource of any type",
     {.body = R"({"type":"object"})",
      .reply = reply::kResource,
      .resolve = resolve_any,
      .body_max = kBodyMax}},
    {rest::Method::patch,
     "/orgs/{org}/resources/{id}",
     "resource.update",
     entitlement("resource.update"),
     Kind::mutation,
     alter_resource,
     "change a resource of any type",
     {.body = R"({"type":"array"})",
      .reply = reply::kResource,
      .resolve = resolve_any,
      .body_max = kBodyMax}},
    {rest::Method::del,
     "/orgs/{org}/resources/{id}",
     "resource.delete",
     entitlement("resource.delete"),
     Kind::mutation,
     remove_resource,
     "delete a resource of any type",
     {.resolve = resolve_any}},
    {rest::Method::get,
     "/orgs/{org}/resourcestates",
     "resourcestate.list",
     authenticated(),
     Kind::query,
     list_states,
     "the states of resources",
     {.reply = kNames}},
    {rest::Method::get,
     "/orgs/{org}/datatypes",
     "datatype.list",
     authenticated(),
     Kind::query,
     list_data_types,
     "the data types of properties",
     {.reply = kNames}},
    {rest::Method::get,
     "/orgs/{org}/environmenttypes",
     "environmenttype.list",
     authenticated(),
     Kind::query,
     list_environment_types,
     "the types of environments",
     {.reply = kNames}},
    {rest::Method::get,
     "/orgs/{org}/visibilitytypes",
     "visibilitytype.list",
     authenticated(),
     Kind::query,
     list_visibility_types,
     "how properties are shown",
     {.reply = kNames}},
    {rest::Method::get,
     "/orgs/{org}/requirementtypes",
     "requirementtype.list",
     authenticated(),
     Kind::query,
     list_requirement_types,
     "whether properties are needed",
     {.reply = kNames}},
};

}  // namespace

void add_any_rows(Meta& meta, ActionTable& table) { table.add(kAnyRows, meta); }

}  // namespace services::meta
