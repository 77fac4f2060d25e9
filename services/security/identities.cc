// SPDX-License-Identifier: Apache-2.0
// Security as the meta service sees it: organisations, people and groups, and changes to them.
#include "services/security/api/identities.h"

#include <deque>

#include "services/framework/host.h"
#include "services/security/org_calls.h"
#include "services/security/service.h"

namespace security {

using base::Code;
using base::Result;
using services::Call;
using services::meta::IdentityGroup;
using services::meta::IdentityOrg;
using services::meta::IdentityUser;

namespace {

IdentityOrg identity_of(const OrgRecord& org) {
  return {org.id, org.name, org.fqon, org.parent, org.description.value_or("")};
}

IdentityUser identity_of(const AccountRecord& account, const std::string& org) {
  return {account.id,
          account.username,
          account.first_name,
          account.last_name,
          account.email.value_or(""),
          account.phone.value_or(""),
          account.description.value_or(""),
          org,
          account.disabled};
}

IdentityGroup identity_of(const GroupRecord& group, const std::string& org) {
  return {group.id, group.name, group.description.value_or(""), org};
}

// Of a directory; empty when that is gone.
Result<std::string> org_of(store::Reader& reader, std::string_view directory) {
  const auto found = TRY(find<DirectoryRecord>(reader, directory));
  return found ? found->org : std::string();
}

template <class Record, class Identity>
Result<std::optional<Identity>> find_member(store::Reader& reader, std::string_view id) {
  const auto record = TRY(find<Record>(reader, id));
  const std::string org = record ? TRY(org_of(reader, record->directory)) : std::string();
  return org.empty() ? std::nullopt : std::optional<Identity>(identity_of(*record, org));
}

// Accounts or groups, each with the organisation of its directory.
template <class Record, class Identity>
Result<void> visit_members(store::Reader& reader, const services::meta::Visit<Identity>& visit) {
  return visit_all<Record>(reader, [&](const Record& record) -> Result<void> {
    const std::string org = TRY(org_of(reader, record.directory));
    if (org.empty()) return {};
    return visit(identity_of(record, org));
  });
}

std::optional<std::string> if_any(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

class Mirror final : public services::meta::Identities {
 public:
  explicit Mirror(Security& security) : security_(security) {}
  Result<void> visit_orgs(store::Reader& reader,
                          const services::meta::Visit<IdentityOrg>& visit) override;
  Result<void> visit_users(store::Reader& reader,
                           const services::meta::Visit<IdentityUser>& visit) override;
  Result<void> visit_groups(store::Reader& reader,
                            const services::meta::Visit<IdentityGroup>& visit) override;
  Result<std::optional<IdentityOrg>> identity_org(store::Reader& reader,
                                                  std::string_view id) override;
  Result<std::optional<IdentityUser>> identity_user(store::Reader& reader,
                                                    std::string_view id) override;
  Result<std::optional<IdentityGroup>> identity_group(store::Reader& reader,
                                                      std::string_view id) override;
  Result<std::vector<std::string>> members_of_group(store::Reader& reader,
                                                    std::string_view group) override;
  Result<std::vector<std::string>> groups_of_user(store::Reader& reader,
                                                  std::string_view user) override;
  Result<IdentityOrg> make_org(Call& call, std::string_view parent, std::string_view name,
                               std::string_view description) override;
  Result<std::vector<IdentityGroup>> groups_with_org(store::Reader& reader,
                                                     const IdentityOrg& org) override;
  Result<void> drop_org(Call& call, std::string_view id) override;
  Result<std::string> hash_password(std::string_view password) override;
  Result<IdentityUser> make_user(Call& call, std::string_view org, const IdentityUser& wanted,
                                 std::string_view hash) override;
  Result<void> drop_user(Call& call, std::string_view id) override;
  Result<IdentityGroup> make_group(Call& call, std::string_view org, std::string_view name,
                                   std::string_view description) override;
  Result<void> drop_group(Call& call, std::string_view id) override;
  Result<void> change_member(Call& call, std::string_view group, std::string_view user,
                             Membership change) override;

 private:
  Security& security_;
};

}  // namespace

Result<void> Mirror::visit_orgs(store::Reader& reader,
                                const services::meta::Visit<IdentityOrg>& visit) {
  const auto root = root_org(reader);
  if (!root && root.error().code == Code::failed_precondition) return {};  // not initialised yet
  if (!root) return root.error();
  TRY(visit(identity_of(*root)));
  std::deque<std::string> parents = {root->id};
  for (; !parents.empty(); parents.pop_front()) {
    TRY(security::visit_by<OrgRecord>(reader, "parent", parents.front(),
                                      [&](const OrgRecord& org) -> Result<void> {
                                        parents.push_back(org.id);
                                        return visit(identity_of(org));
                                      }));
  }
  return {};
}

Result<void> Mirror::visit_users(store::Reader& reader,
                                 const services::meta::Visit<IdentityUser>& visit) {
  return visit_members<AccountRecord>(reader, visit);
}

Result<void> Mirror::visit_groups(store::Reader& reader,
                                  const services::meta::Visit<IdentityGroup>& visit) {
  return visit_members<GroupRecord>(reader, visit);
}

Result<std::optional<IdentityOrg>> Mirror::identity_org(store::Reader& reader,
                                                        std::string_view id) {
  const auto org = TRY(find<OrgRecord>(reader, id));
  return org ? std::optional(identity_of(*org)) : std::nullopt;
}

Result<std::optional<IdentityUser>> Mirror::identity_user(store::Reader& reader,
                                                          std::string_view id) {
  return find_member<AccountRecord, IdentityUser>(reader, id);
}

Result<std::optional<IdentityGroup>> Mirror::identity_group(store::Reader& reader,
                                                            std::string_view id) {
  return find_member<GroupRecord, IdentityGroup>(reader, id);
}

Result<std::vector<std::string>> Mirror::members_of_group(store::Reader& reader,
                                                          std::string_view group) {
  std::vector<std::string> ids;
  for (const AccountRecord& member : TRY(members_of(reader, group))) ids.push_back(member.id);
  return ids;
}

Result<std::vector<std::string>> Mirror::groups_of_user(store::Reader& reader,
                                                        std::string_view user) {
  return groups_of(reader, user);
}

Result<IdentityOrg> Mirror::make_org(Call& call, std::string_view parent, std::string_view name,
                                     std::string_view description) {
  return identity_of(TRY(
      create_org(call, security_.host().rng(), parent,
                 {.name = std::string(name), .description = if_any(std::string(description))})));
}

Result<std::vector<IdentityGroup>> Mirror::groups_with_org(store::Reader& reader,
                                                           const IdentityOrg& org) {
  std::vector<IdentityGroup> out;
  for (const GroupRecord& group : TRY(own_groups(reader, {.id = org.id, .fqon = org.fqon}))) {
    out.push_back(identity_of(group, TRY(org_of(reader, group.directory))));
  }
  return out;
}

Result<void> Mirror::drop_org(Call& call, std::string_view id) {
  const auto org = TRY(find<OrgRecord>(call.read(), id));
  if (!org) return {};  // went with its parent
  return delete_org(call, *org);
}

Result<std::string> Mirror::hash_password(std::string_view password) {
  return security_.hash_new_password(password);
}

Result<IdentityUser> Mirror::make_user(Call& call, std::string_view org, const IdentityUser& wanted,
                                       std::string_view hash) {
  const AppRecord app = TRY(service_app(call.read(), org));
  const StoreRecord store = TRY(default_account_store(call.read(), app.id));
  const DirectoryRecord directory = TRY(directory_of(call.read(), store));
  AccountRecord account;
  account.id = call.new_id();
  account.directory = directory.id;
  account.username = wanted.username;
  account.first_name = wanted.first_name;
  account.last_name = wanted.last_name;
  account.email = if_any(wanted.email);
  account.phone = if_any(wanted.phone);
  account.description = if_any(wanted.description);
  account.hash = std::string(hash);
  TRY(create_account(call.write(), account));
  if (store.type == kStoreGroup) {
    const GroupRecord group = TRY(need_group(call.read(), store.store));
    TRY(add_member(call.write(), group, account));
  }
  TRY(touch_epoch(call.write()));
  return identity_of(account, std::string(org));
}

Result<void> Mirror::drop_user(Call& call, std::string_view id) {
  const auto account = TRY(find<AccountRecord>(call.read(), id));
  if (!account) return {};
  TRY(delete_account(call.write(), *account));
  return touch_epoch(call.write());
}

Result<IdentityGroup> Mirror::make_group(Call& call, std::string_view org, std::string_view name,
                                         std::string_view description) {
  const AppRecord app = TRY(service_app(call.read(), org));
  const DirectoryRecord directory = TRY(default_group_store(call.read(), app.id));
  GroupRecord group;
  group.id = call.new_id();
  group.directory = directory.id;
  group.name = std::string(name);
  group.description = if_any(std::string(description));
  TRY(create_group(call.write(), group));
  TRY(touch_epoch(call.write()));
  return identity_of(group, std::string(org));
}

Result<void> Mirror::drop_group(Call& call, std::string_view id) {
  const auto group = TRY(find<GroupRecord>(call.read(), id));
  if (!group) return {};
  TRY(delete_group(call.write(), *group));
  return touch_epoch(call.write());
}

Result<void> Mirror::change_member(Call& call, std::string_view group, std::string_view user,
                                   Membership change) {
  const GroupRecord record = TRY(need_group(call.read(), group));
  const AccountRecord account = TRY(need_account(call.read(), user));
  if (change == Membership::add) {
    TRY(add_member(call.write(), record, account));
  } else {
    TRY(remove_member(call.write(), group, user));
  }
  return touch_epoch(call.write());
}

std::unique_ptr<services::meta::Identities> make_identities(services::Service& security) {
  return std::make_unique<Mirror>(static_cast<Security&>(security));
}

}  // namespace security
