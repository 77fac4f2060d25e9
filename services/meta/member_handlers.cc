// SPDX-License-Identifier: Apache-2.0
// Who is in which group: asked of security, which keeps it.
#include "services/meta/handlers.h"
#include "services/meta/views.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Result;

namespace {

Result<Reply> reply_with_ids(const Work& work, const std::vector<std::string>& ids) {
  std::vector<Stored> list;
  for (const std::string& id : ids) {
    std::optional<Stored> stored = TRY(find_resource(work.call.read(), id));
    if (stored) list.push_back(*std::move(stored));
  }
  return list_reply(work, std::move(list));
}

// PATCH and DELETE …/groups/{id}/users?id=A&id=B, as in 2016.
Result<Reply> change_members(Meta& meta, Call& call, Identities::Membership change) {
  const Work work = TRY(Work::begin(meta, call));
  Identities* identities = TRY(meta.identities());
  const std::vector<std::string> users = call.request().all_query("id");
  if (users.empty()) {
    return Error{Code::invalid_argument, "?id= names nobody", "query_invalid"};
  }
  const std::string& group = call.parameter("id");
  for (const std::string& user : users) {
    TRY(identities->change_member(call, group, user, change));
  }
  const auto ids = TRY(identities->members_of_group(call.read(), group));
  return reply_with_ids(work, ids);
}

}  // namespace

Result<Reply> list_members(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  Identities* identities = TRY(meta.identities());
  const auto ids = TRY(identities->members_of_group(call.read(), call.parameter("id")));
  return reply_with_ids(work, ids);
}

Result<Reply> list_groups_of_user(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  Identities* identities = TRY(meta.identities());
  const auto ids = TRY(identities->groups_of_user(call.read(), call.parameter("id")));
  return reply_with_ids(work, ids);
}

Result<Reply> add_members(Meta& meta, Call& call) {
  return change_members(meta, call, Identities::Membership::add);
}
Result<Reply> remove_members(Meta& meta, Call& call) {
  return change_members(meta, call, Identities::Membership::remove);
}

}  // namespace services::meta
