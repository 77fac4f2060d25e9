// SPDX-License-Identifier: Apache-2.0
// Security as the meta service sees it: organisations, people and groups, and changes to them.
#include "services/security/api/identities.h"

#include <map>

#include "services/framework/host.h"
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

// Organisation of each directory.
Result<std::map<std::string, std::string>> directory_orgs(store::Reader& reader) {
  std::map<std::string, std::string> orgs;
  for (const DirectoryRecord& directory : TRY(all<DirectoryRecord>(reader))) {
    orgs.emplace(directory.id, directory.org);
  }
  return orgs;
}

std::optional<std::string> if_any(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

class Mirror final : public services::meta::Identities {
 public:
  explicit Mirror(Security& security) : security_(security) {}
  Result<std::vector<IdentityOrg>> identity_orgs(store::Reader& reader) override;
  Result<std::vector<IdentityUser>> identity_users(store::Reader& reader) override;
  Result<std::vector<IdentityGroup>> identity_groups(store::Reader& reader) override;
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

Result<std::vector<IdentityOrg>> Mirror::identity_orgs(store::Reader& reader) {
  std::vector<IdentityOrg> found;
  const auto root = root_org(reader);
  if (!root && root.error().code == Code::not_found) return found;  // not initialised yet
  if (!root) return root.error();
  for (const OrgRecord& org : TRY(org_tree(reader, *root))) found.push_back(identity_of(org));
  return found;
}

Result<std::vector<IdentityUser>> Mirror::identity_users(store::Reader& reader) {
  std::vector<IdentityUser> found;
  const auto orgs = TRY(directory_orgs(reader));
  for (const AccountRecord& account : TRY(all<AccountRecord>(reader))) {
    const auto org = orgs.find(account.directory);
    if (org != orgs.end()) found.push_back(identity_of(account, org->second));
  }
  return found;
}

Result<std::vector<IdentityGroup>> Mirror::identity_groups(store::Reader& reader) {
  std::vector<IdentityGroup> found;
  const auto orgs = TRY(directory_orgs(reader));
  for (const GroupRecord& group : TRY(all<GroupRecord>(reader))) {
    const auto org = orgs.find(group.directory);
    if (org != orgs.end()) found.push_back(identity_of(group, org->second));
  }
  return found;
}

Result<std::optional<IdentityOrg>> Mirror::identity_org(store::Reader& reader,
                                                        std::string_view id) {
  const auto org = TRY(find<OrgRecord>(reader, id));
  return org ? std::optional(identity_of(*org)) : std::nullopt;
}

Result<std::optional<IdentityUser>> Mirror::identity_user(store::Reader& reader,
                                                          std::string_view id) {
  const auto account = TRY(find<AccountRecord>(reader, id));
  if (!account) return std::optional<IdentityUser>();
  return std::optional(identity_of(*account, TRY(org_of_account(reader, id))));
}

Result<std::optional<IdentityGroup>> Mirror::identity_group(store::Reader& reader,
                                                            std::string_view id) {
  const auto group = TRY(find<GroupRecord>(reader, id));
  if (!group) return std::optional<IdentityGroup>();
  return std::optional(identity_of(*group, TRY(org_of_group(reader, id))));
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
  const OrgRecord above = TRY(need_org(call.read(), parent));
  const AccountRecord creator = TRY(need_account(call.read(), call.caller().account_id));
  const OrgRecord made =
      TRY(create_org(call.write(), security_.host().rng(), above, creator,
                     {.name = std::string(name), .description = if_any(std::string(description))}));
  TRY(note_new_org(call.write(), made, creator.id));
  return identity_of(made);
}

Result<void> Mirror::drop_org(Call& call, std::string_view id) {
  const auto org = TRY(find<OrgRecord>(call.read(), id));
  if (!org) return {};  // went with its parent
  TRY(delete_org(call.write(), *org));
  return touch_epoch(call.write());
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
