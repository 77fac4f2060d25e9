// SPDX-License-Identifier: Apache-2.0
// Reading and changing any resource: the same handlers for every collection.
#include <nlohmann/json.hpp>

#include "services/meta/changes.h"
#include "services/meta/handlers.h"
#include "services/meta/sync.h"
#include "services/meta/views.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

Result<Stored> target_of(const Work& work) {
  return get_resource(work.call.read(), work.call.target().resource_id);
}

std::string text_at(const Json& object, const char* name) {
  if (!object.is_object()) return "";
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

IdentityUser wanted_user(const Input& input) {
  IdentityUser user;
  user.username = input.name;
  user.first_name = text_at(input.properties, "firstName");
  user.last_name = text_at(input.properties, "lastName");
  user.email = text_at(input.properties, "email");
  user.phone = text_at(input.properties, "phoneNumber");
  user.description = input.description.value_or("");
  return user;
}

// Makes the organisation, person or group in security first; then it is mirrored here.
Result<Stored> make_identity(const Work& work, const Stored& parent, const std::string& rest,
                             const Input& input) {
  Identities* identities = TRY(work.meta.identities());
  const std::string description = input.description.value_or("");
  Input own = input;
  std::string_view type = kOrgType;
  if (rest == "orgs") {
    TRY(check_name(kOrgType, input.name));
    const IdentityOrg org =
        TRY(identities->make_org(work.call, parent.id, input.name, description));
    own.id = org.id;
    Stored made = TRY(create_resource(work, parent, *work.types->find(type), own));
    const auto groups = TRY(identities->groups_with_org(work.call.read(), org));
    TRY(mirror_groups(work, groups));
    return made;
  } else if (rest == "users") {
    type = kUserType;
    const auto* hash = work.call.kept<std::string>();
    own.id = TRY(identities->make_user(work.call, parent.id, wanted_user(input),
                                       hash == nullptr ? std::string() : *hash))
                 .id;
    if (own.properties.is_object()) own.properties.erase("password");
  } else {
    type = kGroupType;
    own.id = TRY(identities->make_group(work.call, parent.id, input.name, description)).id;
  }
  return create_resource(work, parent, *work.types->find(type), own);
}

}  // namespace

Result<Reply> list_resources(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const std::string rest = collection_of(call);
  if (call.query("limit") || call.query("cursor")) return page_reply(work, rest);
  std::vector<Stored> list = TRY(list_at(work, rest));
  list = TRY(visible(work, std::move(list)));
  return list_reply(work, std::move(list));
}

Result<Reply> show_resource(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const std::optional<std::string> at = call.query("at");
  if (!at) {
    const Stored stored = TRY(target_of(work));
    return resource_reply(work, stored);
  }
  const std::string time = TRY(read_time(*at));
  const Stored then = TRY(resource_at(call.read(), call.target().resource_id, time));
  return resource_reply(work, then);
}

Result<void> prepare_user(Meta& meta, Call& call) {
  const auto properties = call.body().find("properties");
  const std::string password =
      properties == call.body().end() ? "" : text_at(*properties, "password");
  if (password.empty()) return {};
  Identities* identities = TRY(meta.identities());
  call.keep(TRY(identities->hash_password(password)));
  return {};
}

Result<Reply> make_resource(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const std::string collection = collection_of(call);
  const std::string rest = collection.empty() ? "orgs" : collection;
  const ResourceType* of_address = work.types->find_rest(rest);
  if (of_address == nullptr) {
    return Error{Code::not_found, "there is no collection '" + rest + "'", "collection_absent"};
  }
  const Input input = TRY(read_input(call.body()));
  const ResourceType* type = TRY(input_type(work, *of_address, input));
  const Stored parent = TRY(target_of(work));
  const Stored made = TRY(is_identity(rest) ? make_identity(work, parent, rest, input)
                                            : create_resource(work, parent, *type, input));
  Reply reply = TRY(resource_reply(work, made, 201));
  const Link link = TRY(link_of(work, made));
  return with_task(call, std::move(reply).with("Location", call.href_base() + link.href));
}

Result<Reply> put_resource(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Input input = TRY(read_input(call.body()));
  const Stored before = TRY(target_of(work));
  const Stored written = TRY(replace_resource(work, before, input));
  return with_task(call, TRY(resource_reply(work, written)));
}

Result<Reply> alter_resource(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored before = TRY(target_of(work));
  const Stored written = TRY(patch_resource(work, before, call.body()));
  return with_task(call, TRY(resource_reply(work, written)));
}

Result<Reply> remove_resource(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const Stored before = TRY(target_of(work));
  const Force force = TRY(call.flag("force")) ? Force::yes : Force::no;
  TRY(delete_resource(work, before, force));
  return with_task(call, Reply::no_content());
}

}  // namespace services::meta
