// SPDX-License-Identifier: Apache-2.0
// Resource types over HTTP: the built-in ones and those that somebody has added.
#include <nlohmann/json.hpp>

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

Result<const ResourceType*> type_in_path(const Work& work) {
  auto type = work.types->get(work.call.parameter("type"));
  if (type) return *type;
  return Error{Code::not_found, type.error().detail, "type_unknown"};
}

// Built-in types belong to the root organisation and have never been changed.
Json type_json(const Work& work, const ResourceType& type) {
  return {{"id", type.id},
          {"name", type.name},
          {"resource_type", std::string(kTypeType)},
          {"resource_state", std::string(kActive)},
          {"extend", type.extends},
          {"org", {{"href", "/root"}, {"properties", {{"fqon", "root"}}}}},
          {"href", "/" + work.call.org().fqon + "/resourcetypes/" + type.id},
          {"properties", type_properties(type)}};
}

Json property_with_id(const ResourceType& type, const PropertyDef& property) {
  Json shown = property_json(property);
  shown["id"] = derived_id(type.name + "/" + property.name);
  shown["applies_to"] = type.name;
  return shown;
}

Result<Reply> list_types(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const std::optional<std::string> wanted = call.query("type");
  Json list = Json::array();
  for (const ResourceType* type : work.types->all()) {
    if (wanted && !work.types->is_a(type->name, *wanted)) continue;
    list.push_back(type_json(work, *type));
  }
  return Reply::json(list);
}

Result<Reply> show_type(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const ResourceType* type = TRY(type_in_path(work));
  return Reply::json(type_json(work, *type));
}

Result<Reply> show_schema(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const ResourceType* type = TRY(type_in_path(work));
  Json list = Json::array();
  for (const auto& [name, property] : type->properties) {
    list.push_back(property_with_id(*type, property));
  }
  return Reply::json(list);
}

Result<Reply> show_property(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const ResourceType* type = TRY(type_in_path(work));
  const std::string& wanted = call.parameter("property");
  for (const auto& [name, property] : type->properties) {
    Json shown = property_with_id(*type, property);
    if (name == wanted || shown["id"] == wanted) return Reply::json(shown);
  }
  return Error{Code::not_found, type->name + " has no property " + wanted, "resource_unknown"};
}

Result<Reply> list_properties(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  Json list = Json::array();
  for (const ResourceType* type : work.types->all()) {
    for (const auto& [name, property] : type->properties) {
      list.push_back(property_with_id(*type, property));
    }
  }
  return Reply::json(list);
}

Result<Reply> list_of_type(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const ResourceType* type = TRY(type_in_path(work));
  std::vector<Stored> list = TRY(list_org(call.read(), call.org().id, type->rest_name));
  std::erase_if(list, [&](const Stored& stored) {
    const auto header = stored.header();
    return !header || !work.types->is_a(header->type, type->name);
  });
  list = TRY(visible(work, std::move(list)));
  return list_reply(work, std::move(list));
}

Result<Reply> show_type_actions(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const ResourceType* type = TRY(type_in_path(work));
  Json actions = Json::array();
  for (const std::string& verb : type->verbs) actions.push_back(type->prefix + "." + verb);
  return Reply::json(actions);
}

Result<Reply> make_type(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  Input input = TRY(read_input(call.body()));
  input.type.clear();
  const Stored parent = TRY(get_resource(call.read(), call.target().resource_id));
  const Stored made = TRY(create_resource(work, parent, *work.types->find(kTypeType), input));
  const auto types = TRY(meta.types(call.read()));
  const ResourceType* type = TRY(types->get(input.name));
  Reply reply = Reply::json(type_json(work, *type), 201);
  return std::move(reply).with("Location", call.href_base() + "/root/resourcetypes/" + made.id);
}

// The stored resource of a type that somebody has added.
Result<Stored> added_type(const Work& work) {
  const ResourceType* type = TRY(type_in_path(work));
  if (!type->system) return get_resource(work.call.read(), type->id);
  return Error{Code::failed_precondition, type->name + " is built in", "type_built_in"};
}

Result<Reply> alter_type(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored before = TRY(added_type(work));
  TRY(patch_resource(work, before, call.body()));
  TRY(meta.touch_types(call));
  const auto types = TRY(meta.types(call.read()));
  const ResourceType* type = TRY(types->get(before.id));
  return Reply::json(type_json(work, *type));
}

Result<Reply> remove_type(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored before = TRY(added_type(work));
  TRY(delete_resource(work, before, Force::no));
  return Reply::no_content();
}

constexpr Row kTypeRows[] = {
    {rest::Method::get,
     "/orgs/{org}/resourcetypes",
     "resourcetype.view",
     authenticated(),
     Kind::query,
     list_types,
     "all resource types",
     {.reply = reply::kTypes, .resolve = resolve_target}},
    {rest::Method::post,
     "/orgs/{org}/resourcetypes",
     "resourcetype.create",
     entitlement("resourcetype.create"),
     Kind::mutation,
     make_type,
     "add a resource type",
     {.body = R"({"type":"object"})", .reply = reply::kType, .resolve = resolve_target}},
    {rest::Method::get,
     "/orgs/{org}/resourcetypes/{type}",
     "resourcetype.view",
     authenticated(),
     Kind::query,
     show_type,
     "a resource type with what it inherits",
     {.reply = reply::kType}},
    {rest::Method::patch,
     "/orgs/{org}/resourcetypes/{type}",
     "resourcetype.update",
     entitlement("resourcetype.update"),
     Kind::mutation,
     alter_type,
     "change an added type",
     {.body = R"({"type":"array"})", .reply = reply::kType}},
    {rest::Method::del, "/orgs/{org}/resourcetypes/{type}", "resourcetype.delete",
     entitlement("resourcetype.delete"), Kind::mutation, remove_type, "remove an added type"},
    {rest::Method::get,
     "/orgs/{org}/resourcetypes/{type}/schema",
     "resourcetype.schema",
     authenticated(),
     Kind::query,
     show_schema,
     "the properties of a type",
     {.reply = reply::kTypeProperties}},
    {rest::Method::get,
     "/orgs/{org}/resourcetypes/{type}/typeproperties",
     "resourcetype.schema",
     authenticated(),
     Kind::query,
     show_schema,
     "the properties of a type",
     {.reply = reply::kTypeProperties}},
    {rest::Method::get,
     "/orgs/{org}/resourcetypes/{type}/typeproperties/{property}",
     "resourcetype.schema",
     authenticated(),
     Kind::query,
     show_property,
     "one property of a type",
     {.reply = reply::kTypeProperty}},
    {rest::Method::get,
     "/orgs/{org}/resourcetypes/{type}/actions",
     "resourcetype.actions",
     authenticated(),
     Kind::query,
     show_type_actions,
     "the actions of a type",
     {.reply = reply::kActionNames}},
    {rest::Method::get,
     "/orgs/{org}/resourcetypes/{type}/resources",
     "resourcetype.resources",
     entitlement("org.view"),
     Kind::query,
     list_of_type,
     "resources of a type",
     {.reply = reply::kResources}},
    {rest::Method::get,
     "/orgs/{org}/resourcetypes/{type}/resources/search",
     "resourcetype.resources",
     entitlement("org.view"),
     Kind::query,
     search_type,
     "resources of a type by property",
     {.reply = reply::kResources}},
    {rest::Method::get,
     "/orgs/{org}/typeproperties",
     "resourcetype.schema",
     authenticated(),
     Kind::query,
     list_properties,
     "the properties of all types",
     {.reply = reply::kTypeProperties}},
};

}  // namespace

void add_type_rows(Meta& meta, ActionTable& table) { table.add(kTypeRows, meta); }

}  // namespace services::meta
