// SPDX-License-Identifier: Apache-2.0
// Entitlements in the shapes of the original: one for each action that can be entitled on a
// resource, whether anybody has it or not.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "services/meta/entitlements.h"
#include "services/meta/handlers.h"
#include "services/meta/schemas.h"
#include "services/meta/work.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

using Row = Action<Meta>;
constexpr std::size_t kIdentitiesMax = 200;  // a grant's record has 36 bytes for each

Result<Json> identity_link(const Work& work, const std::string& id) {
  const auto stored = TRY(find_resource(work.call.read(), id));
  if (stored) {
    const Link link = TRY(link_of(work, *stored));
    return link_json(link);
  }
  return link_json({work.types->find(kUserType)->id, id, id, "/root/users/" + id});
}

Result<Json> entitlement_json(const Work& work, const Resource& holder,
                              const std::vector<Level>& levels, const std::string& action) {
  const ResourceType* type = work.types->find(kEntitlementType);
  Json identities = Json::array();
  for (const std::string& id : TRY(effective_identities(work.call.read(), levels, action))) {
    identities.push_back(TRY(identity_link(work, id)));
  }
  Resource shown;
  shown.id = entitlement_id(holder.id, action);
  shown.name = holder.id + "." + action;
  shown.type = std::string(kEntitlementType);
  shown.org_id = holder.org_id;
  shown.fqon = holder.fqon;
  shown.owner = holder.owner;
  shown.created = holder.created;
  shown.created_by = holder.created_by;
  shown.modified = holder.modified;
  shown.modified_by = holder.modified_by;
  const ResourceType* holder_type = work.types->find(holder.type);
  shown.properties = {{"action", action},
                      {"identities", std::move(identities)},
                      {"parent", link_json({holder_type->id, holder.id, holder.name,
                                            href_of(holder.fqon, holder.rest, holder.id)})}};
  return render(shown, *type, Masking::masked);
}

struct Holder {
  Resource resource;
  std::vector<Level> levels;
  std::vector<std::string> actions;
};

Result<Holder> holder_of(const Work& work) {
  const Stored stored = TRY(get_resource(work.call.read(), work.call.target().resource_id));
  const Header header = TRY(stored.header());
  const ResourceType* type = TRY(work.type_of(header));
  return Holder{TRY(read_stored(stored.id, stored.text)),
                TRY(levels_of(work.call.read(), stored.id)), work.types->actions_on(*type)};
}

// The action that an entitlement's id stands for at the target.
Result<std::string> action_of_id(const Holder& holder, std::string_view id) {
  for (const std::string& action : holder.actions) {
    if (entitlement_id(holder.resource.id, action) == id) return action;
  }
  return Error{Code::not_found, "there is no entitlement " + std::string(id) + " here",
               "resource_unknown"};
}

Result<std::vector<std::string>> read_identities(const Work& work, const Json& properties) {
  const auto wrong = [](std::string detail) {
    return Error{Code::invalid_argument, std::move(detail), "identity_unknown", 0,
                 "/properties/identities"};
  };
  std::vector<std::string> ids;
  const auto list = properties.find("identities");
  if (list == properties.end() || list->is_null()) return ids;
  if (!list->is_array() || list->size() > kIdentitiesMax) {
    return wrong("identities must be a list of at most 200 ids");
  }
  for (const Json& entry : *list) {
    const Json& id = entry.is_object() && entry.contains("id") ? entry["id"] : entry;
    if (!id.is_string() || !is_uuid(id.get<std::string>())) return wrong("an identity is an id");
    const std::string text = id.get<std::string>();
    const auto stored = TRY(find_resource(work.call.read(), text));
    const auto header = stored ? stored->header() : Result<Header>(Error{});
    if (!header || (header->rest != "users" && header->rest != "groups")) {
      return wrong("there is nobody with the id " + text);
    }
    if (std::find(ids.begin(), ids.end(), text) == ids.end()) ids.push_back(text);
  }
  return ids;
}

Result<Reply> write_entitlement(const Work& work, const Holder& holder, const std::string& action) {
  const Json& properties =
      work.call.body().contains("properties") ? work.call.body()["properties"] : work.call.body();
  if (!properties.is_object()) {
    return Error{Code::invalid_argument, "properties must be an object", "property_invalid", 0,
                 "/properties"};
  }
  const auto said = properties.find("action");
  if (said != properties.end() && *said != action) {
    return Error{Code::invalid_argument, "this entitlement is for " + action, "property_invalid", 0,
                 "/properties/action"};
  }
  const auto identities = TRY(read_identities(work, properties));
  TRY(put_grant(work.call.write(), holder.resource.id, action, identities));
  work.call.emit("meta.entitlement.updated", Json{{"resource", holder.resource.id},
                                                  {"action", action},
                                                  {"identities", identities},
                                                  {"fqon", holder.resource.fqon}});
  return Reply::json(TRY(entitlement_json(work, holder.resource, holder.levels, action)));
}

}  // namespace

Result<Reply> list_entitlements(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Holder holder = TRY(holder_of(work));
  const bool expand = TRY(call.flag("expand"));
  Json list = Json::array();
  for (const std::string& action : holder.actions) {
    Json one = TRY(entitlement_json(work, holder.resource, holder.levels, action));
    if (!expand) {
      const std::string id = entitlement_id(holder.resource.id, action);
      one =
          link_json({work.types->find(kEntitlementType)->id, id, holder.resource.id + "." + action,
                     href_of(holder.resource.fqon, "entitlements", id)});
    }
    list.push_back(std::move(one));
  }
  return Reply::json(list);
}

Result<Reply> show_entitlement(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Holder holder = TRY(holder_of(work));
  const std::string action = TRY(action_of_id(holder, call.parameter("entitlement")));
  return Reply::json(TRY(entitlement_json(work, holder.resource, holder.levels, action)));
}

Result<Reply> put_entitlement(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Holder holder = TRY(holder_of(work));
  const std::string action = TRY(action_of_id(holder, call.parameter("entitlement")));
  return write_entitlement(work, holder, action);
}

namespace {

Result<Reply> post_entitlement(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Holder holder = TRY(holder_of(work));
  const Json& body = call.body();
  const auto properties = body.find("properties");
  const auto action = properties == body.end() ? body.end() : properties->find("action");
  if (properties == body.end() || action == properties->end() || !action->is_string()) {
    return Error{Code::invalid_argument, "action is required", "property_missing", 0,
                 "/properties/action"};
  }
  const std::string name = action->get<std::string>();
  if (std::find(holder.actions.begin(), holder.actions.end(), name) == holder.actions.end()) {
    return Error{Code::invalid_argument, "there is no action " + name + " here", "property_invalid",
                 0, "/properties/action"};
  }
  Reply reply = TRY(write_entitlement(work, holder, name));
  reply.status = 201;
  return reply;
}

// Back to what is inherited.
Result<Reply> drop_entitlement(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Holder holder = TRY(holder_of(work));
  const std::string action = TRY(action_of_id(holder, call.parameter("entitlement")));
  if (TRY(find_grant(call.read(), holder.resource.id, action))) {
    TRY(call.write().remove(kGrants, holder.resource.id + "/" + action));
    call.emit("meta.entitlement.deleted",
              Json{{"resource", holder.resource.id}, {"action", action}});
  }
  return Reply::no_content();
}

struct Verb {
  rest::Method method;
  bool is_item;
  std::string_view name;
  Result<Reply> (*handle)(Meta&, Call&);
  std::string_view summary;
  std::string_view reply;
};
constexpr Verb kVerbs[] = {
    {rest::Method::get, false, "entitlement.view", list_entitlements,
     "who may do what here, inherited or granted", reply::kEntitlements},
    {rest::Method::post, false, "entitlement.create", post_entitlement, "grant an action",
     reply::kEntitlement},
    {rest::Method::get, true, "entitlement.view", show_entitlement, "who has one entitlement",
     reply::kEntitlement},
    {rest::Method::put, true, "entitlement.update", put_entitlement, "say who has it from here on",
     reply::kEntitlement},
    {rest::Method::del,
     true,
     "entitlement.delete",
     drop_entitlement,
     "back to what is inherited",
     {}},
};

}  // namespace

void add_entitlement_rows(Meta& meta, ActionTable& table) {
  for (const char* place : {"/orgs/{org}", "/orgs/{org}/{kind}/{id}"}) {
    for (const Verb& verb : kVerbs) {
      const std::string path =
          std::string(place) + "/entitlements" + (verb.is_item ? "/{entitlement}" : "");
      const Row row[1] = {{.method = verb.method,
                           .path = meta.keep_name(path),
                           .name = verb.name,
                           .access = entitlement(verb.name),
                           .kind = verb.method == rest::Method::get ? Kind::query : Kind::mutation,
                           .handle = verb.handle,
                           .summary = verb.summary,
                           .options = {.reply = verb.reply, .resolve = resolve_around}}};
      table.add(row, meta);
    }
  }
}

}  // namespace services::meta
