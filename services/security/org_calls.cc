// SPDX-License-Identifier: Apache-2.0
#include "services/security/org_calls.h"

#include <nlohmann/json.hpp>

#include "services/security/core/render.h"
#include "services/security/gains.h"
#include "services/security/service.h"

namespace security {

base::Result<OrgRecord> create_org(services::Call& call, base::Rng& rng, std::string_view parent,
                                   const NewOrg& wanted) {
  store::Writer& writer = call.write();
  const OrgRecord above = TRY(need_org(writer, parent));
  const AccountRecord creator = TRY(need_account(writer, call.caller().account_id));
  OrgRecord org = TRY(create_org(writer, rng, above, creator, wanted));
  TRY(wanted.inherit_parent ? touch_epoch(writer) : note_new_org(writer, org, creator.id));
  // The organisation first: who mirrors them puts groups below it.
  call.emit("security.org.created", TRY(org_json(writer, org)));
  for (const GroupRecord& group : TRY(own_groups(writer, org))) {
    call.emit("security.group.created", TRY(group_json(writer, group)));
  }
  return org;
}

base::Result<void> delete_org(services::Call& call, const OrgRecord& org) {
  const std::vector<std::string> groups = TRY(delete_org(call.write(), org));
  TRY(touch_epoch(call.write()));
  call.emit("security.org.deleted", {{"id", org.id}, {"fqon", org.fqon}});
  for (const std::string& id : groups) call.emit("security.group.deleted", {{"id", id}});
  return {};
}

}  // namespace security
