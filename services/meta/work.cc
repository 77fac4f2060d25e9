// SPDX-License-Identifier: Apache-2.0
#include "services/meta/work.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

Error not_here(std::string_view id) {
  return Error{Code::not_found, "there is no resource " + std::string(id) + " here",
               "resource_unknown"};
}

// Whether `header` stands in the organisation, at whatever depth below its environments; people and
// groups are looked up from anywhere.
bool is_in(const Header& header, const Org& org) {
  if (header.rest == "orgs" && header.parent == org.id) return true;
  return header.org == org.id || header.rest == "users" || header.rest == "groups";
}

// Whether the resource belongs to the collection that stands before `parameter` in the path.
bool fits_collection(const Call& call, const Header& header, std::string_view parameter) {
  std::string_view before;
  for (const std::string_view segment : base::split(call.action().path, '/')) {
    if (segment == parameter) break;
    before = segment;
  }
  if (before.starts_with('{')) {
    before = parameter_or_empty(call, before.substr(1, before.size() - 2));
  }
  return before == header.rest;
}

}  // namespace

Result<Work> Work::begin(Meta& meta, Call& call) {
  auto types = TRY(meta.types(call.read()));
  return Work{meta, call, std::move(types)};
}

Result<const ResourceType*> Work::type_of(const Header& header) const {
  const ResourceType* type = types->find(header.type);
  if (type != nullptr) return type;
  return Error{Code::corrupt, "the resource type " + std::string(header.type) + " is gone",
               "type_gone"};
}

std::string Work::now() const { return base::format_time(call.now()); }

Act Work::act(std::string action) const {
  return {std::move(action), call.caller().account_id, call.caller().name, now()};
}

Link Work::actor() const {
  const Caller& caller = call.caller();
  if (caller.account_id.empty()) return {};
  return {types->find(kUserType)->id, caller.account_id, caller.name,
          "/root/users/" + caller.account_id};
}

std::string_view parameter_or_empty(const Call& call, std::string_view name) {
  const auto& parameters = call.request().path_parameters;
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string_view() : std::string_view(found->second);
}

std::string collection_of(const Call& call) {
  for (const std::string_view name : {"child", "kind"}) {
    const std::string_view value = parameter_or_empty(call, name);
    if (!value.empty()) return std::string(value);
  }
  // The last literal that stands before {id}, or at the end.
  std::string_view last;
  for (const std::string_view segment : base::split(call.action().path, '/')) {
    if (segment == "{id}") break;
    if (!segment.starts_with('{')) last = segment;
  }
  return std::string(last);
}

namespace {

// What a row that serves several types or verbs does, by the name of the resource's own type: the
// gate and freezes know "robot.create" and "container.start", which are no rows.
std::string own_name(const Call& call, const ResourceType& type) {
  const std::string& name = call.action().name;
  if (name == "config.update") return type.prefix + ".update";
  if (name.starts_with("resource.")) return type.prefix + name.substr(name.find('.'));
  if (!name.ends_with(".act")) return "";
  return type.prefix + "." + call.query("action").value_or("act");
}

}  // namespace

Result<Target> resolve_named(Meta& meta, Call& call) {
  Target target = TRY(resolve_around(meta, call));
  const auto types = TRY(meta.types(call.read()));
  // What is made has the type of its collection; what is there its own.
  const ResourceType* type = call.action().name.ends_with(".create")
                                 ? types->find_rest(collection_of(call))
                                 : types->find(target.type);
  const std::string name = type == nullptr ? std::string() : own_name(call, *type);
  if (!name.empty()) target.also.push_back({target.org, name});
  return target;
}

Result<Target> resolve_target(Meta& meta, Call& call) {
  const std::string& name = call.action().name;
  const bool is_generic = name.starts_with("resource.") && call.action().kind == Kind::mutation;
  // What has rows of its own is not changed through the generic ones: the gate and the rules know
  // its actions by their names.
  if (is_generic && meta.builtin().find_rest(collection_of(call)) != nullptr) {
    return Error{Code::not_found, "this is not the place to change " + collection_of(call),
                 "collection_absent"};
  }
  return is_generic || name.ends_with(".act") ? resolve_named(meta, call)
                                              : resolve_around(meta, call);
}

Result<Target> resolve_around(Meta&, Call& call) {
  Target target = call.target();
  std::string_view id = parameter_or_empty(call, "id");
  const std::string_view parent = parameter_or_empty(call, "parent");
  const std::string_view parameter = id.empty() ? "{parent}" : "{id}";
  if (id.empty()) id = parent;
  if (id.empty()) {
    target.resource_id = target.org.id;
    target.type = std::string(kOrgType);
    return target;
  }
  const std::optional<Stored> found = TRY(find_resource(call.read(), id));
  if (!found) return not_here(id);
  const Header header = TRY(found->header());
  if (!is_in(header, target.org)) return not_here(id);
  if (!fits_collection(call, header, parameter)) return not_here(id);
  if (!parent.empty() && parent != id) {
    const auto ancestors = header.ancestors();
    if (std::find(ancestors.begin(), ancestors.end(), parent) == ancestors.end()) {
      return not_here(id);
    }
  }
  target.resource_id = found->id;
  target.type = std::string(header.type);
  // /root/orgs/ID is the same as /orgs/ID: what is done there is done in that organisation.
  if (header.rest == "orgs" && target.org.id != found->id) {
    target.org = {found->id, TRY(read_stored(found->id, found->text)).fqon};
  }
  return target;
}

Result<std::string> shown(const Work& work, const Stored& stored) {
  const Header header = TRY(stored.header());
  if (header.flags.find('m') == std::string_view::npos) return std::string(header.json);
  const ResourceType* type = TRY(work.type_of(header));
  const Resource resource = TRY(read_stored(stored.id, stored.text));
  return rendered(resource, *type, Masking::masked);
}

Result<Link> link_of(const Work& work, const Stored& stored) {
  const Header header = TRY(stored.header());
  const ResourceType* type = TRY(work.type_of(header));
  // The address needs the organisation's name: the call has it when it is the same one, else it
  // stands in the text, which takes ten times as long.
  const Org& org = work.call.org();
  if (header.org == org.id) {
    return Link{type->id, stored.id, std::string(header.name),
                href_of(org.fqon, header.rest, stored.id)};
  }
  const Resource resource = TRY(read_stored(stored.id, stored.text));
  return Link{type->id, stored.id, resource.name, href_of(resource.fqon, resource.rest, stored.id)};
}

}  // namespace services::meta
