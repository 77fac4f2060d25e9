// SPDX-License-Identifier: Apache-2.0
#include "services/meta/changes.h"

#include <nlohmann/json.hpp>

#include "services/meta/change_checks.h"
#include "services/meta/json_patch.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kRenamedMax = 10'000;

Result<void> check_environment_type(const Resource& resource) {
  if (resource.type != kEnvironmentType) return {};
  const auto value = resource.properties.find("environment_type");
  const std::string text = value != resource.properties.end() && value->is_string()
                               ? value->get<std::string>()
                               : std::string();
  for (const std::string_view known : {"development", "test", "production", "dev", "qa", "prod"}) {
    if (text == known) return {};
  }
  return Error{Code::invalid_argument, "environment_type is development, test or production",
               "property_invalid", 0, "/properties/environment_type"};
}

// All that must hold for a resource before it is written.
Result<void> check_whole(const Work& work, const Resource& resource, const ResourceType& type) {
  TRY(check_name(resource.type, resource.name));
  TRY(check_environment_type(resource));
  TRY(check_links(work, resource, type));
  return check_config(work, resource);
}

void set_parent(const Work& work, Resource& resource, const Resource& parent) {
  const ResourceType* parent_type = work.types->find(parent.type);
  const Json link = link_json(
      {parent_type->id, parent.id, parent.name, href_of(parent.fqon, parent.rest, parent.id)});
  resource.properties["parent"] = link;
  if (parent.type == kWorkspaceType && resource.type == kEnvironmentType) {
    resource.properties["workspace"] = link;
  }
  if (work.types->is_a(resource.type, kRuleType)) {
    const auto owner = parent.properties.find("parent");
    if (owner != parent.properties.end()) resource.properties["defined_at"] = *owner;
  }
}

// The parent of what is to be made, with its properties only where those are needed: they are most
// of the work of reading it.
Result<Resource> read_parent(const Work& work, const Stored& parent, const ResourceType& type) {
  const Header header = TRY(parent.header());
  if (header.org != work.call.org().id || work.types->is_a(type.name, kRuleType)) {
    return read_stored(parent.id, parent.text);
  }
  Resource above = resource_of(parent.id, header);
  above.fqon = work.call.org().fqon;
  return above;
}

// The parent's name stands in its children's links.
Result<void> rename_in_children(const Work& work, const Resource& parent) {
  store::Writer& writer = work.call.write();
  const auto children = TRY(list_children(writer, parent.id));
  if (children.size() > kRenamedMax) {
    return Error{Code::failed_precondition, "it has more than 10,000 children, whose links name it",
                 "too_many_children"};
  }
  for (const Stored& stored : children) {
    Resource child = TRY(read_stored(stored.id, stored.text));
    const ResourceType* type = work.types->find(child.type);
    if (type == nullptr) continue;
    set_parent(work, child, parent);
    TRY(writer.put(kResources, child.id, store_form(child, *type)));
  }
  return {};
}

Result<Stored> write_change(const Work& work, const Stored& before, const Resource& old,
                            Resource next, const ResourceType& type, std::string verb) {
  const Link actor = work.actor();
  next.modified = work.now();
  next.modified_by = actor.id.empty() ? old.modified_by : actor;
  TRY(check_whole(work, next, type));
  TRY(check_provider(work, old.properties, next));
  Stored written = TRY(replace(work.call.write(), before, next, type, work.act(verb)));
  TRY(write_rule(work, next));
  if (old.name != next.name) TRY(rename_in_children(work, next));
  TRY(emit_change(work, next, type, verb));
  return written;
}

Result<void> refuse_moves(const Resource& old, const Input& input) {
  if (!input.id.empty() && input.id != old.id) {
    return Error{Code::invalid_argument, "an id cannot change", "resource_invalid", 0, "/id"};
  }
  if (old.type == kOrgType && input.name != old.name) {
    return Error{Code::failed_precondition,
                 "an organisation's name is part of its address and cannot change",
                 "org_name_fixed", 0, "/name"};
  }
  if (!input.properties.is_object()) return {};
  const auto parent = input.properties.find("parent");
  if (parent == input.properties.end() || !parent->is_object()) return {};
  const auto id = parent->find("id");
  if (id == parent->end() || *id == old.parent_id) return {};
  return Error{Code::failed_precondition, "a resource stays under the parent it was made under",
               "parent_fixed", 0, "/properties/parent"};
}

Result<Resource> changed(const Work& work, const Resource& old, const Input& input,
                         const ResourceType& type) {
  TRY(refuse_moves(old, input));
  Resource next = old;
  next.name = input.name;
  if (input.description) next.description = *input.description;
  if (!input.state.empty()) next.state = input.state;
  if (!input.owner.empty() && input.owner != old.owner.id) {
    next.owner = TRY(find_owner(work, input.owner));
  }
  next.properties = TRY(accept_change(type, old.properties, input.properties));
  if (!input.variables.is_null()) next.variables = input.variables;
  if (!input.tags.is_null()) next.tags = input.tags;
  return next;
}

// Clients compare what they have with what is shown and send the difference: what meta alone sets
// comes as `remove`, and is left as it is.
bool is_about_shown(const PatchOperation& operation, const ResourceType& type) {
  if (operation.kind != PatchOperation::Kind::remove || operation.path.empty()) return false;
  const std::string& first = operation.path.front();
  if (first == "properties" && operation.path.size() > 1) {
    const auto property = type.properties.find(operation.path[1]);
    return property != type.properties.end() && property->second.system;
  }
  for (const std::string_view shown : {"org", "owner", "created", "modified", "resource_state"}) {
    if (first == shown) return true;
  }
  return false;
}

}  // namespace

Result<const ResourceType*> input_type(const Work& work, const ResourceType& of_address,
                                       const Input& input) {
  if (input.type.empty()) {
    if (!of_address.is_abstract) return &of_address;
    return Error{Code::invalid_argument, "resource_type is needed here", "type_abstract", 0,
                 "/resource_type"};
  }
  const ResourceType* type = TRY(work.types->get(input.type));
  if (!work.types->is_a(type->name, of_address.name)) {
    return Error{Code::invalid_argument, type->name + " does not belong to " + of_address.rest_name,
                 "type_unfit", 0, "/resource_type"};
  }
  if (!type->is_abstract) return type;
  return Error{Code::invalid_argument, type->name + " is abstract", "type_abstract", 0,
               "/resource_type"};
}

Result<Stored> create_resource(const Work& work, const Stored& parent, const ResourceType& type,
                               const Input& input) {
  const Resource above = TRY(read_parent(work, parent, type));
  if (!work.types->may_stand_under(type, above.type)) {
    return Error{Code::invalid_argument, type.name + " cannot stand under " + above.type,
                 "parent_unfit"};
  }
  Resource made;
  made.id = input.id.empty() ? work.call.new_id() : input.id;
  made.name = input.name;
  made.description = input.description.value_or("");
  made.type = type.name;
  made.rest = type.rest_name;
  made.state = input.state.empty() ? std::string(kActive) : input.state;
  made.org_id = above.org_id;
  made.fqon = above.fqon;
  made.parent_id = above.id;
  made.path = above.path.empty() ? above.id : above.path + "," + above.id;
  made.created_by = made.modified_by = made.owner = work.actor();
  if (!input.owner.empty()) made.owner = TRY(find_owner(work, input.owner));
  made.created = made.modified = work.now();
  made.variables = input.variables;
  made.tags = input.tags;
  made.properties = TRY(accept_new(type, input.properties));
  set_parent(work, made, above);
  if (made.type == kOrgType) {
    made.org_id = made.id;
    made.fqon = above.fqon == "root" ? made.name : above.fqon + "." + made.name;
    made.properties["fqon"] = made.fqon;
  }
  TRY(check_whole(work, made, type));
  TRY(check_provider(work, Json(), made));
  Stored written = TRY(insert(work.call.write(), made, type));
  TRY(write_rule(work, made));
  if (made.rest == "resourcetypes") TRY(write_type(work, made));
  TRY(emit_change(work, made, type, "create"));
  return written;
}

Result<Stored> replace_resource(const Work& work, const Stored& before, const Input& input) {
  const Resource old = TRY(read_stored(before.id, before.text));
  TRY(work.call.check_version(old.version));
  const Header header = TRY(before.header());
  const ResourceType* type = TRY(work.type_of(header));
  Resource next = TRY(changed(work, old, input, *type));
  return write_change(work, before, old, std::move(next), *type, "update");
}

Result<Stored> patch_resource(const Work& work, const Stored& before, const Json& patch) {
  const Resource old = TRY(read_stored(before.id, before.text));
  TRY(work.call.check_version(old.version));
  const Header header = TRY(before.header());
  const ResourceType* type = TRY(work.type_of(header));
  std::vector<PatchOperation> operations = TRY(read_patch(patch));
  std::erase_if(operations, [type](const PatchOperation& operation) {
    return is_about_shown(operation, *type);
  });
  const Json document = render(old, *type, Masking::masked);
  const Json patched = TRY(apply_patch(document, operations));
  Input input = TRY(read_input(patched));
  if (input.type != old.type) {
    return Error{Code::invalid_argument, "a resource's type cannot change", "resource_invalid", 0,
                 "/resource_type"};
  }
  Resource next = TRY(changed(work, old, input, *type));
  if (!patched.contains("description")) next.description.clear();
  if (!patched.contains("variables")) next.variables = Json();
  if (!patched.contains("tags")) next.tags = Json();
  return write_change(work, before, old, std::move(next), *type, "update");
}

Result<Stored> rewrite_resource(const Work& work, const Stored& before, Resource next,
                                std::string verb) {
  const Resource old = TRY(read_stored(before.id, before.text));
  const Header header = TRY(before.header());
  const ResourceType* type = TRY(work.type_of(header));
  return write_change(work, before, old, std::move(next), *type, std::move(verb));
}

Result<Stored> restore_resource(const Work& work, std::string_view id, std::uint64_t version) {
  const std::optional<Past> past = TRY(find_version(work.call.read(), id, version));
  if (!past) {
    return Error{Code::not_found, "there is no version " + std::to_string(version) + " of it",
                 "version_unknown"};
  }
  Resource then = TRY(read_stored(id, past->text));
  const std::optional<Stored> now = TRY(find_resource(work.call.read(), id));
  const ResourceType* type = TRY(work.types->get(then.type));
  if (now) {
    const Resource old = TRY(read_stored(id, now->text));
    TRY(work.call.check_version(old.version));
    TRY(check_rules_at(
        work, {.place = id, .actions = {type->prefix + ".update", type->prefix + ".restore"}},
        {{"name", then.name}, {"properties", then.properties}}));
    return write_change(work, *now, old, std::move(then), *type, "restore");
  }
  const Stored parent = TRY(get_resource(work.call.read(), then.parent_id));
  TRY(check_rules_at(work,
                     {.place = parent.id,
                      .actions = {type->prefix + ".create", type->prefix + ".restore"},
                      .adds = Adds::one},
                     {{"name", then.name}, {"properties", then.properties}}));
  const Resource above = TRY(read_stored(parent.id, parent.text));
  set_parent(work, then, above);
  then.modified = work.now();
  then.modified_by = work.actor();
  TRY(check_whole(work, then, *type));
  Stored written = TRY(insert(work.call.write(), then, *type));
  TRY(write_rule(work, then));
  TRY(emit_change(work, then, *type, "restore"));
  return written;
}

}  // namespace services::meta
